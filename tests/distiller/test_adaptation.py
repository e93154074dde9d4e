"""`adapt`: a table that ranks a collection's documents as their teacher does."""

import os
import subprocess
import sys

import numpy as np
import pytest

from staticemb_distiller.adaptation.adapt import adapt
from staticemb_distiller.adaptation.agreement import best_documents, overlaps
from staticemb_distiller.errors import CollectionError, TextSourceError
from staticemb_distiller.file.added_heads import with_heads
from staticemb_distiller.file.head import Head
from staticemb_distiller.file.space import read_space
from staticemb_distiller.progress import Progress
from staticemb_distiller.table.space import unit
from staticemb_runtime import StaticModel
from staticemb_runtime.loading import open_parts

from .adaptation_data import (
    DIM,
    WORDS,
    Hidden,
    TwoKinds,
    documents,
    tokenizer,
    write_jsonl,
    write_model,
)

TEXTS = documents()


@pytest.fixture
def teacher():
    return Hidden()


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "general.staticemb")


@pytest.fixture
def notes():
    class Kept(Progress):
        def __init__(self):
            super().__init__(quiet=True)
            self.lines = []
            self.warnings = []

        def note(self, text):
            self.lines.append(text)

        def warn(self, text):
            self.warnings.append(text)

    return Kept()


def queries_of(model_path, texts):
    return StaticModel.load(model_path).encode(texts, on_empty="zero")


def adapted_overlap(path, texts, queries, teacher):
    """The overlap of the file's ten best documents with the teacher's, by the file alone."""
    space = read_space(open_parts(path))
    found = best_documents(queries_of(path, queries), space.project(teacher.encode(texts)))
    wanted = best_documents(unit(teacher.encode(queries)), unit(teacher.encode(texts)))
    return overlaps(wanted, found).mean()


# --- results --------------------------------------------------------------------------------------


def test_queries_rank_documents_as_the_teacher_does(tmp_path, model, teacher):
    output = tmp_path / "mine.staticemb"
    report = adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS))
    queries = [" ".join(text.split()[:6]) for text in documents(80, seed=9)]
    general = best_documents(
        queries_of(model, queries), read_space(open_parts(model)).project(teacher.encode(TEXTS))
    )
    wanted = best_documents(teacher.encode(queries), teacher.encode(TEXTS))
    assert adapted_overlap(output, TEXTS, queries, teacher) > overlaps(wanted, general).mean() + 0.1
    assert report.prior == "model"
    assert report.overlap_after > report.overlap_before
    assert report.documents == len(TEXTS)


def test_the_file_says_what_it_is_for(tmp_path, model, teacher):
    output = tmp_path / "mine.staticemb"
    adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS))
    file = open_parts(output, verify=True)
    space = read_space(file)
    assert (space.documents, space.teacher, space.revision) == ("teacher", "hidden", "1")
    np.testing.assert_allclose(
        space.projection.T @ space.projection, np.eye(DIM), atol=5e-3
    )  # rounded
    assert file.metadata.extra["x-adapt-documents"] == str(len(TEXTS))
    adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS), both_sides=True)
    assert read_space(open_parts(output)).documents == "table"


def test_heads_of_the_old_file_are_left_out_and_named(tmp_path, model, teacher, notes):
    dim = StaticModel(model).dim
    head = Head("topic", "softmax", ("a", "b"), np.ones((2, dim)), np.zeros(2))
    with_heads(model, [head], model)
    output = tmp_path / "mine.staticemb"
    adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS), progress=notes)
    assert any(line.endswith("so the new file has no head.topic") for line in notes.warnings)
    assert StaticModel(output, verify=True).heads == ()


def test_the_first_dimensions_hold_most_of_the_documents_variance(tmp_path, model, teacher):
    output = tmp_path / "mine.staticemb"
    adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS))
    projected = read_space(open_parts(output)).project(teacher.encode(TEXTS))
    variances = np.square(projected).mean(0)
    assert (np.diff(variances) < 1e-6).all()


