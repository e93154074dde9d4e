"""Write rows without vectors: JSON lines, CSV, TSV, lines of text, or Parquet."""

from __future__ import annotations

import csv
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, Protocol

from ..errors import InvalidOptionError, OutputError
from .compression import COMPRESSION_SUFFIXES, compressed
from .forms import form_of
from .output_file import is_stream, output_file, output_name, reported
from .readers import TEXT_COLUMN, Record
from .values import Utf8File, record_cells, record_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .parquet import ParquetRows, Schema

ROW_FORMATS: Final = ("jsonl", "csv", "tsv", "lines", "parquet")


class RowWriter(Protocol):
    """Writes records to an open file."""

    def begin(self, names: Sequence[str]) -> None:
        """Set the names of the columns, so that a file without records has a header.

        Only the first call has an effect. Formats without a header ignore it.
        """

    def write(self, record: Record, place: str) -> None:
        """Add a record; errors name the place that it was read from."""


def row_form(path: str, *, lines: bool = True) -> str:
    """Return the format to write rows in, one of `ROW_FORMATS`, by the file's name.

    Args:
        path: the file; `-` for standard output, which gets JSON lines, and so does a FIFO or a
            device without suffix, such as `/dev/stdout`.
        lines: whether a file of lines can hold the rows.

    Raises:
        InvalidOptionError: the name is empty, or its suffix is unknown.
    """
    if not path:
        raise InvalidOptionError(
            "output: expected the name of a file, or - for standard output, found an empty name"
        )
    form = "jsonl" if path == "-" else form_of(path)
    if form == "lines" and not os.path.splitext(path)[1] and is_stream(path):  # noqa: PTH122
        form = "jsonl"
    if form not in ROW_FORMATS or (form == "lines" and not lines):
        text = ", .txt" if lines else ""
        raise InvalidOptionError(
            f"{path}: expected a name ending in .jsonl, .csv, .tsv{text} or .parquet, all but the "
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
        stream = compressed(file, path)
        with reported(path):
            if form in ("csv", "tsv"):
                table = _Table(path, stream, "excel-tab" if form == "tsv" else "excel")
                yield table
                table.finish()
            else:
                yield (_JsonLines if form == "jsonl" else _Lines)(path, stream)
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

    def begin(self, names: Sequence[str]) -> None:
        pass

    def write(self, record: Record, place: str) -> None:
        try:
            line = record_json(record)
        except (TypeError, ValueError, RecursionError) as error:
            raise OutputError(
                f"{output_name(self._path)}: {place}: expected values that JSON can hold, {error}"
            ) from None
        self._file.write(f"{line}\n".encode("utf-8", "backslashreplace"))


class _Lines:
    def __init__(self, path: str, file: IO[bytes]) -> None:
        self._path, self._file = path, file

    def begin(self, names: Sequence[str]) -> None:
        pass

    def write(self, record: Record, place: str) -> None:
        text = next((value for value in record.values() if isinstance(value, str)), "")
        if set(record) != {TEXT_COLUMN} or "\n" in text or "\r" in text:
            raise OutputError(
                f"{self._path}: {place}: expected a text of one line without other columns, which "
                "a file of lines can hold; write .jsonl"
            )
        self._file.write(f"{text}\n".encode())


class _Table:
    """A writer of CSV or TSV; the first record has all columns."""

    def __init__(self, path: str, file: IO[bytes], dialect: str) -> None:
        self._path = path
        self._writer = csv.writer(Utf8File(file), dialect=dialect)
        self._names: list[str] | None = None
        self._without_rows: list[str] = []

    def begin(self, names: Sequence[str]) -> None:
        self._without_rows = self._without_rows or list(names)

    def write(self, record: Record, place: str) -> None:
        if self._names is None:
            self._names = list(record)
            self._writer.writerow(self._names)
        if not record.keys() <= set(self._names):
            raise OutputError(
                f"{self._path}: {place}: expected the columns {', '.join(self._names)}, found "
                f"{', '.join(record)}; write .jsonl or .parquet"
            )
        try:
            self._writer.writerow(record_cells(record, self._names))
        except (TypeError, ValueError, RecursionError) as error:
            raise OutputError(
                f"{self._path}: {place}: expected values that CSV can hold, {error}"
            ) from None

    def finish(self) -> None:
        """Write the header of a file without rows."""
        if self._names is None and self._without_rows:
            self._writer.writerow(self._without_rows)
