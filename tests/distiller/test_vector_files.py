"""Files of texts and vectors: every kind gives the same blocks; bad rows are named."""

import gzip
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staticemb_distiller.corpus.vector_files import open_vectors
from staticemb_distiller.errors import TextSourceError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TEXTS = ["one", "", "drei\u2028", " four", "one"]
VECTORS = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


def parquet(path, vectors, texts=TEXTS, **options):
    if isinstance(vectors, np.ndarray):
        flat = pa.array(vectors.ravel())
        vectors = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = pa.table({"id": list(range(len(texts))), "text": texts, "embedding": vectors})
    pq.write_table(table, path, **options)
    return path


def lists(vectors, kind):
    return pa.array([row.tolist() for row in vectors], kind)


def json_lines(path, rows):
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def beside(folder, vectors, lines=None):
    np.save(folder / "v.npy", vectors)
    (folder / "t.txt").write_text("one\n\ndrei\u2028\n four\none\n" if lines is None else lines)
    return folder / "t.txt", folder / "v.npy"


def every(file, size=2):
    texts, parts = [], []
    for block_texts, block in file.blocks(size):
        assert 1 <= len(block_texts) <= size
        assert block.dtype == np.float32
        assert block.shape == (len(block_texts), file.dim)
        texts += block_texts
        parts.append(block)
    return texts, np.concatenate(parts)


def rows_of(vectors):
    return [
        {"text": text, "embedding": row.tolist()} for text, row in zip(TEXTS, vectors, strict=True)
    ]