def test_vectors_alone_are_enough(tmp_path, teacher):
    output = tmp_path / "mine.staticemb"
    texts = documents(1500)
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())
    report = adapt(
        "none", texts, output, vectors=teacher.encode(texts), tokenizer=tmp_path / "tokenizer.json"
    )
    assert (report.prior, report.overlap_before) == ("zero", None)
    queries = [" ".join(text.split()[:6]) for text in documents(80, seed=9)]
    assert adapted_overlap(output, texts, queries, teacher) > 0.5


def test_a_tokenizer_is_trained_on_the_documents(tmp_path, teacher):
    output = tmp_path / "mine.staticemb"
    texts = documents(1500)
    adapt("none", texts, output, vectors=teacher.encode(texts), tokenizer="train:wordpiece:800")
    assert adapted_overlap(output, texts, texts[:50], teacher) > 0.5


def test_a_teacher_and_its_vectors_give_the_same_rows(tmp_path, model, teacher):
    given, asked = tmp_path / "given.staticemb", tmp_path / "asked.staticemb"
    knobs = {"regularization": 0.1, "damping_beta": 0.0, "share": 1.0}
    adapt(model, TEXTS, given, vectors=teacher.encode(TEXTS), **knobs)
    adapt(model, TEXTS, asked, teacher=teacher, **knobs)
    np.testing.assert_array_equal(open_parts(given).embeddings, open_parts(asked).embeddings)


def test_tokens_that_no_document_has_keep_their_direction(tmp_path, model, teacher):
    output = tmp_path / "mine.staticemb"
    seen = {word for text in TEXTS for word in text.split()}
    unseen = [f"w{number}" for number in range(1, WORDS) if f"w{number}" not in seen]
    assert unseen
    adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS), dtype="float32")
    before = queries_of(model, unseen) @ read_space(open_parts(model)).projection.T
    after = queries_of(output, unseen) @ read_space(open_parts(output)).projection.T
    np.testing.assert_allclose(before, after, atol=1e-2)  # projections are rounded


def test_vectors_around_a_common_direction_are_centered(tmp_path):
    teacher = Hidden(offset=2.0)
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())
    texts, output = documents(1500), tmp_path / "mine.staticemb"
    report = adapt(
        "none", texts, output, vectors=teacher.encode(texts), tokenizer=tmp_path / "tokenizer.json"
    )
    assert report.centered
    mean = teacher.encode(texts)
    mean = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).mean(0)
    np.testing.assert_allclose(read_space(open_parts(output)).offset, mean, atol=1e-3)
    queries = [" ".join(text.split()[:6]) for text in documents(80, seed=9)]
    assert adapted_overlap(output, texts, queries, teacher) > 0.4


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_every_number_format_gives_nearly_the_same_queries(tmp_path, model, teacher, dtype):
    exact, rounded = tmp_path / "exact.staticemb", tmp_path / "rounded.staticemb"
    for output, kind in ((exact, "float32"), (rounded, dtype)):
        adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS), dtype=kind)
    cosines = (queries_of(exact, TEXTS) * queries_of(rounded, TEXTS)).sum(1)
    assert cosines.min() > 0.999


# --- a teacher with vectors of queries ------------------------------------------------------------


@pytest.fixture
def two_kinds(tmp_path):
    """A teacher whose queries have another common direction, and other rows, than its documents."""
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())
    return TwoKinds()


