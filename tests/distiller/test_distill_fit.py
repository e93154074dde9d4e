"""Distillation with a fit, from end to end on a small teacher."""

import dataclasses
import hashlib
import json
from pydoc_data.topics import topics

import numpy as np
import pytest

from distiller import teachers
from distiller.test_distill import encode, unit
from staticemb_distiller import distillation as pipeline
from staticemb_distiller.cli import main as cli
from staticemb_distiller.cli.recipe import read_recipe
from staticemb_distiller.corpus.sampling import passages, sample
from staticemb_distiller.distillation import distill
from staticemb_distiller.errors import DistillerError, TableError, TextSourceError
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import Teacher
from staticemb_distiller.teacher import cache as teacher_cache
from staticemb_runtime import PROBE_TEXTS, StaticModel
from staticemb_runtime.format.reader import read

WORDS = sorted({word for sentence in teachers.SENTENCES[:4] for word in sentence.split()})


def sentences(count, seed):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, size=random.integers(3, 9))) for _ in range(count)]


HELD_OUT = sentences(200, seed=99)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(sentences(1500, seed=1)), encoding="utf-8")
    return str(path)


@pytest.fixture
def make(teacher, tmp_path):
    def make(**knobs):
        recipe = Recipe(**{"dims": 16, "dtype": "float32", "fit": ("none",), **knobs})
        return read(distill(teacher, recipe, tmp_path / "made"), verify=True)

    return make


def agreement(file, teacher, texts=HELD_OUT):
    """Correlation of the cosines between texts with the teacher's."""

    def cosines(vectors):
        vectors = unit(vectors.astype(np.float64))
        return (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]

    ours, theirs = cosines(encode(file, texts)), cosines(teacher.encode(texts))
    return np.corrcoef(ours, theirs)[0, 1]


@pytest.mark.parametrize("source", ["text", "generated"])
def test_a_fit_brings_held_out_texts_closer_to_the_teacher(tmp_path, text, source):
    # Of random teachers, those without absolute positions say most about the words themselves.
    teacher = Teacher.load(str(teachers.build("t5", tmp_path)), device="cpu")
    recipe = Recipe(dims=16, dtype="float32", fit=("none",))
    spec = text if source == "text" else "generated::limit=3000"
    # The shape that a real teacher's tables gain by is none of the fit's business here.
    fitted = dataclasses.replace(recipe, fit=(spec,), length_power=1.0, whiten=0.0)
    before, after = (
        agreement(read(distill(teacher, each, tmp_path / "made")), teacher)
        for each in (recipe, fitted)
    )
    assert after > before + 0.05


def test_a_fitted_table_is_shaped_as_the_recipe_wants(make, text):
    def shaped(**knobs):
        return make(fit=[text], dims="none", pooling="mean", **knobs)

    plain = shaped()
    before = np.linalg.norm(plain.embeddings, axis=1)
    after = np.linalg.norm(shaped(length_power=2.0).embeddings, axis=1)
    used = before > 0
    assert used.sum() > 20
    np.testing.assert_allclose(after[used] / before[used] ** 2, 1 / np.median(before[used]), 1e-3)

    def largest_share(file):
        """Of the directions that texts use."""
        variances = np.linalg.svd(unit(encode(file, HELD_OUT)), compute_uv=False) ** 2
        return variances[0] / variances.sum()

    assert largest_share(shaped(whiten=0.3)) < largest_share(plain) - 0.1


@pytest.mark.parametrize("source", ["text", "generated"])
def test_a_fit_brings_held_out_english_closer_to_the_real_teacher(minilm, tmp_path, source):
    real = Teacher.load(str(minilm), device="cpu")
    documents = [part for topic in topics.values() for part in topic.split("\n\n")]
    texts = sample(passages(documents, real.tokenizer, 100), 700)
    (tmp_path / "all.txt").write_text("\n".join(texts), encoding="utf-8")
    (tmp_path / "seen.txt").write_text("\n".join(texts[200:]), encoding="utf-8")
    classical = {"fit": ("none",), "pooling": "mean"}
    used = (str(tmp_path / "all.txt"),)
    recipe = Recipe(dims=64, dtype="int8", keep_used_in=used, **classical)
    spec = str(tmp_path / "seen.txt") if source == "text" else "generated::limit=2000"
    fitted = dataclasses.replace(recipe, fit=(spec,))
    before, after = (
        agreement(read(distill(real, each, tmp_path / "made")), real, texts[:200])
        for each in (recipe, fitted)
    )
    # Sequences are made of the words that are left: of others, they would do harm.
    assert after > before + (0.1 if source == "text" else 0)