MAKERS = {
    "fixed-size lists": lambda folder: open_vectors(parquet(folder / "a.parquet", VECTORS)),
    "lists": lambda f: open_vectors(
        parquet(f / "a.parquet", lists(VECTORS, pa.list_(pa.float32())))
    ),
    "large lists of float64": lambda f: open_vectors(
        parquet(f / "a.parquet", lists(VECTORS, pa.large_list(pa.float64())))
    ),
    "small row groups": lambda f: open_vectors(parquet(f / "a.parquet", VECTORS, row_group_size=3)),
    "json lines": lambda f: open_vectors(json_lines(f / "a.jsonl", rows_of(VECTORS))),
    "compressed": lambda f: open_vectors(json_lines(f / "a.jsonl.gz", rows_of(VECTORS))),
    "npy": lambda f: (lambda t, v: open_vectors(t, vectors=v))(*beside(f, VECTORS)),
    "npy, named first": lambda f: (lambda t, v: open_vectors(v, text=str(t)))(
        *beside(f, np.asfortranarray(VECTORS))
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_gives_the_same_texts_and_vectors(tmp_path, kind):
    file = MAKERS[kind](tmp_path)
    assert (file.dim, file.normalized) == (3, False)
    for size in (1, 2, 5, 100):
        texts, vectors = every(file, size)
        assert texts == TEXTS
        np.testing.assert_array_equal(vectors, VECTORS)


@pytest.mark.parametrize("dtype", [np.float16, np.int8])
def test_small_number_types(tmp_path, dtype):
    small = (VECTORS * 20).astype(dtype)
    kind = pa.list_(pa.float16() if dtype == np.float16 else pa.int8())
    column = pa.ListArray.from_arrays(
        pa.array(range(0, 16, 3), pa.int32()), pa.array(small.ravel())
    ).cast(kind)
    texts, vectors = beside(tmp_path, small)
    files = [
        open_vectors(parquet(tmp_path / "a.parquet", small)),
        open_vectors(parquet(tmp_path / "b.parquet", column)),
        open_vectors(texts, vectors=vectors),
    ]
    for file in files:
        np.testing.assert_array_equal(every(file)[1], small.astype(np.float32))


def test_a_folder_is_read_file_by_file(tmp_path):
    for number in (2, 1):
        name = tmp_path / f"part-{number}.parquet"
        parquet(name, VECTORS * number, [f"{number} {text}" for text in TEXTS])
    (tmp_path / "._part-1.parquet").write_bytes(b"left by another system")
    file = open_vectors(tmp_path)
    texts, vectors = every(file, 4)
    assert texts == [f"{number} {text}" for number in (1, 2) for text in TEXTS]
    np.testing.assert_array_equal(vectors, np.concatenate([VECTORS, VECTORS * 2]))
    parquet(tmp_path / "part-3.parquet", VECTORS[:, :2])
    with pytest.raises(TextSourceError, match=r"expected vectors of 3 dimensions.*found 2"):
        every(open_vectors(tmp_path))


def test_columns_are_named_or_found(tmp_path):
    row = {"title": "a", "body": "b", "v": [1, 0.5], "w": [1]}
    path = json_lines(tmp_path / "a.jsonl", [row, {**row, "title": None}])
    file = open_vectors(path, text="title+body", vector="v")
    assert every(file)[0] == ["a b", "b"]
    assert open_vectors(path, text="body", vector="w").dim == 1
    for options, expected in (
        ({"vector": "v"}, "column 'text' or a single column of text"),
        ({"text": "body"}, "column 'embedding' or a single column of numbers"),
        ({"text": "no", "vector": "v"}, "column 'no'"),
        ({"text": "body", "vector": "no"}, "column 'no'"),
    ):
        with pytest.raises(TextSourceError, match=f"{expected}, found title, body, v, w"):
            open_vectors(path, **options)
    table = pa.table({"a": ["x"], "b": ["y"], "v": [[1.0]]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert every(open_vectors(tmp_path / "a.parquet", text="b")) == (["y"], [[1.0]])
    with pytest.raises(TextSourceError, match="single column of text, found a, b, v"):
        open_vectors(tmp_path / "a.parquet")
    with pytest.raises(TextSourceError, match="lists of numbers in column 'b', found string"):
        open_vectors(tmp_path / "a.parquet", text="a", vector="b")


def test_a_column_of_tags_or_of_categories_is_no_column_of_vectors(tmp_path):
    row = {"text": "a", "tags": ["x", "y"], "none": [], "v": [1, 0.5]}
    assert every(open_vectors(json_lines(tmp_path / "a.jsonl", [row])))[0] == ["a"]
    categories = pa.array([1]).dictionary_encode()
    table = pa.table({"text": ["a"], "tags": [["x"]], "category": categories, "v": [[1.0, 0.5]]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert open_vectors(tmp_path / "a.parquet").dim == 2
    with pytest.raises(TextSourceError, match=r"lists of numbers in column .tags., found list"):
        open_vectors(tmp_path / "a.parquet", vector="tags")


def test_normalized_is_found(tmp_path):
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    unit[1] = 0
    assert open_vectors(parquet(tmp_path / "a.parquet", unit.astype(np.float16))).normalized
    assert not open_vectors(parquet(tmp_path / "a.parquet", unit * 0.9)).normalized
    assert not open_vectors(parquet(tmp_path / "a.parquet", unit * 0)).normalized


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[1.0, 2.0], [1.0]], "row 2: expected a vector of 2 numbers, found 1"),
        ([[1.0, 2.0], None], "row 2: expected a vector, found null"),
        ([[1.0, 2.0], [None, 1.0]], "row 2: expected numbers, found null"),
        ([[1.0, 2.0], [1.0, float("nan")]], "row 2: expected finite"),
        ([[1.0, 2.0], [1.0, 1e300]], "row 2: expected finite"),
        ([[], []], "lists of numbers in column .embedding., found list<.*null>"),
        ([["a"], ["b"]], "lists of numbers in column .embedding., found list<.*string>"),
        ([[1], [2]], "expected vectors of floats or int8, found int64"),
    ],
)
@pytest.mark.parametrize("size", [1, 2])
def test_a_bad_row_is_named_in_parquet(tmp_path, bad, message, size):
    path = parquet(tmp_path / "a.parquet", bad, ["a", "b"])
    with pytest.raises(TextSourceError, match=message):
        every(open_vectors(path), size)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"text": "b", "embedding": [1]}', "line 2: expected a vector of 2 numbers, found 1"),
        ('{"text": "b", "embedding": null}', "line 2: expected a list of numbers.*found null"),
        ('{"text": "b", "embedding": []}', "line 2: .*found an empty list"),
        ('{"text": "b", "embedding": "AAAA"}', "line 2: .*found str"),
        ('{"text": "b", "embedding": [1, null]}', "line 2: expected numbers.*found null"),
        ('{"text": "b", "embedding": [1, true]}', "line 2: expected numbers.*found bool"),
        ('{"text": "b", "embedding": [1, 1e39]}', "line 2: expected finite"),
        ('{"text": "b", "embedding": [1, 1' + "0" * 400 + "]}", "line 2: expected finite"),
        ('{"text": "b", "embedding": [1, NaN]}', "line 2: "),
        ('{"text": 3, "embedding": [1, 2]}', "line 2: expected text in column 'text', found int"),
        ('{"embedding": [1, 2]}', "line 2: expected a column 'text', found embedding"),
        ('{"text": "b"}', "line 2: expected a column 'embedding', found text"),
        ('{"text": "b", "embedding": [1, 2', "line 2: "),
    ],
)
def test_a_bad_row_is_named_in_json_lines(tmp_path, bad, message):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "embedding": [1, 2]}\n' + bad + "\n")
    with pytest.raises(TextSourceError, match=message):
        every(open_vectors(path))


