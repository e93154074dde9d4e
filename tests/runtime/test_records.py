"""Records out of files: formats by suffix, columns, and errors that name the file and the place."""

import gzip
import json

import pytest

from staticemb_runtime.errors import InputError, InvalidOptionError, InvalidTextError
from staticemb_runtime.records.forms import blocks, input_form, read_records
from staticemb_runtime.records.open_writer import RESERVED
from staticemb_runtime.records.places import placed


def rows(path, *arguments, **options):
    return [(text, record) for _, text, record in read_records(str(path), *arguments, **options)]


def refused(path, *arguments, **options):
    """The message of an input that is refused; it begins with the file's name."""
    with pytest.raises(InputError) as caught:
        rows(path, *arguments, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("u.CSV", "csv"),
        ("U.Tsv", "tsv"),
        ("u.JSONL", "jsonl"),
        ("u.ndjson.GZ", "jsonl"),
        ("u.csv.zst", "csv"),
        ("u.PARQUET", "parquet"),
        ("u", "lines"),
        ("-", "lines"),
        ("folder.csv/u", "lines"),
        ("u.MD", "lines"),
        ("u.txt.gz", "lines"),
    ],
)
def test_the_name_says_the_format_in_any_case(name, form):
    assert input_form(name) == form
    assert input_form(name, "tsv") == "tsv"


@pytest.mark.parametrize("name", ["x.xyz", "x.npy", "x.parquet.gz", "x.json", "x.csv.bz2"])
def test_a_suffix_that_says_nothing_is_an_error(name):
    with pytest.raises(InvalidOptionError, match="--input-format") as caught:
        input_form(name)
    assert str(caught.value).startswith(name)
    assert input_form(name, "jsonl") == "jsonl"


BEFORE = 8499


