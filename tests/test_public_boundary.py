"""What users and the distiller may import is named in `__all__`, and documented."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DISTILLER = sorted((ROOT / "distiller" / "src").rglob("*.py"))
PUBLIC = (
    "staticemb_distiller",
    "staticemb_distiller.evaluation",
    "staticemb_distiller.indexing",
    "staticemb_runtime",
    "staticemb_runtime.aws_lambda",
    "staticemb_runtime.bulk",
    "staticemb_runtime.cli",
    "staticemb_runtime.encoding",
    "staticemb_runtime.format",
    "staticemb_runtime.loading",
    "staticemb_runtime.records",
    "staticemb_runtime.search",
    "staticemb_runtime.serve",
)


def imported(path):
    """(module, name) of each import from the runtime, wherever in a file it stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("staticemb_runtime"):
            yield from ((node.module, alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            yield from ((a.name, "") for a in node.names if a.name.startswith("staticemb_runtime"))


def test_the_distiller_imports_public_names_alone():
    found = {pair for path in DISTILLER for pair in imported(path)}
    assert len(found) > 20
    for module, name in sorted(found):
        if module == "staticemb_runtime.errors":
            continue  # each class there is public
        assert module in PUBLIC, f"{module} is internal"
        assert name in importlib.import_module(module).__all__, f"{module}.{name} is internal"


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_exist_and_are_documented(module):
    package = importlib.import_module(module)
    assert package.__doc__
    assert sorted(package.__all__) == sorted(set(package.__all__))
    for name in package.__all__:
        value = getattr(package, name)
        if callable(value) and not hasattr(value, "__origin__"):
            assert value.__doc__, name


def types(tree):
    """The public classes and aliases of types of a module, each with what it stands for."""
    guarded = [node for block in tree.body if isinstance(block, ast.If) for node in block.body]
    for node in [*tree.body, *guarded]:
        if isinstance(node, ast.ClassDef):
            yield node.name, "a class"
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name[0].isupper() and not name.isupper():
                yield name, ast.unparse(node.value)


@pytest.mark.parametrize("wheel", ["staticemb_runtime", "staticemb_distiller"])
def test_no_two_types_have_one_name(wheel):
    """Short names for numpy's arrays may mean one width here and another one there."""
    folder = ROOT / wheel.removeprefix("staticemb_") / "src" / wheel
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        for name, meaning in types(ast.parse(path.read_text("utf-8"))):
            if not (name.startswith("_") or "NDArray[" in meaning):
                place = path.relative_to(folder).as_posix() if meaning == "a class" else ""
                found.setdefault(name, set()).add(f"{meaning} {place}")
    assert {name: kinds for name, kinds in found.items() if len(kinds) > 1} == {}
