"""Read rows from files: lines, JSON lines, CSV and Parquet, compressed or not.

Every error names the file and the line, or the row of a Parquet file.
"""

from __future__ import annotations

import contextlib
import csv
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from ..errors import InputEncodingError, InputError
from ..format import strict_json
from ..format.surrogates import lone_surrogate
from .compression import compression_suffix, decompressed

Record = dict[str, Any]

TEXT_COLUMN: Final = "text"

# Spark and Hive write INT96, and 9999-12-31 for "never". pyarrow's choice, nanoseconds, silently
# makes other years of those outside of 1677 to 2262.
PARQUET_DATES: Final = {"coerce_int96_timestamp_unit": "us"}

_BOM: Final = b"\xef\xbb\xbf"  # spreadsheets write it before the text


@contextlib.contextmanager
def open_input(
    path: str, opened: Callable[[IO[bytes]], None] = lambda file: None
) -> Iterator[IO[bytes]]:
    """Open a file to read its uncompressed bytes.

    Args:
        path: the file; `-` for standard input.
        opened: called with the opened file, before decompression.

    Yields:
        The file, opened in binary mode.

    Raises:
        InputError: the file cannot be opened, or the package for its compression is missing.
    """
    if path == "-":
        opened(sys.stdin.buffer)
        yield sys.stdin.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            raw = stack.enter_context(Path(path).open("rb"))
            opened(raw)
            file = decompressed(raw, compression_suffix(path))
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
        except ImportError:
            raise InputError(
                f"{path}: reading .zst needs zstandard: pip install 'staticemb-runtime[zstd]'"
            ) from None
        yield file


def text_lines(
    file: IO[bytes], source: str, *, longest: int | None = None
) -> Iterator[tuple[int, str]]:
    """Decode the lines of a file.

    Only a line feed ends a line: the other separators of `str.splitlines` may be part of a text.

    Args:
        file: UTF-8, with or without a byte order mark.
        source: the name of the file in messages.
        longest: the maximum length of a line in bytes, which limits memory; None: no limit.

    Yields:
        The number of each line, from 1, and the line with its line end.

    Raises:
        InputEncodingError: a line is not UTF-8.
        InputError: the file cannot be read or decompressed completely, or a line is too long.
    """
    number = 0
    lines = iter(partial(file.readline, -1 if longest is None else longest), b"")
    try:
        for number, raw in enumerate(lines, 1):
            if longest is not None and len(raw) >= longest and not raw.endswith(b"\n"):
                raise InputError(f"{source}, line {number}: expected lines of less than {longest} "
                                 "bytes, found a longer one")  # fmt: skip
            if number == 1:
                raw = raw.removeprefix(_BOM)
                if not raw:
                    continue
            try:
                yield number, raw.decode()
            except UnicodeDecodeError as error:
                raise InputEncodingError(
                    f"{source}, line {number}: expected UTF-8, "
                    f"found byte {raw[error.start]:#04x} at position {error.start}"
                ) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{source}, line {number + 1}: cannot be read: {reason}") from None


def json_record(line: str, place: str) -> Record:
    """Read a line of a JSON lines file: an object, or a string, which stands for the text.

    Args:
        line: the line.
        place: the file and the line, for messages.

    Raises:
        InputError: the line is neither an object nor a string.
    """
    try:
        value = strict_json.loads(line, members=_members)
    except (ValueError, RecursionError) as error:
        at = f" at character {error.pos + 1}" if hasattr(error, "pos") else ""
        reason = f"{getattr(error, 'msg', error)}{at}"
        raise InputError(f"{place}: expected JSON, found an error: {reason}") from None
    if isinstance(value, str):
        return {TEXT_COLUMN: value}
    if not isinstance(value, dict):
        raise InputError(f"{place}: expected a JSON object, found {type(value).__name__}")
    return value


def csv_rows(
    lines: Iterable[tuple[int, str]], source: str, dialect: str = "excel"
) -> Iterator[tuple[int, list[str]]]:
    """Split the lines of a CSV file into rows; a quoted cell may span several lines.

    Args:
        lines: the lines with their numbers.
        source: the name of the file in messages.
        dialect: a dialect of the module `csv`.

    Yields:
        The number of each row's first line, and its cells. Empty lines are skipped.

    Raises:
        InputError: a quote is not closed, or not followed by a delimiter.
    """
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader((line for _, line in lines), dialect=dialect, strict=True)
    first = 1
    try:
        for cells in rows:
            if cells:
                yield first, cells
            first = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"{source}, line {first}: expected CSV, found an error: {error}") from None


def check_names(names: Sequence[str], place: str) -> None:
    """Refuse repeated column names.

    Raises:
        InputError: a name is repeated.
    """
    if len(set(names)) < len(names):
        repeated = next(name for at, name in enumerate(names) if name in names[:at])
        raise InputError(f"{place}: expected columns of different names, found {repeated!r} twice")


def parquet_rows(file: IO[bytes], source: str) -> tuple[list[str], Iterator[Record]]:
    """Read the columns' names and the rows of a Parquet file.

    Args:
        file: the file; it is read into memory if it cannot seek.
        source: the name of the file in messages.

    Returns:
        The names of all columns, and the rows. Reading the rows raises `InputError` if the file is
        damaged or holds a value that Python has no type for.

    Raises:
        ImportError: pyarrow is missing.
        InputError: the file is not Parquet, or repeats a column name.
    """
    import pyarrow.parquet  # late: optional, and slow to import

    try:
        seekable = file if file.seekable() else io.BytesIO(file.read())
        table = pyarrow.parquet.ParquetFile(seekable, pre_buffer=False, **PARQUET_DATES)
        names: list[str] = table.schema_arrow.names
    except (pyarrow.ArrowException, ValueError, OverflowError, OSError) as error:
        raise not_parquet(source, error) from None
    check_names(names, source)
    return names, _parquet_records(table, source)


def _parquet_records(table: Any, source: str) -> Iterator[Record]:  # noqa: ANN401 - pyarrow's
    import pyarrow

    number = 0
    try:
        with table:
            # A thread of pyarrow that still holds this file of Python when the process exits ends
            # it with SIGABRT.
            for batch in table.iter_batches(batch_size=4096, use_threads=False):
                rows: list[Record] = batch.to_pylist()
                yield from rows
                number += len(rows)
    except (pyarrow.ArrowException, ValueError, OverflowError, OSError) as error:
        place = f"{source}, after row {number}" if number else source
        raise not_parquet(place, error) from None


def not_parquet(place: str, error: Exception) -> InputError:
    """Return the error for a file of Parquet that pyarrow refuses."""
    reason = (str(error).splitlines() or ["an error"])[0]
    return InputError(f"{place}: expected Parquet, found an error: {reason}")


def check_unicode(text: str, place: str) -> None:
    """Refuse lone surrogates, which JSON and a command line may contain.

    Raises:
        InputError: the text holds a lone surrogate.
    """
    if surrogate := lone_surrogate(text):
        raise InputError(f"{place}: expected valid Unicode, found {surrogate}")


def _members(pairs: list[tuple[str, Any]]) -> Record:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for at, name in enumerate(names) if name in names[:at])
        raise ValueError(f"the key {repeated!r} twice in one object")
    return members
