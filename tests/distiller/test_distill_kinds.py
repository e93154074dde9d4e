"""Distillation from given vectors, from a server and from a function, from end to end."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tokenizers import Tokenizer

from distiller.embedding_server import EmbeddingServer
from staticemb_distiller import Recipe, distill
from staticemb_distiller.cli import main as cli
from staticemb_distiller.corpus.vector_files import open_vectors
from staticemb_distiller.errors import DistillerError, RecipeError, VocabularyError
from staticemb_distiller.fitting.centering import center, common_direction
from staticemb_distiller.teacher import server_connection
from staticemb_distiller.vocabulary.trained import trained_tokenizer
from staticemb_runtime import StaticModel
from staticemb_runtime.format.reader import read

WORDS = [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in "mnprst"]
H = 24
MEANINGS = dict(zip(WORDS, np.random.default_rng(0).standard_normal((len(WORDS), H)), strict=True))


def sentences(count, seed=1):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, size=random.integers(3, 9))) for _ in range(count)]


def meaning(texts, shared=0.0):
    """A teacher that a table can learn: the mean of its words' vectors, and what all share."""
    rows = np.stack(
        [
            np.mean(
                [MEANINGS.get(word, np.zeros(H)) for word in text.lower().split()] or [np.zeros(H)],
                0,
            )
            for text in texts
        ]
    )
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    rows[:, 0] += shared * rows.any(axis=1)
    return rows.astype(np.float32)


TEXTS, HELD_OUT = sentences(1500), sentences(200, seed=99)
SMALL = {"dims": 16, "dtype": "float32"}


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_bytes(trained_tokenizer(TEXTS, size=400))
    return str(path)


@pytest.fixture
def given(tmp_path, texts):
    def given(vectors=None, lines=None):
        np.save(tmp_path / "v.npy", meaning(TEXTS) if vectors is None else vectors)
        if lines is not None:
            texts.write_text("\n".join(lines), encoding="utf-8")
        return open_vectors(texts, vectors=tmp_path / "v.npy")

    return given


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(server_connection, "FIRST_WAIT", 0.01)
    monkeypatch.setattr("distiller.embedding_server.vectors", lambda texts, dim: meaning(texts))
    made = EmbeddingServer()
    yield made
    made.close()


def agreement(path, teacher=meaning):
    """Correlation of the cosines between held-out texts with the teacher's."""

    def cosines(vectors):
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]

    ours = StaticModel(path).encode(HELD_OUT).astype(np.float64)
    return np.corrcoef(cosines(ours), cosines(teacher(HELD_OUT)))[0, 1]


def test_given_vectors_make_a_table(given, tmp_path):
    path = distill(given(), Recipe(**SMALL), tmp_path / "m.staticemb")
    assert agreement(path) > 0.8
    extra = read(path, verify=True).metadata.extra
    assert extra["teacher"] == "vectors:text.txt"
    assert extra["teacher_revision"].startswith("sha256:")
    assert extra["x-fit-texts"] == str(len(TEXTS))
    recipe = Recipe.from_toml(extra["recipe"])
    assert (recipe.fit, recipe.prior, recipe.tokenizer) == (("vectors",), "zero", "train:wordpiece")
    assert "torch" not in extra["creator"]
    again = distill(given(), recipe, tmp_path / "again.staticemb")
    assert again.read_bytes() == path.read_bytes()


def test_only_directions_count_and_zero_vectors_and_empty_texts_are_left_out(given, tmp_path):
    recipe = Recipe(**SMALL, tokenizer="train:wordpiece:400")
    first = distill(given(), recipe, tmp_path / "a")
    scaled = meaning(TEXTS) * np.linspace(1, 3, len(TEXTS), dtype=np.float32)[:, None]
    lines = [*TEXTS, TEXTS[0], " ", ""]
    more = np.concatenate([scaled, np.zeros((1, H), np.float32), scaled[:1]])
    second = distill(given(more, lines), recipe, tmp_path / "b")
    np.testing.assert_allclose(
        read(first).embeddings @ read(first).embeddings.T,
        read(second).embeddings @ read(second).embeddings.T,
        atol=0.02,
    )


