"""Arrow batches and files of Parquet: all rows and columns once, and the bits of `encode`."""

import datetime
import decimal
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staticemb_runtime import StaticModel
from staticemb_runtime.bulk import BatchEmbedder, arrow, embed_batches, parquet
from staticemb_runtime.bulk.files import embed_file
from staticemb_runtime.bulk.texts import TextEmbedder
from staticemb_runtime.errors import (
    EmptyTextError,
    EmptyTextWarning,
    InputEncodingError,
    InputError,
    InvalidDimensionError,
    InvalidOptionError,
)
from staticemb_runtime.model.shared import shared_model
from warned import messages

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

WORDS = st.sampled_from(["house", "river", "träne", "a", "日本", "", " ", "x" * 300])
TEXTS = st.lists(st.none() | st.lists(WORDS, max_size=6).map(" ".join), max_size=30)
TYPES = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "dictionary_of_large": pa.dictionary(pa.int32(), pa.large_string()),
}
if int(pa.__version__.partition(".")[0]) >= 25:
    TYPES["string_view"] = pa.string_view()


@pytest.fixture(scope="module")
def model():
    return StaticModel.load()


@pytest.fixture
def small_batches(monkeypatch):
    """Limits that a few texts reach."""
    for module in (arrow, parquet):
        monkeypatch.setattr(module, "BATCH_BYTES", 4096)
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 10_000)


def column(texts, kind):
    if pa.types.is_dictionary(kind):
        return pa.array(texts, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(texts, pa.string()).cast(kind)


def vectors_of(batches, width, name="embedding"):
    """The vectors of batches, with a row of zeros for a null, and which are null."""
    columns = pa.chunked_array([batch.column(name) for batch in batches])
    rows = [row or [0] * width for row in columns.to_pylist()]
    return np.array(rows).reshape(-1, width), [row is None for row in columns.to_pylist()]


@pytest.mark.parametrize("kind", TYPES)
@given(batches=st.lists(TEXTS, max_size=5), cut=st.integers(0, 4), bound=st.integers(0, 5000))
def test_all_rows_have_the_bits_of_encode(model, kind, batches, cut, bound):
    given_batches = [
        pa.record_batch(
            {"n": pa.array(range(len(texts)), pa.int64()), "text": column(texts, TYPES[kind])}
        )
        for texts in batches
    ]
    given_batches = [batch.slice(min(cut, batch.num_rows)) for batch in given_batches]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow, "BATCH_BYTES", bound)
        out = list(embed_batches(iter(given_batches), model, on_empty="zero"))
    texts = [text for batch in batches for text in batch[min(cut, len(batch)) :]]
    if not texts:
        return
    expected = model.encode([text or "" for text in texts], on_empty="zero")
    got, nulls = vectors_of(out, model.dim)
    assert nulls == [text is None for text in texts]
    np.testing.assert_array_equal(got.astype(np.float32), expected)
    both = pa.Table.from_batches(out).drop_columns(["embedding"])
    assert both.equals(pa.Table.from_batches(given_batches))


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
def test_the_column_has_the_type_of_the_precision(model, precision):
    batch = pa.record_batch({"body": ["a house", "a river"]})
    (out,) = embed_batches(
        [batch], model, column="body", output_column="v", precision=precision, truncate_dim=64
    )
    expected = model.encode(["a house", "a river"], precision=precision, truncate_dim=64)
    kind = pa.list_(pa.from_numpy_dtype(expected.dtype), expected.shape[1])
    assert out.schema == pa.schema([("body", pa.string()), ("v", kind)])
    np.testing.assert_array_equal(np.array(out.column("v").to_pylist()), expected)


def test_a_column_of_nulls_has_null_vectors(model):
    for kind in (pa.null(), pa.string(), pa.dictionary(pa.int8(), pa.string())):
        batch = pa.record_batch([pa.nulls(3, kind)], names=["text"])
        (out,) = embed_batches([batch], model, on_empty="raise")
        assert out.column("embedding").null_count == 3
        out.validate(full=True)