def test_a_teacher_with_a_kind_of_queries_encodes_spans_and_generated_sequences(
    tmp_path, two_kinds, monkeypatch
):
    monkeypatch.setattr("staticemb_distiller.adaptation.teacher_queries.GENERATED", 500)
    asked, given = tmp_path / "asked.staticemb", tmp_path / "given.staticemb"
    start = {"tokenizer": tmp_path / "tokenizer.json"}
    report = adapt("none", TEXTS, asked, teacher=two_kinds, **start)
    assert (report.spans, report.generated) == (2 * len(TEXTS), 500)
    assert any("600 spans of documents and 500 generated" in line for line in report.lines())
    assert open_parts(asked).metadata.extra["x-adapt-spans"] == "600"
    assert adapt("none", TEXTS, given, vectors=two_kinds.encode(TEXTS), **start).spans == 0

    queries = [" ".join(text.split()[:6]) for text in documents(80, seed=9)]
    vectors = unit(two_kinds.encode(TEXTS))
    wanted = best_documents(unit(two_kinds.encode(queries, kind="query")), vectors)

    def overlap(path):
        space = read_space(open_parts(path))
        found = best_documents(queries_of(path, queries), space.project(vectors))
        return overlaps(wanted, found).mean()

    assert overlap(asked) > overlap(given) + 0.1


def test_many_documents_need_no_generated_sequences(tmp_path, two_kinds, monkeypatch):
    monkeypatch.setattr("staticemb_distiller.adaptation.steps.ENOUGH_DOCUMENTS", len(TEXTS))
    report = adapt(
        "none",
        TEXTS,
        tmp_path / "mine.staticemb",
        teacher=two_kinds,
        tokenizer=tmp_path / "tokenizer.json",
    )
    assert (report.spans, report.generated) == (2 * len(TEXTS), 0)


def test_spans_stay_the_same_as_a_collection_grows(tmp_path, two_kinds, model):
    options = {"teacher": two_kinds, "teacher_cache": tmp_path / "cache"}
    for count in (200, 300):
        two_kinds.encoded.clear()
        adapt(model, TEXTS[:count], tmp_path / "mine.staticemb", **options)
    new = [text for kind, text in two_kinds.encoded if kind == "query"]
    whole = set(TEXTS[:200])
    spans = [text for text in new if not any(text in document for document in whole)]
    assert len(spans) > 0.9 * len(new) - 60  # pseudo-queries of held-out documents


def test_a_teacher_with_one_kind_encodes_no_spans(tmp_path, model, teacher):
    report = adapt(model, TEXTS, tmp_path / "mine.staticemb", teacher=teacher)
    assert (report.spans, report.generated) == (0, 0)
    queries = [text for kind, text in teacher.encoded if kind == "query"]
    assert len(queries) <= len(TEXTS) // 5 + 8  # pseudo-queries and probes


# --- the same bytes -------------------------------------------------------------------------------


def test_a_second_run_with_the_cache_asks_the_teacher_nothing(tmp_path, model, two_kinds):
    teacher = two_kinds
    for name in ("a", "b"):
        adapt(model, TEXTS, tmp_path / name, teacher=teacher, teacher_cache=tmp_path / "cache")
        assert bool(teacher.encoded) == (name == "a")
        teacher.encoded.clear()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_same_inputs_give_the_same_bytes(tmp_path, model, teacher):
    outputs = [tmp_path / "one.staticemb", tmp_path / "two.staticemb"]
    for output in outputs:
        adapt(model, TEXTS, output, vectors=teacher.encode(TEXTS))
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_an_interrupted_run_continues_to_the_same_bytes(tmp_path, model, monkeypatch):
    monkeypatch.setattr("staticemb_distiller.teacher.cache._SHARD", 50)
    whole, resumed = tmp_path / "whole.staticemb", tmp_path / "resumed.staticemb"
    adapt(model, TEXTS, whole, teacher=Hidden())
    interrupted = Hidden(fails_after=170)
    with pytest.raises(KeyboardInterrupt):
        adapt(model, TEXTS, resumed, teacher=interrupted, teacher_cache=tmp_path / "cache")
    assert not resumed.exists()
    teacher = Hidden()
    adapt(model, TEXTS, resumed, teacher=teacher, teacher_cache=tmp_path / "cache")
    stored = set(TEXTS).intersection(text for _, text in interrupted.encoded)
    assert stored.issuperset(TEXTS[:100])
    assert not stored.intersection(text for kind, text in teacher.encoded if kind == "document")
    assert resumed.read_bytes() == whole.read_bytes()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"whole.staticemb", "resumed.staticemb", "general.staticemb", "cache"}


