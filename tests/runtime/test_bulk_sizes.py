"""Bulk: time grows with the number of texts, memory does not, and documents may differ by far."""

import csv
import json
import mmap
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
from growth import check_growth, consume
from staticemb_runtime import StaticModel
from staticemb_runtime.bulk import arrow, embed_batches
from staticemb_runtime.bulk.files import embed_file
from staticemb_runtime.bulk.texts import TextEmbedder

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PHRASE = "a house by the river, and number 12345 "
# 1024: a document of 1 GB, which takes minutes
DOCUMENT = int(os.environ.get("STATICEMB_DOCUMENT_MB", "64")) << 20
IN_PROC = pytest.mark.skipif(sys.platform != "linux", reason="/proc")


@pytest.fixture(scope="module")
def model():
    return StaticModel.load()


def save(texts, path):
    """Texts as a file of the form that its name ends in."""
    if path.suffix == ".parquet":
        table = pa.table({"text": pa.array(texts, pa.string())})
        pq.write_table(table, path, use_dictionary=False, compression="none")
    elif path.suffix == ".csv":
        path.write_text("".join(f'"{text}"\n' for text in ["text", *texts]))
    else:
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def vectors_in(path):
    if path.suffix == ".parquet":
        rows = pq.read_table(path, columns=["embedding"]).column("embedding").to_pylist()
    elif path.suffix == ".csv":
        csv.field_size_limit((1 << 31) - 1)
        with path.open(newline="") as file:
            rows = [json.loads(row["embedding"]) for row in csv.DictReader(file)]
    else:
        rows = [json.loads(line)["embedding"] for line in path.open()]
    return [None if row is None else np.float32(row) for row in rows]


# --- many texts -----------------------------------------------------------------------------------


@pytest.mark.serial
def test_four_times_the_batches_take_four_times_as_long(model):
    def make(rows):
        texts = [f"{PHRASE}{row}" for row in range(rows)]
        return [pa.record_batch({"text": texts[at : at + 100]}) for at in range(0, rows, 100)]

    check_growth(lambda batches: consume(embed_batches(batches, model)), make, (), 1 << 14)


@pytest.mark.serial
@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_four_times_the_rows_of_a_file_take_four_times_as_long(tmp_path, model, form):
    embedder = TextEmbedder(model, truncate_dim=8)  # most time would go into writing digits

    def make(rows):
        return save([f"{PHRASE}{row}" for row in range(rows)], tmp_path / f"{rows}.{form}")

    def embed(path):
        embed_file(str(path), str(tmp_path / f"out.{form}"), embedder)

    check_growth(embed, make, (), 1 << 14)


