"""Records into files: what is written is read again, and columns change from block to block."""

import csv
import datetime
import io
import json
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staticemb_runtime.errors import InvalidOptionError, OutputError
from staticemb_runtime.records.forms import read_records
from staticemb_runtime.records.open_writer import open_writer, output_form
from staticemb_runtime.records.parquet import ParquetRows
from staticemb_runtime.records.readers import parquet_rows
from staticemb_runtime.records.row_writers import open_rows_writer

DIM = 3


def write(path, *parts, form=None):
    """Write blocks of records, each with the number of its row as its vector."""
    count = 0
    with open_writer(str(path), form, DIM, np.dtype("float32")) as writer:
        for records in parts:
            numbers = np.arange(count, count + len(records), dtype=np.float32)
            writer.write(records, np.repeat(numbers, DIM).reshape(-1, DIM), None)
            count += len(records)


def read(path):
    """The records of a file without their vectors, which must be those of their rows."""
    records = [record for _, _, record in read_records(str(path))]
    for number, record in enumerate(records):
        assert record.pop("embedding") == [number] * DIM
    return records


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("o.NPY", "npy"),
        ("o.Jsonl", "jsonl"),
        ("o.ndjson", "jsonl"),
        ("o.jsonl.GZ", "jsonl"),
        ("o.JSONL.zst", "jsonl"),
        ("o.PARQUET", "parquet"),
        ("-", "jsonl"),
        ("/dev/stdout", "jsonl"),
    ],
)
def test_the_name_says_the_format_in_any_case(name, form):
    assert output_form(name) == form


@pytest.mark.parametrize(
    "name", ["vectors.txt", "x.xyz", "vectors", "o.parquet.gz", "o.npy.zst", "folder.npy/o"]
)
def test_other_names_are_refused(name):
    with pytest.raises(InvalidOptionError, match=f"^{name}: expected"):
        output_form(name)


def test_the_format_may_be_given():
    assert output_form("vectors.csv", "npy") == "npy"
    assert output_form("vectors", "parquet") == "parquet"
    assert output_form("o.csv.gz", "jsonl") == "jsonl"
    for name, form in [("-", "npy"), ("o.gz", "npy"), ("o.jsonl.gz", "parquet")]:
        with pytest.raises(InvalidOptionError):
            output_form(name, form)


def suffixes():
    kinds = [
        (".jsonl", None),
        (".jsonl.gz", None),
        (".jsonl.zst", "zstandard"),
        (".parquet", "pyarrow"),
    ]
    return [pytest.param(suffix, package, id=suffix) for suffix, package in kinds]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
cells = st.fixed_dictionaries({"text": texts, "a": st.none() | texts, 'b"\n,': texts})


@pytest.mark.parametrize(("suffix", "package"), suffixes())
@given(parts=st.lists(st.lists(cells, min_size=1, max_size=3), max_size=3))
def test_what_is_written_is_read_again(tmp_path_factory, suffix, package, parts):
    if package:
        pytest.importorskip(package)
    path = tmp_path_factory.mktemp("law") / f"o{suffix}"
    write(path, *parts)
    assert read(path) == [record for part in parts for record in part]