def test_tokens_of_no_text_have_zero_rows(given, tokenizer, tmp_path):
    few = TEXTS[:20]
    path = distill(given(meaning(few), few), Recipe(**SMALL, tokenizer=tokenizer), tmp_path / "m")
    made = Tokenizer.from_file(tokenizer)
    used = np.zeros(made.get_vocab_size(), bool)
    for encoding in made.encode_batch(few):
        used[encoding.ids] = True
    np.testing.assert_array_equal(read(path).embeddings.any(axis=1), used)


def test_a_common_direction_is_subtracted_and_kept(given, tmp_path):
    path = distill(given(meaning(TEXTS, shared=2.0)), Recipe(**SMALL), tmp_path / "m")
    assert agreement(path) > 0.8
    offset = read(path).optional["space.offset"]
    assert np.linalg.norm(offset) > 0.7
    model = StaticModel(path)
    projected = model.project(meaning(HELD_OUT, shared=2.0))
    cosines = (projected * model.encode(HELD_OUT)).sum(axis=1)
    assert np.median(cosines) > 0.8


def test_centering():
    random = np.random.default_rng(0)
    vectors = random.standard_normal((300, 8)).astype(np.float16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert common_direction(vectors) is None
    assert common_direction(np.zeros((3, 8), np.float32)) is None
    shifted = vectors.astype(np.float32) + 2
    shifted /= np.linalg.norm(shifted, axis=1, keepdims=True)
    shifted[7] = 0
    offset = common_direction(shifted)
    center(shifted, offset)
    assert not shifted[7].any()
    norms = np.linalg.norm(np.delete(shifted, 7, axis=0), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)
    assert common_direction(shifted) is None


@pytest.mark.parametrize("prior", ["tokens", "zero"])
def test_a_function_makes_a_table(texts, tokenizer, tmp_path, prior):
    recipe = Recipe(**SMALL, fit=(str(texts),), tokenizer=tokenizer, prior=prior)
    path = distill(meaning, recipe, tmp_path / "m.staticemb")
    assert agreement(path) > 0.8
    extra = read(path, verify=True).metadata.extra
    assert extra["teacher"] == f"python:{__name__}.meaning"
    words = sum(any(word in text for text in TEXTS) for word in WORDS)
    assert words == len(WORDS)


def test_generated_sequences_need_no_text(tokenizer, tmp_path):
    recipe = Recipe(**SMALL, fit=("generated::limit=2000",), tokenizer=tokenizer)
    assert agreement(distill(meaning, recipe, tmp_path / "m.staticemb")) > 0.7
    classical = Recipe(**SMALL, fit=("none",), tokenizer=tokenizer)
    assert agreement(distill(meaning, classical, tmp_path / "c.staticemb")) > 0.5


def test_a_server_makes_a_table_and_its_vectors_are_kept_until_then(
    server, texts, tmp_path, capsys
):
    out = tmp_path / "m.staticemb"
    command = ["distill", server.spec, "-o", str(out), "--fit", str(texts), "--dims", "16"]
    command += ["--tokenizer", "train:wordpiece:400"]
    server.faults = lambda number, body: (
        (lambda h, b: h.reply({"error": "no"}, 401)) if number == 6 else None
    )
    assert cli.main(command) == 2
    assert "HTTP 401: 'no'" in capsys.readouterr().err
    assert not out.exists()
    server.faults = lambda number, body: None
    assert cli.main(command) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "tokens" in output.err
    assert agreement(out) > 0.8
    lost = len(server.texts) - len(set(server.texts))
    assert lost <= 128 + 5  # the refused request; a few words are texts and tokens, with two kinds
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.staticemb", "text.txt"]
    assert read(out).metadata.extra["teacher"] == server.spec


def test_a_killed_distillation_goes_on(server, texts, tokenizer, tmp_path):
    server.faults = lambda number, body: time.sleep(0.05)
    out = tmp_path / "m.staticemb"
    command = [sys.executable, "-m", "staticemb_distiller", "distill"]
    command += [f"{server.spec}?batch_texts=20&requests=2", "-o", str(out), "--fit", str(texts)]
    command += ["--dims", "16", "--tokenizer", tokenizer, "--quiet"]
    process = subprocess.Popen(command)
    while len(server.bodies) < 25 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    assert len(server.texts) >= 400
    server.faults = lambda number, body: None
    assert subprocess.run(command, timeout=300).returncode == 0
    assert len(server.texts) - len(set(server.texts)) <= 3 * 20
    assert agreement(out) > 0.8


def test_the_command_takes_the_columns_as_text_or_as_text_column(tmp_path, capsys):
    path = tmp_path / "index.jsonl"
    rows = zip(TEXTS, meaning(TEXTS).tolist(), strict=True)
    path.write_text("".join(json.dumps({"id": 1, "body": t, "v": v}) + "\n" for t, v in rows))
    made = []
    for text in (["--text", "body"], ["--text-column", "body"], []):
        out = tmp_path / "m.staticemb"
        command = ["distill", "--vectors", str(path), *text, "--vector", "v", "-o", str(out)]
        assert cli.main([*command, "--dims", "16", "--vectors-model", "big/model"]) == 0
        error = capsys.readouterr().err
        assert f"Texts: {len(TEXTS)}, with vectors of {H} dimensions, normalized" in error
        made.append(out.read_bytes())
    assert len(set(made)) == 1
    assert read(out).metadata.extra["teacher"] == "big/model"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected TEACHER or --vectors FILE, found neither"),
        (["x", "--vectors", "v.npy"], "expected TEACHER or --vectors FILE, found both"),
        (["x", "--text-column", "a"], "--text-column: expected --vectors FILE"),
        (["--vectors", "v.npy", "--text", "a", "b"], "--text: expected one column's name"),
        (
            ["--vectors", "v.npy", "--text", "a", "--text-column", "b"],
            "--text: expected one column's name with --vectors, found --text-column as well",
        ),
        (["--vectors", "v.npy"], "expected a file of texts for these vectors"),
        (["--vectors", "no.parquet"], "found neither"),
        (["--vectors", "v.npy", "--text", "t.txt", "--fit", "t.txt"], "--fit: the texts"),
        (["--vectors", "v.npy", "--text", "t.txt", "--limit", "5"], "--limit: all given vectors"),
        (["--vectors", "v.npy", "--text", "t.txt", "--dims", "99"], "--dims: expected at most 24"),
        (["--vectors", "v.npy", "--text", "t.txt", "--prior", "tokens"], "--prior: given vectors"),
        (["openai:http://example.org#m"], "expected https, found http"),
        (["openai:http://localhost:1/v1#m?tries=1"], "1 tries failed; the last: the connection"),
    ],
)
def test_wrong_arguments_are_one_line(texts, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    np.save("v.npy", meaning(TEXTS))
    texts.rename("t.txt")
    assert cli.main(["distill", *arguments, "-o", "m.staticemb"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert not (tmp_path / "m.staticemb").exists()


def test_contradictions_are_refused(given, texts, tokenizer, tmp_path):
    out = tmp_path / "m.staticemb"
    for teacher, recipe, error, message in (
        (meaning, Recipe(), VocabularyError, "gives no tokenizer; name one with tokenizer="),
        (meaning, Recipe(tokenizer="train:wordpiece"), VocabularyError, "needs text to train on"),
        (meaning, Recipe(tokenizer="train:bpe"), VocabularyError, "expected train:wordpiece"),
        (meaning, Recipe(tokenizer="no.json"), VocabularyError, "neither a file nor a folder"),
        (meaning, Recipe(tokenizer=str(texts)), VocabularyError, "expected a tokenizer.json"),
        (meaning, Recipe(tokenizer=str(tmp_path)), VocabularyError, "a folder with a tokenizer"),
        (meaning, Recipe(fit=("vectors",)), RecipeError, "come with their vectors"),
        (
            meaning,
            Recipe(fit=("none",), vectors_from="input", tokenizer=tokenizer),
            RecipeError,
            "need a Sentence Transformer",
        ),
        (given(np.zeros((len(TEXTS), H))), Recipe(**SMALL), DistillerError, "not zero, found none"),
    ):
        with pytest.raises(error, match=message):
            distill(teacher, recipe, out)
    for knobs in ({"fit": ("none",), "prior": "zero"}, {"fit": ("vectors",), "prior": "tokens"}):
        with pytest.raises(RecipeError, match="prior"):
            Recipe(**knobs)
    with pytest.raises(TypeError, match="teacher: expected a folder"):
        distill(5)
    assert not out.exists()
