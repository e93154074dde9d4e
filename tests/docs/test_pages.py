"""Links of the Markdown pages, the README's length, and what the site holds of the packages."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from end_to_end.readme_blocks import blocks
from staticemb_distiller.cli.main import COMMANDS
from staticemb_runtime import StaticModel
from test_public_boundary import PUBLIC

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READMES = ["README.md", "runtime/README.md", "distiller/README.md"]
OTHERS = [*READMES, "CONTRIBUTING.md", "SECURITY.md", "conformance/README.md"]
# How a page that stands elsewhere, such as on the package index, names a file of the repository.
REPOSITORY = re.compile(r"https://github\.com/staticemb/staticemb/(?:blob|tree)/main/")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^(`{3,}).*?^\1$|`[^`\n]+`", re.M | re.S)
GENERATED = re.compile(r"^(?:--8<--|::: )", re.M)


def named(path):
    return path.relative_to(ROOT).as_posix()


def headings(text):
    """The anchors of a page's headings, as GitHub and the site make them."""
    found = set()
    for title in re.findall(
        r"^#+ (.+)$", re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.M | re.S), re.M
    ):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", [*map(named, PAGES), *OTHERS])
def test_links_lead_to_files_and_headings(page):
    path = ROOT / page
    text = path.read_text("utf-8")
    for link in LINK.findall(CODE.sub("", text)):
        target, _, anchor = link.partition("#")
        inside = REPOSITORY.match(target)
        if not inside and re.match(r"[a-z]+:", target):
            continue
        file = ROOT / target[inside.end() :] if inside else path.parent / target if target else path
        assert file.exists(), f"{page}: {link}"
        if anchor and file.suffix == ".md":
            linked = file.read_text("utf-8")
            assert anchor in headings(linked) or GENERATED.search(linked), f"{page}: {link}"


def test_links_within_the_site_are_relative():
    for page in PAGES:
        for link in LINK.findall(page.read_text("utf-8")):
            inside = REPOSITORY.match(link)
            assert not (inside and link[inside.end() :].startswith("docs/")), f"{page}: {link}"


def test_pages_of_the_package_index_link_to_the_repository():
    for readme in READMES[1:]:
        for link in LINK.findall((ROOT / readme).read_text("utf-8")):
            assert re.match(r"[a-z]+:", link), (
                f"{readme}: {link} leads nowhere outside the repository"
            )


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_every_page_stands_in_the_navigation_once():
    project = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]

    def leaves(entry):
        if isinstance(entry, str):
            return [entry]
        values = entry.values() if isinstance(entry, dict) else entry
        return [leaf for value in values for leaf in leaves(value)]

    assert sorted(leaves(project["nav"])) == [p.relative_to(DOCS).as_posix() for p in PAGES]


def test_a_page_says_first_what_question_it_answers():
    for page in PAGES:
        text = page.read_text("utf-8")
        if page.name != "index.md" and not text.startswith("--8<--"):
            assert re.match(r"# .+\n\nThis page ", text), named(page)


def test_code_fits_into_the_page():
    for page in [*PAGES, *(ROOT / readme for readme in READMES)]:
        if "research" not in page.parts:
            for block in blocks(page.read_text("utf-8")):
                longest = max(block.code.splitlines(), key=len, default="")
                assert len(longest) <= 79, f"{named(page)}:{block.line}: {longest}"


def entries(page):
    """The names that a page of the reference shows, and the members that it lists."""
    text = (DOCS / "reference" / page).read_text("utf-8")
    return set(re.findall(r"^::: (\S+)$", text, re.M)), re.findall(r"^ +- (\w+)$", text, re.M)


# The command's package is public for the distiller's command alone.
@pytest.mark.parametrize("package", [name for name in PUBLIC if not name.endswith(".cli")])
def test_the_reference_shows_every_public_name(package):
    shown = set().union(*(entries(page.name)[0] for page in DOCS.glob("reference/*.md")))
    names = {f"{package}.{name}" for name in importlib.import_module(package).__all__}
    assert package in shown or names <= shown


def test_the_reference_shows_every_public_member_of_a_model():
    _, members = entries("runtime.md")
    internal = {"from_parts"}  # for this project's own packages
    public = {name for name in dir(StaticModel) if not name.startswith("_")} - internal
    assert set(members) == public
    assert len(members) == len(set(members))


def test_the_help_of_each_command_is_shown(tmp_path):
    script = DOCS / "tools" / "command_help.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    for command, names in {
        "staticemb": [
            "encode",
            "classify",
            "similarity",
            "tokens",
            "info",
            "index",
            "search",
            "export",
            "dedup",
            "serve",
            "bundle-lambda",
        ],
        "staticemb-distiller": COMMANDS,
    }.items():
        text = (tmp_path / f"{command}.md").read_text("utf-8")
        assert re.findall(rf"^## {command} (\S+)$", text, re.M) == list(names)
        assert text.count("usage: ") == len(names) + 1
        assert "\x1b" not in text
        assert str(ROOT) not in text
