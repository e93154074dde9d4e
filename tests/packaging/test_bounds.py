"""The lists of versions agree with what the two packages declare, and with each other."""

import re
import sys

import pytest

from conftest import ROOT

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
EVALUATION = {"bm25s", "model2vec", "sentence-transformers", "wordllama", "mteb"}
# Their tests need the newest.
NOT_PROVEN = EVALUATION | {"onnx", "onnxruntime", "datasets", "pyspark", "ray"}


def name_of(text):
    return re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0].lower().replace("_", "-")


def pins(path):
    """Name -> versions of the lines NAME==VERSION of a file."""
    found = {}
    for line in (ROOT / path).read_text("utf-8").splitlines():
        if match := re.match(r"([\w.-]+)==([\w.+]+)", line):
            found.setdefault(name_of(match[1]), set()).add(match[2])
    return found


def lower_bounds():
    """Name -> the lowest versions that the two packages declare, as lists of numbers."""
    found = {}
    for package in ("runtime", "distiller"):
        project = tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))["project"]
        optional = project["optional-dependencies"].values()
        for requirement in [*project["dependencies"], *(one for many in optional for one in many)]:
            version = re.search(r">=([\d.]+)", requirement)[1]
            bounds = found.setdefault(name_of(requirement), [])
            key = [int(part) for part in version.split(".")]
            if key not in bounds:
                bounds.append(key)
    return found


def test_a_package_has_one_lowest_version():
    """`make test-lowest` has one version of each package: a lower bound would not be proven."""
    assert {name: keys for name, keys in lower_bounds().items() if len(keys) > 1} == {}


def test_the_lowest_versions_are_the_declared_ones():
    declared, lowest = lower_bounds(), pins("constraints-lowest.txt")
    for name in declared.keys() - NOT_PROVEN - {"staticemb-runtime"}:
        (version,) = lowest.pop(name)
        parts = [int(part) for part in version.split(".")]
        bound = max(declared[name])
        padded = bound + [0] * (len(parts) - len(bound))
        assert parts == padded, f"{name}: declared >={bound}, listed {version}"
    assert lowest == {}


@pytest.mark.parametrize(
    "path",
    ["requirements/build.txt", "requirements/integrations.txt", "requirements/test-runtime.txt"],
)
def test_hashed_versions_are_those_of_the_constraints(path):
    text, constraints = (ROOT / path).read_text("utf-8"), pins("constraints.txt")
    found = pins(path)
    assert found
    for name in found.keys() & constraints.keys():
        assert found[name] <= constraints[name], name
    entries = re.split(r"\n(?=\w)", text)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"^-|://|file:", text, flags=re.M), "no host and no path of a machine"
