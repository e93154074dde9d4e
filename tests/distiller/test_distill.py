"""Distillation from end to end on a small teacher: each knob does what it says."""

import dataclasses
import functools
import io
import json

import numpy as np
import pytest
from tokenizers import Tokenizer

from distiller import teachers
from staticemb_distiller.cli.recipe import read_recipe
from staticemb_distiller.distillation import distill
from staticemb_distiller.errors import CacheError, DistillerError
from staticemb_distiller.progress import Progress
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import Teacher
from staticemb_distiller.teacher import token_vectors as tokens
from staticemb_runtime.format.reader import read

classical = functools.partial(Recipe, fit=("none",))

TEXTS = ["the cat sat on the mat", "a table of tokens", "el perro duerme", "to be or not to be"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return teachers.build("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def teacher(folder):
    return Teacher.load(str(folder), device="cpu")


@pytest.fixture
def make(teacher, tmp_path):
    def make(**knobs):
        recipe = classical(**{"dims": 16, **knobs})
        return read(distill(teacher, recipe, tmp_path / "model.staticemb"), verify=True)

    return make


def token_vectors(file):
    """Each token's vector by the specification, stage 4."""
    vectors = file.embeddings.astype(np.float64)
    if file.scale is not None:
        vectors = vectors * file.scale
    if file.rows is not None:
        vectors = vectors[file.rows]
    return vectors if file.weights is None else vectors * file.weights[:, None]


def unit(vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def encode(file, texts=TEXTS):
    tokenizer = Tokenizer.from_str(file.tokenizer.decode())
    vectors = token_vectors(file)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return np.array([vectors[i].mean(axis=0) for i in ids])


def vocabulary(file):
    tokens_by_id = json.loads(file.tokenizer)["model"]["vocab"]
    return sorted(tokens_by_id, key=tokens_by_id.get)


def test_without_any_step_a_row_is_the_teachers_vector_of_the_token(make, teacher):
    file = make(dims="none", weighting="none", dtype="float32")
    tokenizer = Tokenizer.from_str(file.tokenizer.decode())
    for word in ("cat", "the"):
        teachers_own = teacher.encode([word])[0]
        np.testing.assert_allclose(
            file.embeddings[tokenizer.token_to_id(word)], teachers_own, atol=1e-5
        )


def test_input_vectors_are_the_input_embeddings(make, teacher):
    file = make(dims="none", weighting="none", dtype="float32", vectors_from="input")
    tokenizer = Tokenizer.from_str(file.tokenizer.decode())
    expected = teacher.input_embeddings()[teacher.tokenizer.token_to_id("cat")]
    np.testing.assert_array_equal(file.embeddings[tokenizer.token_to_id("cat")], expected)


def test_rotation_alone_changes_no_distance(make):
    plain = make(dims="none", dtype="float32", weighting="none").embeddings.astype(np.float64)
    turned = make(dims="all", dtype="float32", weighting="none").embeddings.astype(np.float64)
    assert plain.shape == turned.shape

    def distances(vectors):
        return np.linalg.norm(vectors[:, None] - vectors[None], axis=2)

    np.testing.assert_allclose(distances(plain), distances(turned), atol=1e-4)


def test_fewer_dimensions_are_a_prefix_of_more(make):
    more = make(dims=20, dtype="float32").embeddings
    np.testing.assert_allclose(make(dims=8, dtype="float32").embeddings, more[:, :8], atol=1e-6)


def test_stored_weights_give_the_vectors_of_folded_ones(make):
    folded = make(dtype="float32")
    stored = make(dtype="float32", store_weights=True)
    assert folded.weights is None
    assert stored.weights is not None
    np.testing.assert_allclose(token_vectors(stored), token_vectors(folded), atol=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("store_weights", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 3e-3), ("int8", 8e-2)])
def test_number_formats_keep_the_vectors(make, dtype, tolerance, store_weights, normalize):
    # Folded into int8, weights must not span more than its 7 bits.
    coefficient = 1e-4 if store_weights or dtype == "float16" else 0.1
    settings = {
        "store_weights": store_weights,
        "normalize": normalize,
        "sif_coefficient": coefficient,
    }
    exact = encode(make(dtype="float32", **settings))
    rounded = encode(make(dtype=dtype, **settings))
    if normalize:
        exact, rounded = unit(exact), unit(rounded)
    assert np.abs(exact - rounded).max() < tolerance * np.abs(exact).max()


def test_a_note_says_so_when_int8_loses_light_tokens(teacher, tmp_path):
    (tmp_path / "text.txt").write_text("the the the the the cat\n", encoding="utf-8")

    def notes(**knobs):
        stream = io.StringIO()
        counts = {"weighting": "counts", "counts_from": [str(tmp_path / "text.txt")]}
        recipe = classical(dims=16, dtype="int8", **counts, **knobs)
        distill(teacher, recipe, tmp_path / "m", progress=Progress(stream))
        return stream.getvalue()

    assert "store_weights" in notes()
    assert "store_weights" not in notes(store_weights=True)


def test_clusters_share_rows_and_keep_weights_apart(make):
    file = make(clusters=40, dtype="float32")
    assert len(file.embeddings) <= 40 < len(file.rows) == len(file.weights)
    exact = make(dtype="float32", store_weights=True)
    np.testing.assert_array_equal(file.weights, exact.weights)
    distances = np.linalg.norm(exact.embeddings[:, None] - file.embeddings[None], axis=2)
    own = distances[np.arange(len(distances)), file.rows]
    np.testing.assert_allclose(own, distances.min(axis=1), atol=1e-4)


def test_counted_frequencies_make_frequent_tokens_light(make, tmp_path):
    (tmp_path / "text.txt").write_text("the the the the cat\n" * 50 + "mat\n", encoding="utf-8")
    file = make(
        weighting="counts",
        counts_from=[str(tmp_path / "text.txt")],
        sif_coefficient=0.01,
        store_weights=True,
    )
    the, cat, mat, unseen = (vocabulary(file).index(word) for word in ("the", "cat", "mat", "is"))
    weights = file.weights
    assert weights[the] < weights[cat] < weights[mat] < weights[unseen] == 1.0
    assert file.metadata.extra["x-input-sha256"].endswith("text.txt")


def test_tokens_that_a_corpus_never_uses_are_removed(make, tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n", encoding="utf-8")
    cut = make(keep_used_in=[str(tmp_path / "text.txt")], dims=4)
    whole = make(dims=4)
    assert len(cut.embeddings) < len(whole.embeddings) / 2

    def pieces(file):
        tokenizer = Tokenizer.from_str(file.tokenizer.decode())
        return tokenizer.encode("the mat sat on the cat", add_special_tokens=False).tokens

    assert pieces(cut) == pieces(whole)


@pytest.mark.parametrize("mode", ["word", "subword"])
def test_given_words_become_tokens_with_the_teachers_vectors(make, teacher, tmp_path, mode):
    words = ["cat", "embedding table", "hauptstadt", "unseen", "dog", "mat"]
    (tmp_path / "words.txt").write_text("\n".join(words), encoding="utf-8")
    file = make(
        mode=mode,
        vocabulary=str(tmp_path / "words.txt"),
        dims="none",
        weighting="none",
        dtype="float32",
    )
    tokenizer = Tokenizer.from_str(file.tokenizer.decode())
    for word in words:
        encoding = tokenizer.encode(word, add_special_tokens=False)
        assert encoding.tokens == [word]
        np.testing.assert_allclose(
            file.embeddings[encoding.ids[0]], teacher.encode([word])[0], atol=1e-5
        )


def test_a_vocabulary_is_counted_from_text(make, tmp_path):
    text = "the cat sat\n" * 9 + "the dog\n" * 5 + "a mat\n"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    file = make(
        mode="word", vocabulary_from=[str(tmp_path / "text.txt")], vocabulary_size=4, dims=2
    )
    assert {"the", "cat", "sat", "dog"} < set(vocabulary(file))
    assert "mat" not in vocabulary(file)


def test_the_file_says_how_it_was_made_and_can_be_made_again(folder, tmp_path):
    recipe = classical(dims=16, dtype="int8", pooling="damped_mean", damping_dims=8, max_tokens=99)
    first = distill(str(folder), recipe, tmp_path / "a.staticemb", device="cpu")
    metadata = read(first).metadata
    assert (metadata.pooling, metadata.damping_beta, metadata.damping_dims) == ("damped_mean", 1, 8)
    assert metadata.max_tokens == 99
    assert metadata.prefixes == (16,)
    assert metadata.extra["teacher"] == folder.name
    assert metadata.extra["teacher_revision"].startswith("sha256:")
    for package in ("staticemb-distiller", "torch", "transformers", "numpy"):
        assert package in metadata.extra["creator"]
    assert 0 < float(metadata.extra["x-prefix-variance"]) <= 1

    again = read_recipe(first)
    revision = metadata.extra["teacher_revision"]
    assert again == dataclasses.replace(recipe.resolved(), revision=revision)
    second = distill(str(folder), again, tmp_path / "b.staticemb", device="cpu")
    recorded = read_recipe(second)
    assert recorded == again
    assert second.read_bytes() == first.read_bytes()


def test_the_same_recipe_gives_the_same_bytes(folder, tmp_path):
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        distill(str(folder), classical(dims=16, clusters=50), path, device="cpu")
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_resuming_gives_the_same_bytes(teacher, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "BLOCK_TOKENS", 32)
    whole = distill(teacher, classical(dims=16), tmp_path / "whole")
    encode_ids = teacher.encode_ids
    calls = 0

    def interrupted(sequences, **settings):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return encode_ids(sequences, **settings)

    monkeypatch.setattr(teacher, "encode_ids", interrupted)
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        distill(teacher, classical(dims=16), tmp_path / "resumed", checkpoint=checkpoint)
    assert not (tmp_path / "resumed").exists()
    with pytest.raises(CacheError):
        distill(
            teacher,
            classical(dims=16, teacher_pooling="first"),
            tmp_path / "x",
            checkpoint=checkpoint,
        )
    # Rotation and rounding are no part of the checkpoint: they may change.
    resumed = distill(teacher, classical(dims=16), tmp_path / "resumed", checkpoint=checkpoint)
    assert resumed.read_bytes() == whole.read_bytes()
    assert not checkpoint.exists()


@pytest.mark.parametrize(
    ("knobs", "files", "says"),
    [
        ({"dims": 33}, {}, "dims: expected at most 32"),
        ({"dims": 33, "teacher_pooling": "mean"}, {}, "dims: expected at most 32"),
        ({"prefixes": (64,)}, {}, "prefixes: expected lengths of at most 16"),
        ({"clusters": 10**6}, {}, "clusters"),
        ({"remove": ""}, {}, None),
        ({"remove": ".*"}, {}, "drops every token"),
        ({"mode": "word", "vocabulary": "v"}, {"v": ""}, "vocabulary is empty"),
        ({"mode": "word", "vocabulary": "v"}, {"v": " \n\t\n"}, "vocabulary is empty"),
        ({"mode": "word", "vocabulary": "v"}, {"v": "cat\ndog\ncat\n"}, "twice"),
        ({"mode": "word", "vocabulary": "v"}, {"v": "cat\ndog\n"}, "more than 16 tokens, found"),
        ({"mode": "word", "vocabulary": "v"}, {}, "cannot be read"),
        ({"mode": "word", "vocabulary": "v"}, {"v": b"\xff\xfe"}, "UTF-8"),
        ({"weighting": "counts", "counts_from": ("t",)}, {}, "cannot be read"),
        ({"weighting": "counts", "counts_from": ("t",)}, {"t": "∑\n"}, "no token"),
        ({"weighting": "counts", "counts_from": ("t",)}, {"t": b"ok\n\xff\n"}, "UTF-8"),
        ({"weighting": "counts", "counts_from": ("t.gz",)}, {"t.gz": b"no gzip"}, "cannot be read"),
        ({"keep_used_in": ("t",)}, {"t": "∑\n"}, "uses none"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    teacher, tmp_path, monkeypatch, knobs, files, says
):
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    recipe = classical(**{"dims": 16, **knobs})
    if says is None:
        assert distill(teacher, recipe, "out").exists()
        return
    with pytest.raises(DistillerError, match=says) as caught:
        distill(teacher, recipe, "out")
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == set(files)


@pytest.mark.parametrize(("output", "says"), [("", "folder"), ("no/such/folder/m", "not exist")])
def test_an_output_that_cannot_be_is_refused_first(tmp_path, output, says):
    with pytest.raises(DistillerError, match=says):
        distill("no teacher is looked for", classical(), tmp_path / output)


def test_an_earlier_file_stays_when_a_run_fails(teacher, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"precious")
    with pytest.raises(DistillerError):
        distill(teacher, classical(dims=16, clusters=10**6), path)
    assert path.read_bytes() == b"precious"
    distill(teacher, classical(dims=16), path)
    assert read(path).metadata.dim == 16
