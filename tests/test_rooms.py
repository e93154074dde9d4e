"""What a room's docstring says of it: what comes in, what goes out, what it may use, for whom."""

import ast
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    "staticemb_runtime": ROOT / "runtime" / "src" / "staticemb_runtime",
    "staticemb_distiller": ROOT / "distiller" / "src" / "staticemb_distiller",
}
ROOMS = [
    f"{wheel}.{path.parent.name}"
    for wheel, folder in SOURCES.items()
    for path in sorted(folder.glob("*/__init__.py"))
]


def layers(wheel):
    """The rooms of a wheel in the order of its contract, lowest first; a set for each layer."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    contract = next(c for c in tools["importlinter"]["contracts"] if c.get("containers") == [wheel])
    return [set(layer.split(" | ")) for layer in reversed(contract["layers"])]


def docstring(room):
    wheel, name = room.split(".")
    text = ast.get_docstring(ast.parse((SOURCES[wheel] / name / "__init__.py").read_text("utf-8")))
    return " ".join(text.split())


def used(room):
    """The other rooms of its wheel that a room's modules import, wherever in a module."""
    wheel, name = room.split(".")
    found = set()
    for path in (SOURCES[wheel] / name).rglob("*.py"):
        package = (wheel, *path.parent.relative_to(SOURCES[wheel]).parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                start = package[: len(package) - node.level + 1]
                target = (*start, *(node.module or "").split("."))
                names = [target] if len(start) > 1 or node.module else []
                names = names or [(*start, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")]
            elif isinstance(node, ast.Import):
                names = [alias.name.split(".") for alias in node.names]
            else:
                continue
            found |= {parts[1] for parts in names if parts[0] == wheel and len(parts) > 1}
    known = set().union(*layers(wheel))
    return (found & known) - {name}


def permitted(room):
    """The rooms that `May use:` names: one by one, or all up to a layer of the contract."""
    order = layers(room.split(".")[0])
    sentence = re.search(r"May use: (.*?)\.(?: |$)", docstring(room))[1]
    rooms = set(re.findall(r"`(\w+)`", sentence))
    bound = re.match(r"all rooms up to `(\w+)`", sentence)
    if bound:
        height = next(i for i, layer in enumerate(order) if bound[1] in layer)
        rooms |= set().union(*order[: height + 1])
    if sentence.startswith("all rooms") and not bound:
        rooms |= set().union(*order)
    assert rooms, f"{room}: {sentence}"
    return rooms


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_only_the_rooms_that_it_says(room):
    assert used(room) <= permitted(room)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_may_use_only_rooms_below_it(room):
    wheel, name = room.split(".")
    order = layers(wheel)
    height = next(i for i, layer in enumerate(order) if name in layer)
    assert permitted(room) - {name} <= set().union(*order[:height])


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_comes_in_what_goes_out_and_for_whom_it_is(room):
    text = docstring(room)
    assert re.search(r" In: .+ Out: .+ May use: .+", text), text
    assert re.search(r"\b(?:Public|Internal)\b", text.split("May use: ")[1]), text


@pytest.mark.parametrize("wheel", SOURCES)
def test_modules_import_each_other_in_no_circle(wheel):
    """Late imports count, too; imports for annotations alone do not."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph(wheel, exclude_type_checking_imports=True)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    while leaves := {name for name, targets in imports.items() if not targets & imports.keys()}:
        imports = {name: targets for name, targets in imports.items() if name not in leaves}
    assert imports == {}  # each module that stays is in a circle or imports one that is


@pytest.mark.parametrize("wheel", SOURCES)
def test_contributing_lists_the_rooms_in_the_order_of_the_contract(wheel):
    title = wheel.removeprefix("staticemb_").capitalize()
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    row = re.search(rf"^{title}: `(.+)`", text, re.M)[1]
    shown = [set(re.findall(r"\w+", step)) for step in row.split(" ← ")]
    assert shown == [layer for layer in layers(wheel) if layer != {"__main__"}]


@pytest.mark.parametrize("wheel", SOURCES)
def test_the_files_that_contributing_answers_with_exist(wheel):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    place = SOURCES[wheel].relative_to(ROOT).as_posix()
    table = text.split(f"| question | file in `{place}/` |\n")[1].split("\n\n")[0]
    answers = re.findall(r"`(\w+(?:/\w*)+(?:\.py)?|\w+\.py)`", table)
    assert len(answers) > 15
    assert [name for name in answers if not (SOURCES[wheel] / name).exists()] == []