def json_lines(bad):
    return b'{"text": "a"}\n' * BEFORE + bad


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("u.txt", b"a\n" * BEFORE + "caf\xe9\n".encode("latin-1"), "found byte 0xe9"),
        ("u.csv", b"text\n" + b"a\n" * (BEFORE - 1) + b"caf\xe9\n", "found byte 0xe9"),
        ("u.csv", b"text\n" + b"a\n" * (BEFORE - 1) + b'"open\nb\n', "unexpected end of data"),
        ("u.csv", b"text,b\n" + b"a,1\n" * (BEFORE - 1) + b"a,1,2\n", "expected 2 columns"),
        ("u.jsonl", json_lines(b'{"text": "\\ud800"}\n'), "surrogate U+D800"),
        ("u.jsonl", json_lines(b'"\\ud800"\n'), "surrogate U+D800"),
        ("u.jsonl", json_lines(b'{"txt": "a"}\n'), "found none (columns: txt)"),
        ("u.jsonl", json_lines(b'{"text": 7}\n'), "found int"),
        ("u.jsonl", json_lines(b'{"text": null}\n'), "found NoneType"),
        ("u.jsonl", json_lines(b'{"text": "a", "text": "b"}\n'), "the key 'text' twice"),
        ("u.jsonl", json_lines(b'{"text": "a", "b": {"c": 1, "c": 2}}\n'), "the key 'c' twice"),
        ("u.jsonl", json_lines(b"[1]\n"), "expected a JSON object"),
        ("u.jsonl", json_lines(b'{"text": "a"\n'), "expected JSON"),
    ],
)
def test_errors_name_the_line(tmp_path, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    message = refused(path)
    assert message.startswith(f", line {BEFORE + 1}: ")
    assert says in message
    packed = tmp_path / (name + ".gz")
    packed.write_bytes(gzip.compress(data, 1))
    assert refused(packed) == message


def test_a_row_begins_at_its_first_line(tmp_path):
    path = tmp_path / "u.csv"
    path.write_bytes(b'text,b\n"a\nb\nc",1\nx,1,2\n')
    assert refused(path).startswith(", line 5: ")
    path.write_bytes(b'body,b\n"a\nb\nc",1\n')
    assert refused(path).startswith(", line 2: expected text in 'text', found none")


@pytest.mark.parametrize("end", [-1, -9, -30])
def test_a_truncated_gzip_is_an_error(tmp_path, end):
    path = tmp_path / "u.txt.gz"
    path.write_bytes(gzip.compress("".join(f"row {n}\n" for n in range(5000)).encode())[:end])
    assert ": cannot be read: " in refused(path)


@pytest.mark.parametrize("end", [-1, -9, -30])
def test_a_truncated_zst_is_an_error(tmp_path, end):
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "u.txt.zst"
    text = "".join(f"row {n}\n" for n in range(5000)).encode()
    path.write_bytes(zstandard.compress(text) + zstandard.compress(text)[:end])
    assert ": cannot be read: " in refused(path)
    path.write_bytes(zstandard.compress(text) + zstandard.compress(text))
    assert len(rows(path)) == 10_000


def test_a_column_twice_in_the_header_is_an_error(tmp_path):
    path = tmp_path / "u.csv"
    path.write_bytes(b"text,b,b\na,1,2\n")
    assert refused(path) == ", line 1: expected columns of different names, found 'b' twice"


def test_a_reserved_column_is_refused_where_it_first_comes(tmp_path):
    path = tmp_path / "u.jsonl"
    path.write_bytes(b'{"text": "a"}\n{"text": "b", "embedding": [1]}\n')
    message = refused(path, reserved=RESERVED)
    assert message.startswith(", line 2: expected no column 'embedding'")
    assert ".npy" in message
    assert len(rows(path)) == 2
    path = tmp_path / "without-rows.csv"
    path.write_bytes(b"text,embedding\n")
    assert refused(path, reserved=RESERVED).startswith(": expected no column 'embedding'")


def test_parquet_errors_name_the_row(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "u.parquet"
    texts = ["a"] * 9000 + [None]
    parquet.write_table(pyarrow.table({"text": texts}), path)
    assert refused(path).startswith(", row 9001: expected text in 'text', found NoneType")
    parquet.write_table(pyarrow.table({"body": ["a"]}), path)
    assert refused(path).startswith(", row 1: expected text in 'text', found none")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "expected Parquet" in refused(path)


def test_places_are_those_of_the_file(tmp_path):
    path = tmp_path / "u.jsonl"
    path.write_bytes(b'\n"a"\n\n\n{"text": "b"}\n')
    assert [place for place, _, _ in read_records(str(path))] == [
        f"{path}, line 2",
        f"{path}, line 5",
    ]
    source = ((str(n), json.dumps(n), {"n": n}) for n in range(6))
    assert [[places, len(texts), len(records)] for places, texts, records in blocks(source, 3)] == [
        [["0", "1", "2"], 3, 3],
        [["3", "4", "5"], 3, 3],
    ]


def test_a_text_that_cannot_be_embedded_is_named_by_its_place():
    places = ["u.csv, line 7", "u.csv, line 9"]
    with (
        pytest.raises(InvalidTextError, match=r"^u.csv, line 9: expected: this$"),
        placed(places.__getitem__),
    ):
        raise InvalidTextError("expected: this", index=1)
    with pytest.raises(InvalidTextError, match=r"^prompt: expected"), placed(places.__getitem__):
        raise InvalidTextError("prompt: expected valid Unicode")


@pytest.mark.parametrize("name", ["e.csv", "e.tsv", "e.parquet"])
def test_a_file_without_rows_names_a_column_that_it_lacks(tmp_path, name):
    path = tmp_path / name
    if name == "e.parquet":
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        schema = pyarrow.schema([("title", pyarrow.string())])
        parquet.write_table(pyarrow.Table.from_pylist([], schema=schema), path)
    else:
        path.write_text("title\n")
    assert list(read_records(str(path), column="title")) == []
    with pytest.raises(InputError, match=r"expected a column 'text', found title$"):
        list(read_records(str(path)))
