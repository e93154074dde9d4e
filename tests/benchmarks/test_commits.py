"""Benchmarks write no results of code that is not committed, and no table of two commits."""

import json
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

git = shutil.which("git")
IDENTITY = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
pytestmark = pytest.mark.skipif(git is None, reason="needs git")


@pytest.fixture
def checkout(tmp_path):
    """A repository of its own that holds the benchmarks' harness, one benchmark and one page."""
    modules = ("harness", "pages", "drawing", "report", "overview", "reported")
    for name in (f"{module}.py" for module in modules):
        source = ROOT / "benchmarks" / name
        if source.exists():
            (tmp_path / "benchmarks").mkdir(exist_ok=True)
            shutil.copy(source, tmp_path / "benchmarks" / name)
    folder = tmp_path / "benchmarks"
    (folder / "one.py").write_text(
        "import harness\nharness.read_options()\nprint('measured')\nharness.save('one', {'a': 1})\n"
    )
    (folder / "figures").mkdir()
    (folder / "figures" / "__init__.py").write_text("")
    (folder / "figures" / "one.py").write_text("def section(content):\n    return 'filled'\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("<!-- figures: one -->\nold\n<!-- end -->\n")
    (tmp_path / ".gitignore").write_text("__pycache__/\n")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run([git, *IDENTITY, *arguments], cwd=tmp_path, check=True)
    return tmp_path


def run(checkout, script, *arguments):
    command = [sys.executable, checkout / "benchmarks" / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=checkout, check=False)


def test_committed_code_is_measured_and_its_own_results_do_not_hinder_the_next_run(checkout):
    for _ in range(2):
        done = run(checkout, "one.py")
        assert done.returncode == 0, done.stderr
    saved = json.loads((checkout / "benchmarks" / "results" / "one.json").read_text())
    assert "dirty" not in saved["environment"]["commit"]
    assert run(checkout, "report.py").returncode == 0
    assert "filled" in (checkout / "docs" / "page.md").read_text()


@pytest.mark.parametrize("change", ["changed", "new"])
def test_changed_code_is_refused_before_it_is_measured(checkout, change):
    name = "one.py" if change == "changed" else "other.py"
    with (checkout / "benchmarks" / name).open("a") as file:
        file.write("# changed\n")
    done = run(checkout, "one.py")
    assert done.returncode == 1
    assert "measured" not in done.stdout
    assert "not committed" in done.stderr
    assert not (checkout / "benchmarks" / "results").exists()
    assert run(checkout, "one.py", "--quick").returncode == 0
    assert run(checkout, "one.py", "--results", checkout / "elsewhere").returncode == 0


def test_results_of_code_that_is_not_committed_get_into_no_page(checkout):
    with (checkout / "benchmarks" / "one.py").open("a") as file:
        file.write("# changed\n")
    assert run(checkout, "one.py", "--results", checkout / "benchmarks" / "results").returncode == 0
    done = run(checkout, "report.py")
    assert done.returncode == 1
    assert "one.json: expected a commit, found " in done.stderr
    assert "old" in (checkout / "docs" / "page.md").read_text()


def test_a_table_of_two_commits_is_refused(checkout):
    script = checkout / "benchmarks" / "one.py"
    script.write_text(script.read_text().replace("{'a': 1}", "{'models': [{'commit': '0' * 12}]}"))
    subprocess.run([git, *IDENTITY, "commit", "-qam", "two"], cwd=checkout, check=True)
    done = run(checkout, "one.py")
    assert done.returncode == 1
    assert "one.json: expected results of one commit, found 000000000000, " in done.stderr
    assert not (checkout / "benchmarks" / "results" / "one.json").exists()
