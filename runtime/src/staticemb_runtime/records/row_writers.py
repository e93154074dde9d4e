"""Write rows without vectors: JSON lines, CSV, TSV, lines of text, or Parquet."""

from __future__ import annotations

import csv
import io
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, Protocol

from ..errors import InvalidOptionError, OutputError
from .compression import COMPRESSION_SUFFIXES, compressed, compression_suffix
from .forms import form_of
from .output_file import output_file, output_name, reported
from .readers import TEXT_COLUMN, Record
from .writers import record_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .parquet import ParquetRows, Schema

ROW_FORMATS: Final = ("jsonl", "csv", "tsv", "lines", "parquet")


class RowWriter(Protocol):
    """Writes records to an open file."""

    def write(self, record: Record) -> None:
        """Add a record."""


def row_form(path: str) -> str:
    """Return the format to write rows in, one of `ROW_FORMATS`, by the file's name.

    Raises:
        InvalidOptionError: the suffix is unknown.
    """
    form = "jsonl" if path == "-" else form_of(path)
    if form not in ROW_FORMATS:
        raise InvalidOptionError(
            f"{path}: expected a name ending in .jsonl, .csv, .tsv, .txt or .parquet, all but the "
            f"last also with {' or '.join(COMPRESSION_SUFFIXES)} after it"
        )
    return form


@contextmanager
def open_rows_writer(path: str, added: Callable[[], Schema] | None = None) -> Iterator[RowWriter]:
    """Open a file to write rows; it is kept only if the block succeeds.

    Args:
        path: the file; `-` for standard output, which gets JSON lines.
        added: returns the Arrow schema of the columns that the output adds to those of the input,
            for Parquet; None: it adds none.

    Raises:
        InvalidOptionError: as `row_form`.
        OutputError: the file cannot be written, its format cannot hold a record, or a package is
            missing.
    """
    form = row_form(path)
    with output_file(path, seek=form == "parquet") as file:
        if form == "parquet":
            with _parquet_writer(path, file, added) as writer:
                yield writer
            return
        suffix = "" if path == "-" else compression_suffix(path)
        try:
            stream = compressed(file, suffix)
        except ImportError:
            raise OutputError(
                f"{path}: writing .zst needs zstandard: pip install 'staticemb-runtime[zstd]'"
            ) from None
        kinds: dict[str, type[_JsonLines | _Lines | _Table]] = {
            "jsonl": _JsonLines,
            "lines": _Lines,
        }
        with reported(path):
            yield kinds.get(form, _Table)(path, stream)
            if stream is not file:
                stream.close()


@contextmanager
def _parquet_writer(
    path: str, file: IO[bytes], added: Callable[[], Schema] | None
) -> Iterator[ParquetRows]:
    from .parquet import ParquetRows  # late: only this format needs it

    writer = ParquetRows(path, file, added)
    try:
        with reported(path):
            yield writer
            writer.finish()
    finally:
        writer.release()


class _JsonLines:
    def __init__(self, path: str, file: IO[bytes]) -> None:
        self._path, self._file = path, file

    def write(self, record: Record) -> None:
        try:
            line = record_json(record)
        except (TypeError, ValueError, RecursionError) as error:
            raise OutputError(
                f"{output_name(self._path)}: expected values that JSON can hold, {error}"
            ) from None
        self._file.write(f"{line}\n".encode("utf-8", "backslashreplace"))


class _Lines:
    def __init__(self, path: str, file: IO[bytes]) -> None:
        self._path, self._file = path, file

    def write(self, record: Record) -> None:
        text = next((value for value in record.values() if isinstance(value, str)), "")
        if set(record) != {TEXT_COLUMN} or "\n" in text or "\r" in text:
            raise OutputError(
                f"{self._path}: expected texts of one line without other columns, which a file of "
                "lines can hold; write .jsonl"
            )
        self._file.write(f"{text}\n".encode())


class _Table:
    """A writer of CSV or TSV; the first record has all columns."""

    def __init__(self, path: str, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        name = path[: len(path) - len(compression_suffix(path))]
        is_tsv = os.path.splitext(name)[1].lower() == ".tsv"  # noqa: PTH122 - a string
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, dialect="excel-tab" if is_tsv else "excel")
        self._names: list[str] | None = None

    def write(self, record: Record) -> None:
        if self._names is None:
            self._names = list(record)
            self._writer.writerow(self._names)
        if not record.keys() <= set(self._names):
            raise OutputError(
                f"{self._path}: expected the columns {', '.join(self._names)}, found "
                f"{', '.join(record)}; write .jsonl"
            )
        self._writer.writerow([record.get(name) for name in self._names])
        self._file.write(self._buffer.getvalue().encode("utf-8", "backslashreplace"))
        self._buffer.seek(0)
        self._buffer.truncate()