# --- input ----------------------------------------------------------------------------------------


def test_documents_and_vectors_come_from_files(tmp_path, model, teacher):
    np.save(tmp_path / "vectors.npy", teacher.encode(TEXTS))
    beside, one = tmp_path / "beside.staticemb", tmp_path / "one.staticemb"
    corpus = write_jsonl(tmp_path / "corpus.jsonl", TEXTS, other=TEXTS)
    report = adapt(model, corpus, beside, vectors=tmp_path / "vectors.npy")
    assert report.documents == len(TEXTS)
    index = write_jsonl(
        tmp_path / "index.jsonl", TEXTS, embedding=teacher.encode(TEXTS).astype(float).tolist()
    )
    knobs = {"regularization": 0.1, "damping_beta": 0.0, "share": 1.0}
    adapt(model, None, one, vectors=index, **knobs)
    adapt(model, corpus, beside, vectors=tmp_path / "vectors.npy", **knobs)
    np.testing.assert_array_equal(open_parts(one).embeddings, open_parts(beside).embeddings)


@pytest.mark.parametrize("difference", [-1, 1, 40])
def test_different_counts_are_named(tmp_path, model, teacher, difference):
    vectors = teacher.encode(documents(len(TEXTS) + difference))
    expected = f"{len(TEXTS):,} documents .* found {len(vectors):,} vectors"
    with pytest.raises(CollectionError, match=expected):
        adapt(model, TEXTS, tmp_path / "mine.staticemb", vectors=vectors)
    assert not (tmp_path / "mine.staticemb").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_named(tmp_path, model, teacher, value):
    vectors = teacher.encode(TEXTS)
    vectors[17, 3] = value
    with pytest.raises(CollectionError, match="NaN or infinity in the vector of document 18"):
        adapt(model, TEXTS, tmp_path / "mine.staticemb", vectors=vectors)


def test_documents_with_zero_vectors_are_left_out_and_counted(tmp_path, model, teacher, notes):
    vectors = teacher.encode(TEXTS)
    vectors[[3, 30]] = 0
    rest = [text for number, text in enumerate(TEXTS) if number not in (3, 30)]
    with_zeros, without = tmp_path / "zeros.staticemb", tmp_path / "rest.staticemb"
    report = adapt(model, TEXTS, with_zeros, vectors=vectors, progress=notes)
    adapt(model, rest, without, vectors=teacher.encode(rest))
    assert report.documents == len(rest)
    assert any("2 documents have a zero vector" in line for line in notes.warnings)
    assert with_zeros.read_bytes() == without.read_bytes()


def test_documents_without_a_known_token_are_counted(tmp_path, model, teacher, notes):
    """Documents in a language that the model does not know."""
    texts = [*TEXTS, "неизвестные слова", "日本語の文書", "  "]
    vectors = teacher.encode([*TEXTS, *TEXTS[:3]])
    mixed, known = tmp_path / "mixed.staticemb", tmp_path / "known.staticemb"
    report = adapt(model, texts, mixed, vectors=vectors, progress=notes)
    assert report.documents == len(texts)
    line = "3 documents have no token that the model knows: the fit cannot use them"
    assert line in notes.warnings
    notes.warnings.clear()
    adapt(model, TEXTS, known, vectors=teacher.encode(TEXTS), progress=notes)
    assert not any("no token" in line for line in notes.warnings)