def test_without_a_rotation_text_vectors_point_where_the_teachers_do(make, teacher, text):
    fitted = make(fit=[text], dims="none")
    assert fitted.metadata.dim == 32
    # The vectors of this teacher share a direction, which the fit subtracts.
    centered = unit(teacher.encode(HELD_OUT)) - fitted.optional["space.offset"]

    def mean_cosine(file):
        return (unit(encode(file, HELD_OUT)) * unit(centered)).sum(axis=1).mean()

    assert mean_cosine(fitted) > mean_cosine(make(dims="none", weighting="none")) + 0.05
    turned = make(fit=[text], dims="all")
    expected = unit(encode(fitted, HELD_OUT))
    found = unit(encode(turned, HELD_OUT))
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)


def test_fewer_dimensions_are_a_prefix_of_more(make, text):
    more, fewer = make(fit=[text], dims=20), make(fit=[text], dims=8)
    np.testing.assert_allclose(fewer.embeddings, more.embeddings[:, :8], atol=1e-6)
    shares = [float(share) for share in make(
        fit=[text], dims=32, prefixes=[8, 16]
    ).metadata.extra["x-prefix-variance"].split()]  # fmt: skip
    assert 0 < shares[0] < shares[1] < shares[2] == 1


@pytest.mark.parametrize(
    "storage",
    [
        {"dtype": "int8"},
        {"dtype": "float16"},
        {"dtype": "float16", "normalize": False},
        {"dtype": "int8", "store_weights": True},
        {"dtype": "float32", "store_weights": True, "weighting": "none"},
    ],
)
def test_every_number_format_keeps_the_fitted_vectors(make, text, storage):
    same = {"weighting": storage.get("weighting", "rank")}
    exact, stored = make(fit=[text], **same), make(fit=[text], **storage)
    assert (stored.weights is not None) == ("store_weights" in storage)
    tolerance = 0.98 if storage["dtype"] == "int8" else 0.9999
    products = unit(encode(exact, HELD_OUT)) * unit(encode(stored, HELD_OUT))
    assert products.sum(axis=1).min() > tolerance


def test_merged_rows_keep_each_tokens_weight(make, text, teacher):
    merged = make(fit=[text], clusters=150)
    assert len(merged.embeddings) == 150 < len(merged.rows) == len(merged.weights)
    exact = np.linalg.norm(make(fit=[text]).embeddings, axis=1)
    np.testing.assert_allclose(merged.weights[exact > 0], exact[exact > 0], rtol=1e-5)


def test_given_words_get_fitted_rows(make, text, tmp_path):
    words = ["embedding table", "hauptstadt", "dog"]
    (tmp_path / "words").write_text("\n".join(words), encoding="utf-8")
    file = make(fit=[text], mode="subword", vocabulary=str(tmp_path / "words"))
    assert np.abs(encode(file, words)).max(axis=1).min() > 0


def test_the_command_makes_a_file_that_opens_and_says_what_it_was_fitted_to(folder, text, tmp_path):
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "b.md").write_text("A cat.\n\nA dog.\n", encoding="utf-8")
    (documents / "a.jsonl").write_text('{"text": "The mat \\ud800."}\n', encoding="utf-8")
    out = tmp_path / "model.staticemb"
    fit = [text, f"{documents}::weight=3", "generated"]
    arguments = ["distill", folder, "-o", out, "--fit", *fit, "--limit", "200", "--dims", "16"]
    more = ["--pooling", "damped_mean", "--dtype", "int8", "--device", "cpu", "--quiet"]
    assert cli.main([*map(str, arguments), *more]) == 0

    vectors = StaticModel.load(out).encode(["the cat sat on the mat", "a dog"])
    assert vectors.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    recipe = read_recipe(out)
    assert (recipe.fit, recipe.limit) == (tuple(fit), 200)
    extra = read(out).metadata.extra
    assert 203 < int(extra["x-fit-texts"]) <= 403
    assert "sentencex" in extra["creator"]

    def sha(data):
        return hashlib.sha256(data).hexdigest()

    listing = "".join(
        f"{sha((documents / name).read_bytes())}  {name}\n" for name in ("a.jsonl", "b.md")
    )
    with open(text, "rb") as file:  # noqa: PTH123
        assert extra["x-input-sha256"].splitlines() == [
            f"{sha(file.read())} {text}",
            f"{sha(listing.encode())} {documents}",
        ]


