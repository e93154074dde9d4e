"""The examples in docstrings give what they say."""

import doctest
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import pytest

import staticemb_distiller
import staticemb_runtime

PACKAGES = (staticemb_runtime, staticemb_distiller)


def named(package):
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [package.__name__, *(module.name for module in found)]


def has_examples(name):
    return ">>> " in Path(importlib.util.find_spec(name).origin).read_text("utf-8")


@pytest.mark.parametrize(
    "name", [name for package in PACKAGES for name in named(package) if has_examples(name)]
)
def test_the_examples_of_a_module(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