@pytest.mark.serial
def test_four_times_the_text_of_a_document_takes_four_times_as_long(model):
    def make(size):
        return [pa.record_batch({"text": [PHRASE * (size // len(PHRASE))]})]

    check_growth(lambda batches: consume(embed_batches(batches, model)), make, (), 1 << 24)


MEASURE = """
import re, sys
from pathlib import Path
from staticemb_runtime.bulk.files import embed_file
from staticemb_runtime.bulk.texts import TextEmbedder

embed_file(sys.argv[1], sys.argv[2], TextEmbedder(None, truncate_dim=int(sys.argv[3]) or None))
# ru_maxrss would count the parent's memory before exec.
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak(source, output, dim=0):
    """Embed a file in a process; return the most bytes of memory that it had."""
    run = [sys.executable, "-c", MEASURE, source, output, str(dim)]
    return int(subprocess.run(run, stdout=subprocess.PIPE, check=True).stdout) << 10


@IN_PROC
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_memory_does_not_grow_with_the_rows(tmp_path, form):
    peaks = []
    for rows in (20_000, 80_000):
        # Few words: the cache of words grows up to its bound.
        texts = [f"{PHRASE * 12}{row % 1000}" for row in range(rows)]
        source = save(texts, tmp_path / f"in.{form}")
        peaks.append(peak(source, tmp_path / f"out.{form}", 8))
    assert peaks[1] - peaks[0] < 14 << 20, peaks  # the larger file has 28 MB more


# --- texts of all sizes ---------------------------------------------------------------------------


# The page states how many times its bytes a document takes as memory: if all of its characters are
# ASCII, and with an emoji, for which Python has four bytes a character.
PAGE = (ROOT / "docs" / "how-to" / "many-files.md").read_text(encoding="utf-8")
FORMS = {"Parquet": "parquet", "JSON lines": "jsonl", "CSV": "csv"}
TIMES = {
    FORMS[name]: (int(ascii_alone), int(emoji))
    for name, ascii_alone, emoji in re.findall(r"(?m)^\| ([\w ]+) \| (\d+) \| (\d+) \|$", PAGE)
}


@IN_PROC
@pytest.mark.slow
@pytest.mark.parametrize("emoji", [False, True])
@pytest.mark.parametrize("form", TIMES)
def test_documents_may_differ_by_orders_of_magnitude(tmp_path, model, form, emoji):
    sizes = [1, 10_000, 100, 1, 1_000_000, 1, 1000]
    texts = [PHRASE * max(1, size // len(PHRASE)) for size in sizes]
    without = peak(save(texts, tmp_path / f"without.{form}"), tmp_path / f"out.{form}")
    texts.insert(3, PHRASE * (DOCUMENT // len(PHRASE)) + "\N{GRINNING FACE}" * emoji)
    source, out = save(texts, tmp_path / f"in.{form}"), tmp_path / f"out.{form}"
    count = len(texts)
    del texts
    most = peak(source, out) - without
    print(f"{form}, emoji {emoji}: {most / DOCUMENT:.2f} times the document")
    # The mean of a text that repeats itself is that of the text.
    expected = model.encode(PHRASE)
    vectors = vectors_in(out)
    assert len(vectors) == count
    for vector in vectors:
        np.testing.assert_allclose(vector, expected, atol=1e-5)
    assert most < TIMES[form][emoji] * DOCUMENT, most / DOCUMENT


@IN_PROC
@pytest.mark.slow
def test_several_long_documents_take_little_more_than_one(tmp_path):
    peaks = []
    for count in (1, 3):
        document = PHRASE * ((70 << 20) // len(PHRASE))
        table = pa.table({"text": ["a", *[document] * count, "b"]})
        source = tmp_path / f"{count}.parquet"
        # A page is read as a whole, and would hold all of them.
        pq.write_table(table, source, row_group_size=1, use_dictionary=False, compression="none")
        del table
        peaks.append(peak(source, tmp_path / "out.parquet"))
    assert peaks[1] - peaks[0] < 1.5 * (70 << 20), peaks


class Buffer:
    """Bytes of which only the last ones take space: the rest of the file was never written."""

    def __init__(self, path, size, end):
        with path.open("wb") as file:
            file.truncate(size - len(end))
            file.seek(size - len(end))
            file.write(end)
        with path.open("rb") as file:
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@pytest.mark.skipif(sys.maxsize < 1 << 32, reason="maps more than 2 GiB")
@pytest.mark.parametrize("bound", [1, 1 << 25])
@pytest.mark.parametrize(
    ("kind", "size"), [(pa.string(), (1 << 31) - 1), (pa.large_string(), (1 << 31) + 20)]
)
def test_texts_around_two_gibibytes_of_a_column_are_read(
    tmp_path, model, monkeypatch, kind, size, bound
):
    monkeypatch.setattr(arrow, "BATCH_BYTES", bound)
    texts = ["a house by the river", "a train at night", None, "träne", "the last text of all"]
    lengths = [len((text or "").encode()) for text in texts]
    data = Buffer(tmp_path / "data", size, "".join(text or "" for text in texts).encode()).map
    offsets = np.cumsum([size - sum(lengths), *lengths], dtype=np.int64)
    if kind == pa.string():
        offsets = offsets.astype(np.int32)
    else:
        assert offsets[0] < 1 << 31 < offsets[-1]
    present = pa.py_buffer(np.packbits([1, 1, 0, 1, 1], bitorder="little").tobytes())
    buffers = [present, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data)]
    batch = pa.record_batch([pa.Array.from_buffers(kind, len(texts), buffers)], names=["text"])
    batch.validate(full=True)
    made = pa.Table.from_batches(embed_batches([batch], model))
    assert made.column("text").to_pylist() == texts
    vectors = made.column("embedding").to_pylist()
    assert vectors[2] is None
    given = [text for text in texts if text is not None]
    expected = model.encode(given)
    np.testing.assert_array_equal(np.float32([row for row in vectors if row]), expected)