@pytest.mark.parametrize("lines", ["a\nb\nc\nd\n", "a\nb\nc\nd\ne\n\n", ""])
def test_counts_of_texts_and_vectors_must_be_equal(tmp_path, lines):
    texts, vectors = beside(tmp_path, VECTORS, lines)
    count = lines.count("\n")
    with pytest.raises(TextSourceError, match=f"expected {count} vectors .*t.txt, found 5"):
        open_vectors(texts, vectors=vectors)


def test_other_files_are_refused(tmp_path):
    texts, vectors = beside(tmp_path, VECTORS)
    with pytest.raises(TextSourceError, match="expected a file of texts for these vectors"):
        open_vectors(vectors)
    with pytest.raises(TextSourceError, match=r"expected a \.parquet or \.jsonl file"):
        open_vectors(texts)
    with pytest.raises(TextSourceError, match="found neither"):
        open_vectors(tmp_path / "missing.parquet")
    np.save(vectors, VECTORS.astype(np.uint8))
    with pytest.raises(TextSourceError, match="found uint8"):
        open_vectors(texts, vectors=vectors)
    np.save(vectors, VECTORS[0])
    with pytest.raises(TextSourceError, match=r"shape \(N, D\), found \(3,\)"):
        open_vectors(texts, vectors=vectors)
    np.save(vectors, np.array([{}], object), allow_pickle=True)
    with pytest.raises(TextSourceError, match="cannot be read as NPY"):
        open_vectors(texts, vectors=vectors)
    for name in ("cut.parquet", "cut.npy"):
        (tmp_path / name).write_bytes(b"PAR1")
        with pytest.raises(TextSourceError, match=name):
            open_vectors(tmp_path / name, text=str(texts) if name == "cut.npy" else None)
    with pytest.raises(TextSourceError, match="found no row"):
        open_vectors(parquet(tmp_path / "empty.parquet", VECTORS[:0], []))


def test_digests_follow_the_bytes(tmp_path):
    texts, vectors = beside(tmp_path, VECTORS)
    first = open_vectors(texts, vectors=vectors).digest()
    assert open_vectors(texts, vectors=vectors).digest() == first
    np.save(vectors, VECTORS * 2)
    assert open_vectors(texts, vectors=vectors).digest() != first


def test_blocks_are_read_one_at_a_time(tmp_path):
    wide = np.random.default_rng(0).standard_normal((40_000, 64)).astype(np.float32)
    path = parquet(tmp_path / "a.parquet", wide, ["a"] * len(wide), row_group_size=1_000)
    file = open_vectors(path)
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    most = 0
    for _ in file.blocks(500):
        most = max(most, pa.total_allocated_bytes() - before)
    most += tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < wide.nbytes / 3


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.text(),
            st.lists(
                st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2
            ),
        ),
        min_size=1,
        max_size=9,
    ),
    size=st.integers(1, 10),
)
def test_parquet_and_json_lines_give_what_was_written(tmp_path_factory, rows, size):
    folder = tmp_path_factory.mktemp("law")
    rows = [(text.encode(errors="replace").decode(), row) for text, row in rows]
    columns = {"text": [text for text, _ in rows], "embedding": [row for _, row in rows]}
    pq.write_table(pa.table(columns), folder / "a.parquet")
    json_lines(folder / "a.jsonl", [{"text": t, "embedding": v} for t, v in rows])
    for name in ("a.parquet", "a.jsonl"):
        texts, vectors = every(open_vectors(folder / name), size)
        assert texts == columns["text"]
        np.testing.assert_array_equal(vectors, np.array(columns["embedding"], np.float32))