def test_vectors_of_any_length_are_scaled_and_it_says_so(tmp_path, model, teacher, notes):
    lengths = np.random.default_rng(0).uniform(2, 9, (len(TEXTS), 1)).astype(np.float32)
    given, scaled = tmp_path / "given.staticemb", tmp_path / "scaled.staticemb"
    adapt(model, TEXTS, given, vectors=teacher.encode(TEXTS), progress=notes)
    assert "Vectors: of unit length" in notes.lines
    adapt(model, TEXTS, scaled, vectors=teacher.encode(TEXTS) * lengths, progress=notes)
    assert any(line.startswith("Vectors: 2") for line in notes.lines)
    cosines = (queries_of(given, TEXTS) * queries_of(scaled, TEXTS)).sum(1)
    assert cosines.min() > 0.999


def test_duplicates_with_different_vectors_are_counted(tmp_path, model, teacher, notes):
    texts = [*TEXTS, *TEXTS[:5]]
    vectors = np.concatenate([teacher.encode(TEXTS), teacher.encode(TEXTS[5:10])])
    adapt(model, texts, tmp_path / "mine.staticemb", vectors=vectors, progress=notes)
    said = "5 documents have the text of an earlier"
    assert any(line.startswith(said) for line in notes.warnings)
    notes.warnings.clear()
    same = np.concatenate([teacher.encode(TEXTS), teacher.encode(TEXTS[:5])])
    adapt(model, texts, tmp_path / "mine.staticemb", vectors=same, progress=notes)
    assert not any("earlier" in line for line in notes.warnings)


def test_vectors_of_another_dimension_have_a_zero_prior(tmp_path, model, teacher, notes):
    vectors = np.concatenate([teacher.encode(TEXTS)] * 2, axis=1)
    report = adapt(model, TEXTS, tmp_path / "mine.staticemb", vectors=vectors, progress=notes)
    assert report.prior == "zero"
    assert any(f"{DIM} dimensions, these have {2 * DIM}" in line for line in notes.lines)
    assert StaticModel.load(tmp_path / "mine.staticemb").dim == 2 * DIM


def test_vectors_of_another_teacher_have_a_zero_prior(tmp_path, model, notes):
    vectors = Hidden(seed=77).encode(TEXTS)
    report = adapt(model, TEXTS, tmp_path / "mine.staticemb", vectors=vectors, progress=notes)
    assert report.prior == "zero"
    assert any("rows do not fit the vectors" in line for line in notes.lines)
    assert read_space(open_parts(tmp_path / "mine.staticemb")).teacher == "vectors of vectors"


def test_repeated_documents_in_a_row_still_fit_the_model(tmp_path, model, teacher):
    texts = sorted(TEXTS[:30] * 20)  # a document's next one is nearly always its repetition
    report = adapt(model, texts, tmp_path / "mine.staticemb", vectors=teacher.encode(texts))
    assert report.prior == "model"


def test_a_model_without_a_space_has_a_zero_prior(tmp_path, teacher, notes):
    model = write_model(tmp_path / "plain.staticemb", space=False)
    report = adapt(
        model, TEXTS, tmp_path / "mine.staticemb", vectors=teacher.encode(TEXTS), progress=notes
    )
    assert report.prior == "zero"
    assert any(line.startswith("Prior: zero, since the model") for line in notes.lines)


def test_a_missing_column_is_named_with_those_that_exist(tmp_path, model, teacher):
    corpus = write_jsonl(tmp_path / "corpus.jsonl", TEXTS)
    with pytest.raises(TextSourceError, match="expected a column 'body', found text"):
        adapt(
            model,
            corpus,
            tmp_path / "mine.staticemb",
            text="body",
            vectors=teacher.encode(TEXTS),
        )


def test_an_empty_collection_is_refused(tmp_path, model):
    (tmp_path / "empty.jsonl").touch()
    for documents_given in ([], tmp_path / "empty.jsonl"):
        with pytest.raises(CollectionError, match="expected vectors of documents, found none"):
            adapt(
                model,
                documents_given,
                tmp_path / "mine.staticemb",
                vectors=np.zeros((0, DIM), np.float32),
            )


