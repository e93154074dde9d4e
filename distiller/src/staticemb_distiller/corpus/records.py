"""Rows of JSON lines, CSV, TSV and Parquet files, compressed or not, read as streams."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from staticemb_runtime.errors import InputError
from staticemb_runtime.records import (
    MOST_MISSING,
    check_names,
    csv_rows,
    decompressed,
    form_of,
    json_record,
)

from ..errors import MissingPackageError, TextSourceError

# A very long line must not fill the memory.
_LONGEST_LINE = 1 << 24
_KINDS = {"lines": "plain", "jsonl": "json", "csv": "csv", "tsv": "tsv", "parquet": "parquet"}

Record = Mapping[str, object]
"""A row: values by column name."""


def kind_of(path: Path) -> str | None:
    """Return a file's kind by its name: plain, json, csv, tsv or parquet; None: another kind."""
    return _KINDS.get(form_of(path.name) or "")


def read_records(
    path: Path,
    columns: Sequence[str] = (),
    *,
    header: Callable[[list[str]], bool] = lambda cells: True,
    strict: bool = False,
) -> Iterator[tuple[str, Record]]:
    """Read the rows of a file that is not plain text.

    Args:
        path: A `.jsonl`, `.csv`, `.tsv` or `.parquet` file, all but the last also with `.gz` or
            `.zst` after it. A TSV file has one row per line; quotes that enclose a whole cell are
            removed, other quotes are ordinary characters.
        columns: The needed columns; other columns of a Parquet file are then not read.
        header: Whether the first row of a CSV or TSV file names the columns. If not, the columns
            are named "1", "2" and so on.
        strict: Whether to refuse a row of a CSV or TSV file that is shorter than the first. A
            longer row is always refused: its text may be cut at a comma that needs quotes.

    Yields:
        The row's location for messages, and the row.

    Raises:
        TextSourceError: The file cannot be read or is not UTF-8, a column is missing, or a row is
            longer than the first, or too short: by `strict`, or by more than 256 columns.
        MissingPackageError: Parquet needs pyarrow, `.zst` needs zstandard.
    """
    kind = kind_of(path)
    with reading(path):
        if kind == "json":
            yield from _json_lines(path)
        elif kind == "parquet":
            yield from _parquet(path, columns)
        else:
            yield from _table(path, header, tsv=kind == "tsv", strict=strict)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of reading a file into this package's errors.

    Raises:
        TextSourceError: The file cannot be read, or it is not UTF-8; the message then names the
            line.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x}"
        raise TextSourceError(
            f"{path}, line {_undecodable_line(path)}: expected UTF-8, found {found}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise TextSourceError(f"{path}: cannot be read: {error}") from error


@contextmanager
def _reported() -> Iterator[None]:
    """Turn the runtime's `InputError` into this package's error."""
    try:
        yield
    except InputError as error:
        raise TextSourceError(str(error)) from None


def open_text(path: Path) -> IO[str]:
    """Open a UTF-8 file, decompressing `.gz` and `.zst`; line ends stay as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


def read_lines(file: IO[str], path: Path) -> Iterator[str]:
    """Read a file's lines, with their ends.

    Raises:
        TextSourceError: A line is too long.
    """
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise TextSourceError(
                f"{path}: expected lines of at most {_LONGEST_LINE} characters, found a longer line"
            )
        yield line


def open_bytes(path: Path) -> Any:  # noqa: ANN401 - three packages' own readers of bytes
    """Open a file to read its bytes, decompressing `.gz` and `.zst`.

    Raises:
        MissingPackageError: `.zst` needs zstandard.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return gzip.open(path, "rb")
    if suffix == ".zst":
        try:
            return decompressed(path.open("rb"), suffix)
        except ImportError as error:
            raise MissingPackageError(f"{path}: to read it, install zstandard") from error
    return path.open("rb")


def _undecodable_line(path: Path) -> int:
    """Return the number of the first line that is not UTF-8."""
    number = 1
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as file:
        while block := file.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return number + bytes(error.object[: error.start]).count(b"\n")
            number += block.count(b"\n")  # In UTF-8 only a line feed has this byte.
    return number


def _json_lines(path: Path) -> Iterator[tuple[str, Record]]:
    with open_text(path) as file:
        for number, line in enumerate(read_lines(file, path), 1):
            if not line.strip():
                continue
            location = f"{path}, line {number}"
            with _reported():
                record = json_record(line, location)
            yield location, record


def _table(
    path: Path, header: Callable[[list[str]], bool], *, tsv: bool, strict: bool
) -> Iterator[tuple[str, Record]]:
    names: list[str] | None = None
    with open_text(path) as file:
        for number, cells in (_tsv if tsv else _csv)(file, path):
            if names is None:
                has_header = header(cells)
                names = cells if has_header else [str(index) for index, _ in enumerate(cells, 1)]
                if has_header:
                    with _reported():
                        check_names([name for name in names if name], f"{path}, line {number}")
                    continue
            location = f"{path}, line {number}"
            missing = len(names) - len(cells)
            if missing < 0 or missing > (0 if strict else MOST_MISSING):
                raise TextSourceError(
                    f"{location}: expected {len(names)} columns as in the first row, "
                    f"found {len(cells)}"
                )
            cells += [""] * missing
            yield location, {name: cell for name, cell in zip(names, cells, strict=True) if name}


def _csv(file: IO[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    with _reported():
        yield from csv_rows(enumerate(read_lines(file, path), 1), str(path))


def _tsv(file: IO[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(file, path), 1):
        if line := line.rstrip("\r\n"):
            yield number, _cells(line)


def _cells(line: str) -> list[str]:
    """Return the cells of a TSV line; quotes are parsed as in CSV, or kept if that fails."""
    if '"' in line:
        try:
            return next(csv.reader([line], delimiter="\t", strict=True))
        except csv.Error:
            pass
    return line.split("\t")


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, Record]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError(f"{path}: to read it, install pyarrow") from error
    number = 0
    try:
        # As the runtime reads dates of Spark.
        with pyarrow.parquet.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            names = file.schema_arrow.names
            with _reported():
                check_names(names, str(path))
            if missing := [name for name in columns if name not in names]:
                columns_found = ", ".join(names)
                raise TextSourceError(
                    f"{path}: expected a column {missing[0]!r}, found {columns_found}"
                )
            for batch in file.iter_batches(batch_size=4096, columns=list(columns) or names):
                records: list[dict[str, Any]] = batch.to_pylist()
                for record in records:
                    number += 1
                    yield f"{path}, row {number}", record
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise TextSourceError(f"{path}: expected Parquet ({error})") from error
