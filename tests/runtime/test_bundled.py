"""The model that comes with the runtime: found, whole, what its card says, and of some use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_runtime import StaticModel
from staticemb_runtime.loading.installed import DEFAULT_FILE, DEFAULT_MODEL
from strategies import word_level_tokenizer

MARGIN = 0.1  # of cosine: what rounding moves on another processor is a hundred thousandth of it

RELATED = [
    ("How do I reset my password?", "I forgot my login credentials.", "The soup needs more salt."),
    ("The flight was cancelled.", "Our plane did not take off.", "She plays the violin."),
    ("a doctor in a hospital", "physician", "airport"),
    ("stock prices fell sharply", "shares dropped on the exchange", "a recipe for apple pie"),
    ("The cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose again."),
    ("best laptop for programming", "computer for software developers", "weather in Paris"),
    ("It rained all day.", "The weather was wet.", "He signed the contract."),
]


@pytest.fixture(scope="module")
def model():
    return StaticModel.load()


def staticemb(*arguments, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "STATICEMB_MODEL"}
    command = [sys.executable, "-m", "staticemb_runtime", *map(str, arguments)]
    return subprocess.run(
        command, env=environment | variables, capture_output=True, check=True
    ).stdout


def test_the_file_is_whole():
    StaticModel.load(verify=True)


def test_it_is_what_is_opened_where_nothing_is_named(model):
    vector = model.encode("hello")
    assert vector.shape == (model.dim,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    for variables in ({}, {"STATICEMB_MODEL": ""}):
        (line,) = staticemb("encode", "hello", **variables).splitlines()
        np.testing.assert_array_equal(np.array(json.loads(line)["embedding"], np.float32), vector)
    facts = json.loads(staticemb("info", "--json"))
    assert (facts["file"], facts["digest"]) == (DEFAULT_FILE, model.metadata.digest)


def test_its_name_opens_it_unless_a_file_has_that_name(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert StaticModel.load(DEFAULT_MODEL).metadata.digest == model.metadata.digest
    table = np.eye(4, 8, dtype="float32")
    write(tmp_path / DEFAULT_MODEL, Parts(table, word_level_tokenizer(4)), Settings())
    assert StaticModel.load(DEFAULT_MODEL).dim == 8
    assert StaticModel.load().metadata.digest == model.metadata.digest


def test_the_environment_names_another(tmp_path):
    path = tmp_path / "tiny.staticemb"
    write(path, Parts(np.eye(4, 8, dtype="float32"), word_level_tokenizer(4)), Settings())
    assert json.loads(staticemb("info", "--json", STATICEMB_MODEL=str(path)))["dim"] == 8


def test_the_recipe_beside_it_is_the_one_that_made_it(model):
    beside = Recipe.read(Path(DEFAULT_FILE).with_suffix(".toml"))
    assert Recipe.from_toml(model.metadata.extra["recipe"]) == beside


@pytest.mark.parametrize(("text", "near", "far"), RELATED)
def test_it_tells_related_from_unrelated(model, text, near, far):
    first, second, third = model.encode([text, near, far])
    assert first @ second > first @ third + MARGIN


def test_its_prefixes_still_do(model):
    for dim in model.prefixes:
        right = 0
        for triple in RELATED:
            first, second, third = model.encode(triple, truncate_dim=dim)
            right += first @ second > first @ third
        assert right >= len(RELATED) - 1


def test_frequent_words_alone_have_vectors(model):
    assert model.encode(["the", "of it", "to be or not to be"]).any(axis=1).all()


def test_the_card_and_the_readme_say_what_was_measured():
    pytest.importorskip("staticemb_distiller.evaluation")  # draws the chart
    command = [sys.executable, ROOT / "benchmarks" / "bundled.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_first_call_imports_nothing_slow_that_it_does_not_need():
    code = (  # numpy 1 imports numpy.ma by itself
        "import sys, numpy\nby_numpy = set(sys.modules)\n"
        "from staticemb_runtime import StaticModel\n"
        "StaticModel().encode(['a plain text', 'another'])\n"
        "print({'numpy.ma', 'tokenizers', 'multiprocessing'} & (set(sys.modules) - by_numpy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
