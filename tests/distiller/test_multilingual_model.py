"""The command that makes the multilingual model and its wheel."""

import gzip
import zipfile

import pytest

import multilingual_model
from distiller.embedding_server import EmbeddingServer
from staticemb_distiller import Recipe
from staticemb_distiller.fitting import translations
from staticemb_runtime import StaticModel

pytest.importorskip("wordfreq")

RECIPE = """\
tokenizer = "train:unigram:2000"
prior = "zero"
fit = [
    "generated::limit=600",
    "tatoeba.txt::weight=2",
    "english.txt",
    "english.txt::translate=words,limit=3",
]
fit_language = ["en", "de", "ja"]
dims = 4
dtype = "int8"
"""


@pytest.fixture
def tatoeba(tmp_path):
    path = tmp_path / "tatoeba.tsv.gz"
    rows = [f"{code}\t{code} says {n}" for n in range(5) for code in ("eng", "deu", "jpn", "fra")]
    path.write_bytes(gzip.compress(("\n".join(rows) + '\neng\tHe said "hi.\n').encode()))
    return path


@pytest.fixture
def english(tmp_path, monkeypatch):
    path = tmp_path / "english.txt"
    path.write_text(
        "The president of a small country visits the city.\n\n" + f"Too long{' a' * 80}\n"
    )
    monkeypatch.setattr(translations, "_WORDS", 300)
    return path


def test_one_command_makes_the_model_and_its_wheel(tmp_path, tatoeba, english, monkeypatch):
    monkeypatch.chdir(tmp_path)  # The command changes the folder.
    monkeypatch.setattr(multilingual_model, "version", lambda name: "9.9")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    monkeypatch.setattr(multilingual_model, "RECIPE", recipe)
    server = EmbeddingServer()
    try:
        status = multilingual_model.main(
            [str(tatoeba), str(english), "out", "--server", server.spec, "--teacher-cache", "cache"]
        )
    finally:
        server.close()
    assert status == 0
    folder = tmp_path / "out"
    sentences = (folder / "tatoeba.txt").read_text().splitlines()
    assert len(sentences) == 16
    assert sentences[-1] == 'He said "hi.'
    assert not any(sentence.startswith("fra") for sentence in sentences)
    assert (folder / "english.txt").read_text() == english.read_text().partition("\n")[0] + "\n"
    assert set(sentences) <= set(server.texts)
    assert any(text.endswith("。") for text in server.texts if len(text) > 20)  # translated
    assert {"the", "und"} <= set(server.texts)  # words of the dictionaries
    with zipfile.ZipFile(folder / "staticemb_model_multilingual-1.0-py3-none-any.whl") as wheel:
        names = wheel.namelist()
        texts = {name: wheel.read(name) for name in names}
    (model,) = (name for name in names if name.endswith(".staticemb"))
    assert texts[model] == (folder / "multilingual.staticemb").read_bytes()
    (license_,) = (name for name in names if "/licenses/" in name)
    assert b"CC BY-SA 4.0" in texts[license_]
    assert any(b"\n# multilingual\n" in texts[name] for name in names if "METADATA" in name)
    assert any(b"multilingual = " in texts[name] for name in names if "entry_points" in name)
    extra = StaticModel.load(folder / "multilingual.staticemb").metadata.extra
    assert extra["languages"] == "en de ja"
    assert "127.0.0.1" not in "".join(extra.values())
    assert (tmp_path / "cache").is_dir()


def test_a_wheel_that_is_too_large_is_an_error(tmp_path, tatoeba, english, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(multilingual_model, "version", lambda name: "9.9")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    monkeypatch.setattr(multilingual_model, "RECIPE", tmp_path / "recipe.toml")
    assert multilingual_model.MOST_BYTES == 30_000_000
    monkeypatch.setattr(multilingual_model, "MOST_BYTES", 10_000)
    server = EmbeddingServer()
    try:
        status = multilingual_model.main(
            [str(tatoeba), str(english), "out", "--server", server.spec]
        )
    finally:
        server.close()
    assert status == 2
    assert "expected a wheel of at most 10,000 bytes, found " in capsys.readouterr().err
    assert (tmp_path / "out" / "multilingual.staticemb").exists()  # hours of work stay


def test_the_recipe_is_valid_and_its_languages_have_sentences():
    recipe = Recipe.read(multilingual_model.RECIPE)
    assert set(recipe.fit_language) == set(multilingual_model._CODES.values())
    assert recipe.inputs() == [
        "tatoeba.txt::weight=2",
        "english.txt::limit=80000",
        "english.txt::translate=words,limit=300000",
    ]


def test_sentences_that_lie_in_the_output_are_kept(english):
    before = english.read_text()
    multilingual_model._write_lines(english, multilingual_model._english(english))
    assert english.read_text() == before.partition("\n")[0] + "\n"
