"""Texts out of files, with the columns around them, for the command line.

Records (a dict of columns) are read one after another, in constant memory.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from .errors import InputError

Record = dict[str, Any]

INPUT_FORMATS: Final = ("lines", "jsonl", "csv", "tsv")
TEXT_COLUMN: Final = "text"
# How many columns a row of CSV may lack. Each is filled in, so that many short rows of a wide table
# would take time and memory that the file's size does not explain.
MOST_MISSING: Final = 256

_SUFFIXES: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv"}


def read_records(
    path: str,
    form: str | None = None,
    column: str | None = None,
    *,
    opened: Callable[[IO[bytes]], None] = lambda file: None,
) -> Iterator[tuple[str, Record]]:
    """Read texts with the columns around them.

    Args:
        path: a file, gzipped if its name ends in `.gz`; `-` for standard input.
        form: one of `INPUT_FORMATS`; None decides by the name, `lines` where it tells nothing.
        column: the column (CSV) or member (JSON lines) that holds the text; `text` if None.
        opened: called with the file, as it is before it is unpacked.

    Yields:
        The text and the record it stands in; for `lines` the record is the text alone.

    Raises:
        InputError: the file cannot be read, a line is no JSON object, the column is missing.
    """
    name = Path(path.removesuffix(".gz"))
    form = form or _SUFFIXES.get(name.suffix, "lines")
    with _open_input(path, opened) as file:
        source = "standard input" if path == "-" else path
        try:
            for number, record in enumerate(_READERS[form](file, source), 1):
                key = TEXT_COLUMN if column is None else column
                text = record.get(key)
                if not isinstance(text, str):
                    found = "none" if key not in record else type(text).__name__
                    columns = ", ".join(map(str, record))
                    raise InputError(
                        f"{source}, row {number}: expected text in {key!r}, found {found} "
                        f"(columns: {columns})"
                    )
                yield text, record
        except UnicodeDecodeError as error:
            raise InputError(f"{source}: expected UTF-8, found {error.reason}") from None
        except (csv.Error, EOFError, gzip.BadGzipFile) as error:
            raise InputError(f"{source}: {error}") from None


def blocks(
    records: Iterable[tuple[str, Record]], size: int
) -> Iterator[tuple[list[str], list[Record]]]:
    """Cut a stream of records into blocks of at most `size`."""
    records = iter(records)
    while block := list(itertools.islice(records, size)):
        yield [text for text, _ in block], [record for _, record in block]


@contextlib.contextmanager
def _open_input(path: str, opened: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    try:
        if path == "-":
            opened(sys.stdin.buffer)
            yield sys.stdin.buffer
            return
        with Path(path).open("rb") as raw:
            opened(raw)
            yield gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw  # type: ignore[misc]
    except BrokenPipeError:
        raise
    except OSError as error:
        source = "standard input" if path == "-" else path
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None


def _decode(file: IO[bytes], newline: str) -> IO[str]:
    # utf-8-sig: a byte order mark, which spreadsheets write, is no text.
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)


def _lines(file: IO[bytes], source: str) -> Iterator[Record]:
    # A record ends at a line feed alone: what else str.splitlines() cuts at may be text.
    for line in _decode(file, "\n"):
        yield {TEXT_COLUMN: line.removesuffix("\n").removesuffix("\r")}


def _json_lines(file: IO[bytes], source: str) -> Iterator[Record]:
    for number, line in enumerate(_decode(file, "\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source}, line {number}: expected JSON, found {error}") from None
        if not isinstance(value, dict):
            found = type(value).__name__
            raise InputError(f"{source}, line {number}: expected a JSON object, found {found}")
        yield value


def _csv(file: IO[bytes], source: str, dialect: str = "excel") -> Iterator[Record]:
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(_decode(file, ""), dialect=dialect, strict=True)
    names = next(rows, [])
    for cells in filter(None, rows):
        missing = len(names) - len(cells)
        if not 0 <= missing <= MOST_MISSING:
            found = "more" if missing < 0 else str(len(cells))
            expected = f"{len(names)} columns"
            raise InputError(f"{source}, line {rows.line_num}: expected {expected}, found {found}")
        yield dict(itertools.zip_longest(names, cells))


def _tsv(file: IO[bytes], source: str) -> Iterator[Record]:
    return _csv(file, source, "excel-tab")


_READERS: Final[dict[str, Callable[[IO[bytes], str], Iterator[Record]]]] = {
    "lines": _lines,
    "jsonl": _json_lines,
    "csv": _csv,
    "tsv": _tsv,
}