def test_a_file_names_the_version_of_a_data_set_that_it_was_fitted_to(make, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    versions = set()
    for number in range(2):
        place = tmp_path / f"set{number}"
        place.mkdir()
        lines = [json.dumps({"text": text}) + "\n" for text in sentences(100, seed=number)]
        (place / "train.jsonl").write_text("".join(lines), encoding="utf-8")
        source = f"hf:{place}::limit=50"
        extra = make(fit=(source, "generated"), limit=60).metadata.extra
        version, _, name = extra["x-input-version"].partition(" ")
        assert (name, extra.get("x-input-sha256")) == (f"hf:{place}", None)
        assert version == datasets.load_dataset_builder(str(place)).hash
        versions.add(version)
    assert len(versions) == 2
    assert "x-input-version" not in make(fit=("generated",), limit=60).metadata.extra


def test_the_same_fit_gives_the_same_bytes(folder, text, tmp_path):
    paths = [tmp_path / name for name in ("a", "b")]
    recipe = Recipe(dims=16, fit=(text, "generated::limit=300"), dtype="int8")
    for path in paths:
        distill(str(folder), recipe, path, device="cpu")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    other = distill(str(folder), Recipe(dims=16, fit=("generated",), limit=300, seed=1), paths[1])
    first = distill(str(folder), Recipe(dims=16, fit=("generated",), limit=300), paths[0])
    assert not np.array_equal(read(first).embeddings, read(other).embeddings)


def counted(teacher, monkeypatch, *, fail_at=None):
    """Count the texts that the teacher reads, without the probe texts; break off at a call."""
    encode, calls = teacher.encode, []

    def counting(texts, **settings):
        if tuple(texts) == PROBE_TEXTS:
            return encode(texts, **settings)
        if len(calls) + 1 == fail_at:
            raise KeyboardInterrupt
        calls.append(len(texts))
        return encode(texts, **settings)

    monkeypatch.setattr(teacher, "encode", counting)
    return calls


@pytest.mark.parametrize("kept_by", ["teacher_cache", "checkpoint"])
def test_a_fit_that_was_broken_off_goes_on(folder, teacher, text, tmp_path, monkeypatch, kept_by):
    monkeypatch.setattr(teacher_cache, "_SHARD", 300)
    recipe = Recipe(dims=16, fit=(text,))
    whole = distill(teacher, recipe, tmp_path / "whole")
    kept = {kept_by: tmp_path / "kept"}
    again = Teacher.load(str(folder), device="cpu")
    before = counted(again, monkeypatch, fail_at=3)
    with pytest.raises(KeyboardInterrupt):
        distill(again, recipe, tmp_path / "resumed", **kept)
    assert not (tmp_path / "resumed").exists()

    after = counted(teacher, monkeypatch)
    resumed = distill(teacher, recipe, tmp_path / "resumed", **kept)
    assert resumed.read_bytes() == whole.read_bytes()
    assert before == [300, 300]
    assert sum(before) + sum(after) == int(read(whole).metadata.extra["x-fit-texts"])
    assert (tmp_path / "kept").exists() == (kept_by == "teacher_cache")


def test_another_fit_to_the_same_texts_needs_no_teacher(teacher, text, tmp_path, monkeypatch):
    calls = counted(teacher, monkeypatch)
    cache = tmp_path / "cache"
    one = distill(teacher, Recipe(dims=16, fit=(text,)), tmp_path / "one", teacher_cache=cache)
    done = len(calls)
    recipe = Recipe(dims=16, fit=(text,), fit_regularization=1.0, fit_rounds=1)
    two = distill(teacher, recipe, tmp_path / "two", teacher_cache=cache)
    assert len(calls) == done > 0
    assert not np.array_equal(read(one).embeddings, read(two).embeddings)


def test_the_teacher_reads_no_more_than_the_budget(teacher, text, tmp_path, monkeypatch):
    calls = counted(teacher, monkeypatch)
    recipe = Recipe(dims=16, fit=(text,), teacher_budget=70)
    file = read(distill(teacher, recipe, tmp_path / "made"))
    assert sum(calls) == 70 == int(file.metadata.extra["x-fit-texts"])


def test_a_budget_of_time_is_recorded_as_the_texts_that_it_was_enough_for(
    teacher, text, tmp_path, monkeypatch
):
    clock = iter(range(10**6))
    monkeypatch.setattr(teacher_cache.time, "monotonic", lambda: next(clock))
    recipe = Recipe(dims=16, fit=(text,), teacher_budget="5s", dtype="float32")
    timed = distill(teacher, recipe, tmp_path / "timed.staticemb")
    read_texts = int(read(timed).metadata.extra["x-fit-texts"])
    assert 0 < read_texts < 1500
    again = read_recipe(timed)
    assert again.teacher_budget == read_texts
    repeated = distill(teacher, dataclasses.replace(again, revision=None), tmp_path / "repeated")
    np.testing.assert_allclose(
        read(repeated).embeddings, read(timed).embeddings, atol=1e-3, rtol=1e-2
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fit", "missing.txt"], "missing.txt: expected a file or a folder"),
        (["--fit", "EMPTY.txt"], "EMPTY.txt: expected text, found no new text"),
        (["--fit", "nothing"], "nothing: expected files of text"),
        (["--fit", "BYTES.txt"], "UTF-8"),
        (["--fit", "ROWS.csv"], 'expected a column "text" or a single column of text'),
        (["--fit", "ROWS.csv::column=c"], "expected a column 'c'"),
        (["--fit", "ROWS.csv::weight=0"], "above 0"),
        (["--fit", "ROWS.csv::size=1"], "KEY=VALUE"),
        (["--fit", "BAD.txt.gz"], "cannot be read"),
        (["--fit", "none", "generated"], "fit: expected none alone"),
        (["--fit", "none", "--limit", "5"], "limit: there is no text"),
        (["--fit", "none", "--teacher-budget", "5m"], "--teacher-budget: there is no text"),
        (["--teacher-budget", "soon"], "--teacher-budget: expected a number of texts"),
        (["--fit", "generated", "--limit", "0"], "limit: expected a number of at least 1"),
        (["--fit", "generated", "--fit-regularization", "0"], "--fit-regularization"),
        (["--fit", "generated", "--fit-tolerance", "1"], "--fit-tolerance"),
        (["--vectors-from", "input"], "--vectors-from output"),
        (["--fit", "generated", "--teacher-pooling", "mean"], "--teacher-pooling teacher"),
        (["--fit", "generated", "--dims", "33"], "dims: expected at most 32"),
        (["--fit", "generated", "--limit", "9", "--teacher-cache", "EMPTY.txt"], "EMPTY.txt"),
    ],
)
def test_a_fit_that_cannot_be_is_one_line_status_2_and_nothing_written(
    folder, tmp_path, monkeypatch, capsys, arguments, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing").mkdir()
    files = {
        "EMPTY.txt": b"\n",
        "BYTES.txt": b"fine\n\xff\n",
        "ROWS.csv": b"a,b\nx,y\n",
        "BAD.txt.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    base = ["distill", str(folder), "-o", "out", "--dims", "16", "--device", "cpu", "--quiet"]
    assert cli.main([*base, *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert says in line
    assert {path.name for path in tmp_path.iterdir()} == {*files, "nothing"}


@pytest.mark.parametrize("content", [b"", b"one\n\xff\n"])
def test_text_that_cannot_be_used_is_refused_before_tokens_are_encoded(
    teacher, tmp_path, monkeypatch, content
):
    monkeypatch.setattr(pipeline, "token_vectors", None)
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(TextSourceError, match=r"bad\.txt"):
        distill(teacher, Recipe(dims=16, fit=(str(tmp_path / "bad.txt"),)), tmp_path / "made")


def test_a_source_is_refused_before_the_teacher_is_looked_for(tmp_path):
    with pytest.raises(DistillerError, match=r"no\.txt"):
        distill("nobody/no-teacher", Recipe(fit=("no.txt",)), tmp_path / "out")


@pytest.mark.parametrize("dims", [2, "none"])
@pytest.mark.parametrize(
    ("texts", "vector"),
    [
        (["one text"], lambda text: [1.0, 2.0, 3.0]),
        (["a text", "another text"], lambda text: [1.0, 2.0, 3.0]),
        (["the same text"] * 9, lambda text: [float(len(text)), 2.0, 3.0]),
    ],
)
def test_texts_that_give_a_table_of_zeros_are_refused(tmp_path, dims, texts, vector):
    source = tmp_path / "text.txt"
    source.write_text("\n".join(texts))
    recipe = Recipe(dims=dims, tokenizer="train:wordpiece", fit=(str(source),), prior="zero")
    with pytest.raises(TableError, match=r"expected texts .* with vectors that differ"):
        distill(lambda texts: list(map(vector, texts)), recipe, tmp_path / "m")
    assert not (tmp_path / "m").exists()
