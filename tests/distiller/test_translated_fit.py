"""Recipes whose sources are translated word by word."""

from dataclasses import replace

import numpy as np
import pytest

from distiller import teachers
from staticemb_distiller import Recipe, distill
from staticemb_distiller.corpus.sampling import TextSource
from staticemb_distiller.errors import TextSourceError
from staticemb_distiller.fitting import translations as module
from staticemb_distiller.teacher import Teacher as Model
from staticemb_runtime import StaticModel

pytest.importorskip("wordfreq")

SENTENCES = [
    "The president of a small country visits the city.",
    "Music is good for children, and so is football.",
    "In 1985 Smithers played the guitar in a small house near the river.",
] * 2
RECIPE = Recipe(
    tokenizer="train:unigram:1500",
    fit=("generated::limit=300", "sentences.txt::translate=words,limit=6"),
    fit_language=("en", "de", "ja"),
    prior="zero",
    dims=8,
)


class Teacher:
    """A teacher of letters that remembers what it has read."""

    def __init__(self):
        self.read = []

    def __call__(self, texts):
        self.read += texts
        vectors = np.ones((len(texts), 16), np.float32)
        for row, text in enumerate(texts):
            for character in text.lower():
                vectors[row, ord(character) % 16] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_WORDS", 500)
    (tmp_path / "sentences.txt").write_text("\n".join(SENTENCES))
    return tmp_path


def test_the_teacher_reads_the_translations_in_equal_shares(folder):
    teacher = Teacher()
    path = distill(teacher, RECIPE, "a.staticemb")
    kept = [text for text in teacher.read if "1985" in text]
    assert kept  # each language has all three sentences
    assert all("Smithers" in text for text in kept)
    assert {text.endswith("。") for text in kept} == {True, False}
    assert not set(SENTENCES) & set(teacher.read)
    assert {"house", "haus", "家"} <= set(teacher.read)  # the dictionaries' words
    assert path.read_bytes() == distill(Teacher(), RECIPE, "b.staticemb").read_bytes()
    model = StaticModel.load(path)
    assert Recipe.from_toml(model.metadata.extra["recipe"]).fit == RECIPE.fit
    assert "wordfreq" in model.metadata.extra["x-input-version"]
    assert "sentences.txt" in model.metadata.extra["x-input-sha256"]


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ((), "the language of the text and others after it in fit_language=, found none"),
        (("en",), "the language of the text and others after it in fit_language=, found en"),
        (("ja", "en"), "a language with blanks between words first in fit_language=, found ja"),
    ],
)
def test_languages_to_translate_between_are_needed(folder, languages, expected):
    recipe = replace(RECIPE, fit=("sentences.txt::translate=words",), fit_language=languages)
    with pytest.raises(TextSourceError, match=rf"sentences\.txt: translate= needs {expected}"):
        distill(Teacher(), recipe, "a.staticemb")
    assert not (folder / "a.staticemb").exists()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("a.txt::translate=sentences", "expected translate=words, found translate=sentences"),
        ("generated::translate=words", "expected text to translate, found generated"),
    ],
)
def test_other_ways_to_translate_are_refused(spec, message):
    with pytest.raises(TextSourceError, match=message):
        TextSource.parse(spec)


def test_a_file_without_text_is_an_error(folder):
    (folder / "sentences.txt").write_text("\n \n")
    with pytest.raises(TextSourceError, match=r"sentences\.txt: expected text, found none"):
        distill(Teacher(), RECIPE, "a.staticemb")


def test_a_sentence_transformers_checkpoint_holds_the_vectors_of_words_too(folder):
    teacher = Model.load(str(teachers.build("bert", folder / "bert")), device="cpu")
    recipe = replace(RECIPE, fit_language=("en", "de"))
    whole = distill(teacher, recipe, "whole.staticemb")
    made = distill(teacher, recipe, "made.staticemb", checkpoint="checkpoint")
    assert made.read_bytes() == whole.read_bytes()
    assert not (folder / "checkpoint").exists()
