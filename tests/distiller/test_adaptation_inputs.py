"""`adapt`: where texts, titles and vectors come from, and arguments that are invalid."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staticemb_distiller.adaptation.adapt import adapt
from staticemb_distiller.errors import CollectionError, TextSourceError
from staticemb_distiller.teacher.cache import TeacherCache
from staticemb_distiller.teacher.cached import through_cache
from staticemb_runtime.loading import open_parts

from .adaptation_data import DIM, Hidden, documents, write_jsonl, write_model

TEXTS = documents(120)
TITLES = [f"w{number + 1} w{number + 2}" for number in range(len(TEXTS))]
WHOLE = [f"{title} {text}" for title, text in zip(TITLES, TEXTS, strict=True)]
VECTORS = Hidden().encode(WHOLE)
KNOBS = {"regularization": 0.1, "damping_beta": 0.0, "share": 1.0, "name": "hidden"}


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "general.staticemb")


def parquet(path, **columns):
    pq.write_table(pa.table({**columns, "embedding": list(VECTORS)}), path)
    return path


def json_lines(path, **columns):
    names = [*columns, "embedding"]
    rows = zip(*columns.values(), VECTORS.tolist(), strict=True)
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    return path


@pytest.fixture
def wanted(tmp_path, model):
    """The bytes of a file adapted to titles, texts and vectors that lie apart."""
    corpus = write_jsonl(tmp_path / "corpus.jsonl", TEXTS, title=TITLES)
    adapt(model, corpus, tmp_path / "wanted.staticemb", vectors=VECTORS, **KNOBS)
    return (tmp_path / "wanted.staticemb").read_bytes()


@pytest.mark.parametrize(
    ("write", "name"), [(parquet, "index.parquet"), (json_lines, "index.jsonl")]
)
@pytest.mark.parametrize("text", [None, "title+text"])
def test_titles_beside_vectors_are_used_as_in_a_corpus(tmp_path, model, wanted, write, name, text):
    index = write(tmp_path / name, title=TITLES, text=TEXTS)
    adapt(model, None, tmp_path / "one.staticemb", vectors=index, text=text, **KNOBS)
    assert (tmp_path / "one.staticemb").read_bytes() == wanted


@pytest.mark.parametrize(
    ("write", "name"), [(parquet, "index.parquet"), (json_lines, "index.jsonl")]
)
@pytest.mark.parametrize("others", [{}, {"a": TITLES, "b": TITLES}])
def test_vectors_beside_documents_need_no_column_of_text(
    tmp_path, model, wanted, write, name, others
):
    corpus, one = tmp_path / "corpus.jsonl", tmp_path / "one.staticemb"
    adapt(model, corpus, one, vectors=write(tmp_path / name, **others), **KNOBS)
    assert one.read_bytes() == wanted


def test_the_columns_of_the_text_are_those_of_the_documents(tmp_path, model, wanted):
    corpus = write_jsonl(tmp_path / "other.jsonl", TEXTS, title=TITLES, other=WHOLE)
    index = parquet(tmp_path / "index.parquet", id=TITLES)
    with pytest.raises(TextSourceError, match=r"other\.jsonl, line 1: expected a column 'id'"):
        adapt(model, corpus, tmp_path / "one.staticemb", vectors=index, text="id", **KNOBS)
    adapt(model, corpus, tmp_path / "one.staticemb", vectors=index, text="title+text", **KNOBS)
    assert (tmp_path / "one.staticemb").read_bytes() == wanted


def test_a_folder_of_vectors_is_read_as_its_own_documents(tmp_path, model, wanted):
    folder = tmp_path / "index"
    folder.mkdir()
    for number, rows in enumerate((slice(0, 50), slice(50, None))):
        columns = {"title": TITLES[rows], "text": TEXTS[rows], "embedding": list(VECTORS[rows])}
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")
    (folder / "readme.txt").write_text("not a document\n")
    adapt(model, None, tmp_path / "one.staticemb", vectors=folder, **KNOBS)
    assert (tmp_path / "one.staticemb").read_bytes() == wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_only_directions_of_vectors_count(tmp_path, model, dtype, factor):
    one, scaled = tmp_path / "one.staticemb", tmp_path / "scaled.staticemb"
    adapt(model, WHOLE, one, vectors=VECTORS, **KNOBS)
    vectors = (VECTORS.astype(np.float64) * factor).astype(dtype)
    report = adapt(model, WHOLE, scaled, vectors=vectors, **KNOBS)
    assert report.documents == len(WHOLE)
    differences = open_parts(scaled).embeddings - open_parts(one).embeddings
    assert np.abs(differences).max() < 0.01


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"seed": -1}, "seed: expected a number of at least 0, found -1"),
        ({"max_tokens": 0}, "max_tokens: expected a number of at least 1, found 0"),
        ({"share": 2.0}, r"share: expected a number above 0, at most 1, found 2\.0"),
        ({"share": float("nan")}, "share: expected a number above 0, at most 1, found nan"),
        ({"damping_beta": -1.0}, r"damping_beta: expected a number from 0 to 16, found -1\.0"),
        ({"regularization": 0.0}, r"regularization: expected a number above 0, found 0\.0"),
    ],
)
def test_invalid_numbers_are_refused_before_anything_is_read(tmp_path, model, arguments, expected):
    with pytest.raises(CollectionError, match=expected):
        adapt(model, tmp_path / "absent", tmp_path / "mine.staticemb", vectors=VECTORS, **arguments)


class Streaming(Hidden):
    """A teacher that yields a text at a time."""

    tokens = 0

    def encode_parts(self, texts, *, kind="document"):
        for row, text in enumerate(texts):
            yield np.array([row]), self.encode([text], kind=kind)


def test_a_stream_of_vectors_reports_each_part(tmp_path):
    teacher, seen = Streaming(), []
    store = TeacherCache(tmp_path, teacher.about(), DIM)
    through_cache(store, teacher, TEXTS[:2], advance=seen.append)
    through_cache(store, teacher, TEXTS[:5], advance=seen.append)
    assert seen == [1] * 5  # stored texts are not encoded again


@pytest.mark.parametrize(
    "array",
    [np.zeros(3), np.zeros((2, 0)), np.zeros((2, 3), np.uint8), np.array([["a"]])],
)
def test_other_arrays_are_refused_from_memory_and_from_a_file(tmp_path, model, array):
    np.save(tmp_path / "a.npy", array)
    for given in (array, tmp_path / "a.npy"):
        with pytest.raises(TextSourceError, match=r"expected (an array|vectors) of"):
            adapt(model, WHOLE, tmp_path / "one.staticemb", vectors=given, **KNOBS)


def test_a_file_that_is_not_npy_is_refused(tmp_path, model):
    (tmp_path / "a.npy").write_bytes(b"not an array")
    with pytest.raises(TextSourceError, match=r"a\.npy: cannot be read as NPY"):
        adapt(model, WHOLE, tmp_path / "one.staticemb", vectors=tmp_path / "a.npy", **KNOBS)


@pytest.mark.parametrize(
    "given", [VECTORS.tolist(), list(VECTORS), pa.array(list(VECTORS)), tuple(VECTORS)]
)
def test_rows_in_a_list_are_vectors(tmp_path, model, wanted, given):
    corpus = write_jsonl(tmp_path / "corpus.jsonl", TEXTS, title=TITLES)
    adapt(model, corpus, tmp_path / "one.staticemb", vectors=given, **KNOBS)
    assert (tmp_path / "one.staticemb").read_bytes() == wanted


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([[1.0, 2.0], [1.0]], TextSourceError, "vectors: expected rows of as many numbers each"),
        (iter([[1.0]]), TypeError, "vectors: expected a file, an array or a list of vectors"),
        (5, TypeError, "vectors: expected a file, an array or a list of vectors, found the int 5"),
    ],
)
def test_other_vectors_are_refused_in_one_line(tmp_path, model, given, error, message):
    with pytest.raises(error, match=message) as caught:
        adapt(model, TEXTS, tmp_path / "one.staticemb", vectors=given, **KNOBS)
    assert "\n" not in str(caught.value)


def test_documents_are_a_place_or_a_list(tmp_path, model):
    with pytest.raises(TypeError, match="documents: expected a file, a folder or a list of texts"):
        adapt(model, iter(TEXTS), tmp_path / "one.staticemb", vectors=VECTORS, **KNOBS)


@pytest.mark.parametrize("given", ["file", "list"])
@pytest.mark.parametrize("by", ["teacher", "vectors"])
def test_half_a_surrogate_pair_is_a_question_mark(tmp_path, model, given, by):
    broken = [f"{TEXTS[0]} \ud83d", *TEXTS[1:]]
    corpus = broken
    if given == "file":
        corpus = write_jsonl(tmp_path / "corpus.jsonl", broken)
        assert "\\ud83d" in corpus.read_text()
    teacher = Hidden()
    source = {"vectors": VECTORS} if by == "vectors" else {"teacher": teacher}
    adapt(model, corpus, tmp_path / "one.staticemb", **source, **KNOBS)
    if by == "teacher":
        assert ("document", f"{TEXTS[0]} ?") in teacher.encoded