@pytest.mark.parametrize(("suffix", "package"), suffixes())
@pytest.mark.parametrize(
    "values",
    [
        [None, "x"],
        [None, 7],
        [None, [1, 2], [None]],
        [None, {"k": 1}, {"k": 2}],
        [True, None],
        [1, 2.5, None, 3],
        [2**53, -(2**63), 2**63 - 1],
    ],
)
def test_a_column_may_change_from_block_to_block(tmp_path, suffix, package, values):
    if package:
        pytest.importorskip(package)
    path = tmp_path / f"o{suffix}"
    parts = [[{"text": "t", "late": value}] for value in values]
    write(path, [{"text": "first"}], *parts)
    got = read(path)
    assert got[0].get("late") is None
    assert [record["late"] for record in got[1:]] == values
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("values", [[1, "x"], [[1], "x"], [1, "x", 2]])
@pytest.mark.parametrize("together", [True, False])
def test_parquet_refuses_two_types_in_one_clear_line(tmp_path, values, together):
    pytest.importorskip("pyarrow")
    path = tmp_path / "o.parquet"
    path.write_bytes(b"old")
    records = [{"text": "t", "mixed": value} for value in values]
    with pytest.raises(OutputError) as caught:
        write(path, *([records] if together else [[record] for record in records]))
    message = str(caught.value)
    assert message.startswith(f"{path}, record")
    assert "expected values of one type" in message
    assert "\n" not in message
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_number_that_parquet_has_no_room_for_is_an_error(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(OutputError, match="column 'n'"):
        write(tmp_path / "o.parquet", [{"text": "t", "n": 2**70}])
    write(tmp_path / "o.jsonl", [{"text": "t", "n": 2**70}])
    assert read(tmp_path / "o.jsonl") == [{"text": "t", "n": 2**70}]


def test_json_has_null_for_nan_and_strings_for_dates(tmp_path):
    path = tmp_path / "o.jsonl"
    nan = float("nan")
    day = datetime.date(2024, 2, 29)
    write(path, [{"text": "t", "x": nan, "l": [nan, {"y": float("inf")}], "d": day}])
    assert "NaN" not in path.read_text()
    expected = {"text": "t", "x": None, "l": [None, {"y": None}], "d": "2024-02-29"}
    assert read(path) == [expected]


def test_json_refuses_bytes_and_names_the_record(tmp_path):
    path = tmp_path / "o.jsonl"
    for record in ({"text": "t", "b": b"x"}, {"text": "t", "x": float("nan"), "b": b"x"}):
        with pytest.raises(OutputError, match=r"o.jsonl, record 2: .*bytes; write .parquet"):
            write(path, [{"text": "t"}], [record])
    assert list(tmp_path.iterdir()) == []


def test_parquet_keeps_nan_bytes_and_dates(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "o.parquet"
    record = {"text": "t", "b": b"\xff", "d": datetime.date(2024, 2, 29), "x": float("inf")}
    write(path, [record], [{"text": "u", "x": float("nan")}])
    got = read(path)
    assert got[0] == record
    assert np.isnan(got[1]["x"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_json_refuses_a_vector_that_it_cannot_hold(tmp_path, value):
    vectors = np.zeros((3, DIM), np.float32)
    vectors[1, 2] = value
    with (
        pytest.raises(OutputError, match="record 2: expected finite vectors"),
        open_writer(str(tmp_path / "o.jsonl"), None, DIM, vectors.dtype) as writer,
    ):
        writer.write([{"text": "t"}] * 3, vectors, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "package"), suffixes())
def test_no_records_are_an_empty_file_of_the_format(tmp_path, suffix, package):
    if package:
        pytest.importorskip(package)
    write(tmp_path / f"o{suffix}")
    assert read(tmp_path / f"o{suffix}") == []
    write(tmp_path / "o.npy")
    assert np.load(tmp_path / "o.npy").shape == (0, DIM)


def test_json_keys_keep_their_order(tmp_path):
    path = tmp_path / "o.jsonl"
    write(path, [{"z": 1, "text": "t", "a": 2}])
    assert list(json.loads(path.read_text())) == ["z", "text", "a", "embedding"]


def test_cells_hold_lists_and_objects_as_json(tmp_path):
    values = {"tags": ["x", "é"], "more": {"a": None}}
    path = tmp_path / "o.csv"
    write(path, [{"text": "a"} | values])
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert {name: json.loads(row[name]) for name in values} == values
    rows = [{"text": "a", "raw": None}, {"text": "b", "raw": b"x"}]
    with pytest.raises(OutputError, match=r"record 2: .*found bytes; write \.parquet"):
        write(path, rows)
    place = "in.parquet, row 2"
    refused = pytest.raises(OutputError, match=rf"{place}: .*found bytes; write \.parquet")
    with refused, open_rows_writer(str(path)) as writer:
        writer.write(rows[1], place)


class ThreadsOfFile(io.BytesIO):
    """A file that knows which threads have read it."""

    def __init__(self):
        super().__init__()
        self.threads = set()

    def read(self, *size):
        self.threads.add(threading.get_ident())
        return super().read(*size)


def test_no_other_thread_reads_a_file_of_parquet():
    """Such a thread, of pyarrow, may end the process with SIGABRT if it exits then."""
    pytest.importorskip("pyarrow")
    file = ThreadsOfFile()
    rows = ParquetRows("o.parquet", file, None)
    for number in range(20_000):  # three row groups, the last of another schema
        late = {"late": number + 0.5} if number > 17_000 else {}
        rows.write({"text": f"text {number}", "a": number, "b": None} | late, "")
    rows.finish()
    rows.release()
    names, records = parquet_rows(file, "o.parquet")
    assert [record["text"] for record in records] == [f"text {n}" for n in range(20_000)]
    assert names == ["text", "a", "b", "late"]
    assert file.threads == {threading.get_ident()}
