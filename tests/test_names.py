"""Variables say what they hold."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for wheel in ("runtime", "distiller") for path in (ROOT / wheel / "src").rglob("*.py")
)
EMPTY = {
    "beside",
    "one",
    "some",
    "stuff",
    "that",
    "thing",
    "things",
    "this",
    "told",
    "twin",
    "what",
}


def variables(tree):
    """The variables and parameters of a module, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def compared(tree):
    """The lines where a variable `found` is more than the end of a message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            values = [node.left, *node.comparators]
        elif isinstance(node, (ast.Attribute, ast.Subscript, ast.Return)):
            values = [node.value]
        else:
            continue
        yield from (v.lineno for v in values if isinstance(v, ast.Name) and v.id == "found")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_variables_say_what_they_hold(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert [(name, line) for name, line in variables(tree) if name.strip("_") in EMPTY] == []
    # In "expected X, found Y" the name is that of the message's part.
    assert list(compared(tree)) == []
