"""Rows out of files: JSON lines, CSV, TSV and Parquet, compressed or not, read in streams."""

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
    form_of,
    json_record,
    unpacked,
)

from ..errors import MissingPackageError, TextSourceError

# A line without end must not fill the memory.
_LONGEST_LINE = 1 << 24
_KINDS = {"lines": "plain", "jsonl": "json", "csv": "csv", "tsv": "tsv", "parquet": "parquet"}

Record = Mapping[str, object]
"""A row: its columns' names and what stands in them."""


def kind_of(path: Path) -> str | None:
    """What a file holds, by its name: plain, json, csv, tsv or parquet; None: another kind."""
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
            `.zst` after it. A TSV file has one row a line; quotes that enclose a whole cell are
            taken off, others are characters like any.
        columns: Those that are needed; others of a Parquet file are then not read.
        header: Whether the first row of a CSV or TSV file names the columns. If not, they are
            called "1", "2" and so on.
        strict: Refuse a row of a CSV or TSV file that is shorter or longer than the first.

    Yields:
        Where a row stands, for messages, and the row.

    Raises:
        TextSourceError: The file cannot be read. Its sub-classes: TextSourceError, bytes that are
            not UTF-8; TextSourceError, a column is not there; TextSourceError, by `strict`, or
            where a row lacks more than 256 columns.
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
    """Turn what can go wrong while a file is read into this package's errors.

    Raises:
        TextSourceError: The bytes are not UTF-8; the message names the line.
        TextSourceError: The file cannot be read.
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
    """Turn the runtime's errors of input into this package's."""
    try:
        yield
    except InputError as error:
        raise TextSourceError(str(error)) from None


def open_text(path: Path) -> IO[str]:
    """Open a file in UTF-8, unpacking `.gz` and `.zst`; line ends stay as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


def read_lines(file: IO[str], path: Path) -> Iterator[str]:
    """Read a file's lines, with their ends.

    Raises:
        TextSourceError: One is too long to be a line.
    """
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise TextSourceError(
                f"{path}: expected lines, found one of over {_LONGEST_LINE} characters"
            )
        yield line


def open_bytes(path: Path) -> Any:  # noqa: ANN401 - three packages' own readers of bytes
    """Open a file to read its bytes, unpacking `.gz` and `.zst`.

    Raises:
        MissingPackageError: `.zst` needs zstandard.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return gzip.open(path, "rb")
    if suffix == ".zst":
        try:
            return unpacked(path.open("rb"), suffix)
        except ImportError as error:
            raise MissingPackageError(f"{path}: to read it, install zstandard") from error
    return path.open("rb")


def _undecodable_line(path: Path) -> int:
    """The number of the first line that is not UTF-8. No character's bytes hold a line feed."""
    number = 1
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as file:
        while block := file.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return number + bytes(error.object[: error.start]).count(b"\n")
            number += block.count(b"\n")
    return number


def _json_lines(path: Path) -> Iterator[tuple[str, Record]]:
    with open_text(path) as file:
        for number, line in enumerate(read_lines(file, path), 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            with _reported():
                record = json_record(line, where)
            yield where, record


def _table(
    path: Path, header: Callable[[list[str]], bool], *, tsv: bool, strict: bool
) -> Iterator[tuple[str, Record]]:
    names: list[str] | None = None
    with open_text(path) as file:
        for number, cells in (_tsv if tsv else _csv)(file, path):
            if names is None:
                named = header(cells)
                names = cells if named else [str(place) for place, _ in enumerate(cells, 1)]
                if named:
                    with _reported():
                        check_names([name for name in names if name], f"{path}, line {number}")
                    continue
            where = f"{path}, line {number}"
            if len(cells) != len(names):
                if strict or len(names) - len(cells) > MOST_MISSING:
                    raise TextSourceError(
                        f"{where}: expected {len(names)} columns as in the first row, "
                        f"found {len(cells)}"
                    )
                cells += [""] * (len(names) - len(cells))
            yield where, {name: cell for name, cell in zip(names, cells, strict=False) if name}


def _csv(file: IO[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    with _reported():
        yield from csv_rows(enumerate(read_lines(file, path), 1), str(path))


def _tsv(file: IO[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(file, path), 1):
        if line := line.rstrip("\r\n"):
            yield number, _cells(line)


def _cells(line: str) -> list[str]:
    """The cells of a line of TSV: quoted as spreadsheets do it, or else as they stand."""
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
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            with _reported():
                check_names(names, str(path))
            if missing := [name for name in columns if name not in names]:
                found = ", ".join(names)
                raise TextSourceError(f"{path}: expected a column {missing[0]!r}, found {found}")
            for batch in file.iter_batches(batch_size=4096, columns=list(columns) or names):
                records: list[dict[str, Any]] = batch.to_pylist()
                for record in records:
                    number += 1
                    yield f"{path}, row {number}", record
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise TextSourceError(f"{path}: expected Parquet ({error})") from error
