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
# Their examples name files or models of the reader's: what they show runs in the pages' blocks.
NOT_RUN = {
    "staticemb_distiller.adaptation.adapt",
    "staticemb_distiller.output_file",
    "staticemb_distiller.evaluation.mteb",
    "staticemb_distiller.interop.convert_source",
    "staticemb_distiller.evaluation.run",
    "staticemb_distiller.corpus.vector_files",
    "staticemb_distiller.distillation",
    "staticemb_distiller.heads.fit_head",
    "staticemb_distiller.teacher.sentence_transformer",
    "staticemb_distiller.teacher.server",
    "staticemb_distiller.training.run",
}


def named(package):
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [package.__name__, *(module.name for module in found)]


def has_examples(name):
    return ">>> " in Path(importlib.util.find_spec(name).origin).read_text("utf-8")


WITH_EXAMPLES = [name for package in PACKAGES for name in named(package) if has_examples(name)]


def examples_that_run(thing, **options):
    """The examples in the docstrings of a module or an object that are not marked SKIP."""
    tests = doctest.DocTestFinder().find(thing, **options)
    examples = (example for test in tests for example in test.examples)
    return [example for example in examples if not example.options.get(doctest.SKIP)]


@pytest.mark.parametrize("name", [name for name in WITH_EXAMPLES if name not in NOT_RUN])
def test_the_examples_of_a_module(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted >= len(examples_that_run(module)) > 0


@pytest.mark.parametrize("name", sorted(NOT_RUN))
def test_what_is_listed_as_not_run_has_no_example_that_runs(name):
    assert name in WITH_EXAMPLES
    assert examples_that_run(importlib.import_module(name)) == []


@pytest.mark.parametrize("name", ["StaticModel", "normalize", "quantize", "similarity", "truncate"])
def test_what_the_runtime_exports_has_an_example_that_runs(name):
    assert name in staticemb_runtime.__all__
    assert examples_that_run(getattr(staticemb_runtime, name), name=name)


def test_most_examples_run():
    run = [
        example
        for name in WITH_EXAMPLES
        for example in examples_that_run(importlib.import_module(name))
    ]
    assert len(run) >= 55