def test_a_null_has_no_vector_of_the_prompt(model):
    batch = pa.record_batch({"text": ["a house", None]})
    (out,) = embed_batches([batch], model, prompt="query: ")
    expected = model.encode(["query: a house"])
    np.testing.assert_array_equal(out.column("embedding").to_pylist()[0], expected[0])
    assert out.column("embedding").to_pylist()[1] is None


@pytest.mark.usefixtures("small_batches")
def test_batches_are_bounded_by_bytes(model):
    texts = ["a"] * 40 + ["house " * 3000] + ["river " * n for n in range(1, 100)]
    batch = pa.record_batch({"text": texts, "other": ["x" * 50] * len(texts)})
    out = list(embed_batches([batch], model))
    assert sum(piece.num_rows for piece in out) == len(texts)
    for piece in out:
        assert piece.num_rows == 1 or piece.nbytes <= 2 * 4096
    assert max(piece.num_rows for piece in out) > 1


@pytest.mark.usefixtures("small_batches")
def test_small_batches_are_embedded_together(model, monkeypatch):
    calls = []
    encode = TextEmbedder.embed
    count = lambda self, *arguments: calls.append(1) or encode(self, *arguments)  # noqa: E731
    monkeypatch.setattr(TextEmbedder, "embed", count)
    batches = [pa.record_batch({"text": ["a"]}) for _ in range(100)]
    assert len(list(embed_batches(batches, model, truncate_dim=16))) == 100
    assert len(calls) < 50


def test_a_batch_without_rows_has_the_column(model):
    batch = pa.record_batch({"text": pa.array([], pa.string())})
    embedder = BatchEmbedder(model)
    assert embedder(batch).schema == embedder.schema(batch.schema)
    assert embedder(batch).num_rows == 0


def test_tables_and_readers_are_taken(model):
    table = pa.table({"text": ["a house", "a river"]})
    assert sum(batch.num_rows for batch in embed_batches(table, model)) == 2
    assert sum(batch.num_rows for batch in embed_batches(table.to_reader(), model)) == 2
    assert BatchEmbedder(model)(table).num_rows == 2
    assert BatchEmbedder(model)(table.slice(0, 0)).schema.names == ["text", "embedding"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"body": ["a"]}, "expected a column 'text', found body"),
        ({"text": [1]}, "expected text in 'text', found int64"),
        ({"text": [b"a"]}, "expected text in 'text', found binary"),
        ({"text": ["a"], "embedding": [1]}, "expected no column 'embedding'"),
    ],
)
def test_another_schema_is_refused(model, columns, says):
    with pytest.raises(InputError, match=says):
        list(embed_batches([pa.record_batch(columns)], model))


def test_invalid_options_are_refused_at_the_call(model):
    with pytest.raises(InvalidDimensionError):
        embed_batches([], model, truncate_dim=9999)
    with pytest.raises(InvalidOptionError):
        embed_batches([], model, precision="float16")
    with pytest.raises(InvalidOptionError):
        embed_batches([], model, on_empty="maybe")


def test_bytes_that_are_not_utf8_are_named(model):
    offsets = pa.py_buffer(np.array([0, 1, 2, 3], np.int32).tobytes())
    bad = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"ab\xff")])
    batches = [pa.record_batch({"text": ["a"]}), pa.record_batch([bad], names=["text"])]
    with pytest.raises(InputEncodingError, match=r"^row 4: expected UTF-8, found byte 0xff"):
        list(embed_batches(batches, model))


def test_the_first_empty_text_is_named(model):
    batches = [pa.record_batch({"text": ["a house", None]}), pa.record_batch({"text": [" "]})]
    with pytest.raises(EmptyTextError, match=r"^row 3: "):
        list(embed_batches(batches, model, on_empty="raise"))
    (warning,) = messages(lambda: list(embed_batches(batches, model)), EmptyTextWarning)
    assert re.search("1 of 3 texts .* the first is row 3", warning)