def test_documents_without_a_known_word_are_refused(tmp_path, model):
    with pytest.raises(
        CollectionError, match="expected tokens that the model knows, found none in 3"
    ):
        adapt(
            model,
            ["?", "", "!"],
            tmp_path / "mine.staticemb",
            vectors=np.eye(3, DIM, dtype=np.float32),
        )


def test_a_handful_of_documents_takes_the_defaults(tmp_path, model, teacher, notes):
    report = adapt(
        model,
        TEXTS[:7],
        tmp_path / "mine.staticemb",
        vectors=teacher.encode(TEXTS[:7]),
        progress=notes,
    )
    assert (report.pseudo_queries, report.overlap_after) == (0, None)
    assert any(line.startswith("Too few documents") for line in notes.lines)


def test_many_documents_of_one_word_do_not_hold_out_every_word(tmp_path, model, teacher):
    texts = [f"w{number % (WORDS - 1) + 1}" for number in range(20_000)]
    report = adapt(model, texts, tmp_path / "mine.staticemb", vectors=teacher.encode(texts))
    assert report.documents == len(texts)
    words = [f"w{number}" for number in range(1, WORDS)]
    vectors = queries_of(tmp_path / "mine.staticemb", words)
    space = read_space(open_parts(tmp_path / "mine.staticemb"))
    cosines = (vectors * space.project(teacher.encode(words))).sum(1)
    general = read_space(open_parts(model))
    before = (queries_of(model, words) * general.project(teacher.encode(words))).sum(1)
    assert (cosines > before).all()


@pytest.mark.parametrize("given", [{}, {"teacher": Hidden(), "vectors": np.zeros((1, 3))}])
def test_a_teacher_or_vectors_are_needed(tmp_path, model, given):
    with pytest.raises(CollectionError, match="expected a teacher or vectors"):
        adapt(model, TEXTS, tmp_path / "mine.staticemb", **given)


def test_no_model_needs_a_tokenizer(tmp_path, model, teacher):
    vectors = teacher.encode(TEXTS)
    with pytest.raises(CollectionError, match="a tokenizer is needed"):
        adapt("none", TEXTS, tmp_path / "mine.staticemb", vectors=vectors)
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())
    with pytest.raises(CollectionError, match="found both"):
        adapt(
            model,
            TEXTS,
            tmp_path / "mine.staticemb",
            vectors=vectors,
            tokenizer=tmp_path / "tokenizer.json",
        )


# --- the command ----------------------------------------------------------------------------------


def run(arguments, cwd):
    code = (
        "import sys\n"
        "from staticemb_distiller.cli.main import main\n"
        "status = main(sys.argv[1:])\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'sentence_transformers'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
        "sys.exit(status)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "adapt", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_the_command_reports_and_imports_no_torch(tmp_path, model, teacher):
    write_jsonl(tmp_path / "corpus.jsonl", TEXTS)
    np.save(tmp_path / "vectors.npy", teacher.encode(TEXTS))
    ended = run(
        [
            model.name,
            "--documents",
            "corpus.jsonl",
            "--vectors",
            "vectors.npy",
            "-o",
            "a.staticemb",
        ],
        tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[]"
    assert "Ten best as the teacher's, on 60 held-out pseudo-queries: " in ended.stderr
    assert "Wrote a.staticemb" in ended.stderr
    assert open_parts(tmp_path / "a.staticemb", verify=True).metadata.dim == DIM


def test_the_command_prints_an_error_as_one_line(tmp_path, model, teacher):
    write_jsonl(tmp_path / "corpus.jsonl", TEXTS)
    np.save(tmp_path / "vectors.npy", teacher.encode(TEXTS[:-1]))
    ended = run(
        [
            model.name,
            "--documents",
            "corpus.jsonl",
            "--vectors",
            "vectors.npy",
            "-o",
            "a.staticemb",
        ],
        tmp_path,
    )
    assert ended.returncode == 2
    assert "found 299 vectors" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "a.staticemb").exists()