def test_a_named_model_is_opened_once_a_process(tmp_path, model):
    path = tmp_path / "m.staticemb"
    path.write_bytes(Path(model._path).read_bytes())
    assert shared_model(str(path)) is shared_model(path)
    assert shared_model(None) is shared_model(None)
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes())
    before = shared_model(str(path))
    other.replace(path)
    assert shared_model(str(path)) is not before


def wide_table(rows):
    now = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    fields = [
        pa.field("id", pa.int16(), metadata={"unit": "none"}),
        pa.field("text", pa.large_string()),
        pa.field("kind", pa.dictionary(pa.int32(), pa.string())),
        pa.field("at", pa.timestamp("us", tz="Europe/Berlin")),
        pa.field("price", pa.decimal128(9, 2)),
        pa.field("tags", pa.list_(pa.struct([("name", pa.string()), ("n", pa.int8())]))),
        pa.field("raw", pa.binary()),
        pa.field("nothing", pa.null()),
    ]
    columns = {
        "id": range(rows),
        "text": [f"a house by river {n}" if n % 7 else None for n in range(rows)],
        "kind": [("new", "old", None)[n % 3] for n in range(rows)],
        "at": [now] * rows,
        "price": [decimal.Decimal(n) for n in range(rows)],
        "tags": [[{"name": "x", "n": n % 9}] * (n % 3) for n in range(rows)],
        "raw": [bytes([n % 256]) for n in range(rows)],
        "nothing": [None] * rows,
    }
    return pa.table(columns, schema=pa.schema(fields, metadata={"origin": "a test"}))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("codec", ["zstd", "none"])
def test_parquet_keeps_types_metadata_and_compression(tmp_path, model, codec):
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    table = wide_table(500)
    pq.write_table(table, source, compression=codec, row_group_size=70)
    texts = TextEmbedder(model, precision="int8", on_empty="zero")
    shares = []
    embed_file(str(source), str(out), texts, advance=lambda rows, share: shares.append(share))
    made = pq.read_table(out)
    assert made.drop_columns(["embedding"]).equals(pq.read_table(source), check_metadata=True)
    present = [text for text in table.column("text").to_pylist() if text is not None]
    got, nulls = vectors_of(made.to_batches(), model.dim)
    expected = model.encode(present, precision="int8")
    np.testing.assert_array_equal(got[~np.array(nulls)], expected)
    assert texts.counts[:3] == (500, 500 - len(present), 0)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    metadata = pq.read_metadata(out)
    chunks = [metadata.row_group(0).column(at) for at in range(metadata.num_columns)]
    codecs = {chunk.path_in_schema.split(".")[0]: chunk.compression for chunk in chunks}
    assert codecs["text"] == ("ZSTD" if codec == "zstd" else "UNCOMPRESSED")
    assert codecs["embedding"] == "UNCOMPRESSED"


def test_dates_of_spark_stay_in_their_year(tmp_path, model):
    # Spark writes INT96, and "never" as the last day that it knows.
    dates = [datetime.datetime(9999, 12, 31), datetime.datetime(1, 1, 1), None]
    table = pa.table({"text": ["a", "b", "c"], "at": pa.array(dates, pa.timestamp("us"))})
    source = tmp_path / "in.parquet"
    pq.write_table(table, source, use_deprecated_int96_timestamps=True, store_schema=False)
    for name in ("out.parquet", "out.jsonl"):
        embed_file(str(source), str(tmp_path / name), TextEmbedder(model))
    made = pq.read_table(tmp_path / "out.parquet")
    assert made.schema.field("at").type == pa.timestamp("us")
    assert made.column("at").to_pylist() == dates
    rows = [json.loads(line)["at"] for line in (tmp_path / "out.jsonl").open()]
    assert rows == ["9999-12-31T00:00:00", "0001-01-01T00:00:00", None]


def test_row_groups_do_not_follow_batches(tmp_path, model):
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"text": ["a house"] * 9000}), source, row_group_size=100)
    embed_file(str(source), str(out), TextEmbedder(model))
    assert pq.read_metadata(out).num_row_groups == 1


def test_an_empty_file_has_the_column(tmp_path, model):
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), source)
    embed_file(str(source), str(out), TextEmbedder(model))
    made = pq.read_table(out)
    assert (len(made), made.schema.names) == (0, ["text", "embedding"])


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_damaged_file_is_named_and_has_no_output(tmp_path, model, at):
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(wide_table(3000), source, row_group_size=500, write_page_checksum=True)
    data = bytearray(source.read_bytes())
    middle = int(len(data) * at)
    data[middle : middle + 200] = bytes(200)
    source.write_bytes(data)
    with pytest.raises(InputError, match=r"in\.parquet(, after row \d+)?: expected Parquet"):
        embed_file(str(source), str(out), TextEmbedder(model))
    assert not out.exists()


def test_a_null_of_json_lines_has_a_null_vector(tmp_path, model):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "a house"}\n{"text": null}\n')
    for name in ("o.jsonl", "o.csv", "o.parquet"):
        texts = TextEmbedder(model)
        embed_file(str(source), str(tmp_path / name), texts)
        assert texts.counts[:2] == (2, 1)
    assert (tmp_path / "o.jsonl").read_text().endswith('{"text": null, "embedding": null}\n')
    assert (tmp_path / "o.csv").read_text().splitlines()[2] == ","
    assert pq.read_table(tmp_path / "o.parquet").column("embedding").to_pylist()[1] is None
    with pytest.raises(InputError, match="line 2: expected text in 'text', found NoneType"):
        embed_file(str(source), str(tmp_path / "o.npy"), TextEmbedder(model))


MEASURE = """
import re, sys
from pathlib import Path
from staticemb_runtime.bulk import arrow, parquet
from staticemb_runtime.bulk.files import embed_file
from staticemb_runtime.bulk.texts import TextEmbedder
arrow.BATCH_BYTES = parquet.BATCH_BYTES = 1 << 20
parquet._GROUP_BYTES = 1 << 21
embed_file(sys.argv[1], sys.argv[2], TextEmbedder(None, precision="int8"))
# ru_maxrss would count the parent's memory before exec.
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_memory_does_not_grow_with_one_row_group(tmp_path):
    peaks = []
    for rows in (4_000, 80_000):
        source = tmp_path / f"{rows}.parquet"
        texts = pa.array([f"{'some words of a text ' * 40}{n}" for n in range(rows)])
        pq.write_table(pa.table({"text": texts}), source, use_dictionary=False, compression="none")
        run = [sys.executable, "-c", MEASURE, source, tmp_path / "out.parquet"]
        peaks.append(int(subprocess.run(run, capture_output=True, check=True).stdout) << 10)
    assert peaks[1] - peaks[0] < 20 << 20, peaks  # the larger file has 64 MB more


def test_a_long_document_among_short_ones(tmp_path, model):
    texts = ["a house"] * 300 + ["some words " * 1_000_000] + ["a river"] * 300
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"text": texts}), source)
    embed_file(str(source), str(out), TextEmbedder(model))
    got, _ = vectors_of(pq.read_table(out).to_batches(), model.dim)
    expected = model.encode(["a house", texts[300], "a river"])
    np.testing.assert_array_equal(got[[0, 300, 600]].astype(np.float32), expected)


def test_a_pipe_of_parquet_is_read(tmp_path, model):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["a house"]}), buffer)

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    table = parquet.ParquetInput(Pipe(buffer.getvalue()), "pipe")
    assert [batch.num_rows for batch in table.batches()] == [1]
