"""Texts out of files, with the columns around them: one dialect for both packages' commands.

Records (a dict of columns) are read one after another, in constant memory. Every error names the
file and the line, or the row of a Parquet file.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Final

from ..errors import InputError, InvalidOptionError
from .compression import PACKINGS, packing_of
from .readers import (
    TEXT_COLUMN,
    Record,
    check_names,
    check_unicode,
    csv_rows,
    json_record,
    open_input,
    parquet_rows,
    text_lines,
)

INPUT_FORMATS: Final = ("lines", "jsonl", "csv", "tsv", "parquet")
SUFFIXES: Final = {
    "": "lines",
    ".txt": "lines",
    ".text": "lines",
    ".md": "lines",
    ".rst": "lines",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
"""What a file holds by its suffix, in any case; all but Parquet may be packed."""


# How many columns a row of CSV may lack. Each is filled in, so that many short rows of a wide table
# would take time and memory that the file's size does not explain.
MOST_MISSING: Final = 256


def form_of(path: str) -> str | None:
    """What a file holds, by its name: one of `INPUT_FORMATS`; None for another suffix.

    Example:
        >>> form_of("U.CSV"), form_of("u.jsonl.gz"), form_of("u"), form_of("u.xyz")
        ('csv', 'jsonl', 'lines', None)
    """
    packing = packing_of(path)
    name = path[: len(path) - len(packing)]
    form = SUFFIXES.get(os.path.splitext(name)[1].lower())  # noqa: PTH122
    return None if packing and form == "parquet" else form


def input_form(path: str, form: str | None = None) -> str:
    """The format to read a file in.

    Args:
        path: the file; `-`, which holds lines, for standard input.
        form: one of `INPUT_FORMATS`; None decides by the name.

    Raises:
        InvalidOptionError: the name has a suffix that says nothing.
    """
    if not path:
        raise InvalidOptionError("input: expected the name of a file, or - for standard input, "
                                 "found an empty name")  # fmt: skip
    form = form or ("lines" if path == "-" else form_of(path))
    if form is None:
        known = ", ".join(filter(None, SUFFIXES))
        raise InvalidOptionError(
            f"{path}: expected no suffix or one of {known}, all but the last also with "
            f"{' or '.join(PACKINGS)} after it; or --input-format, which says what the file holds"
        )
    return form


def read_records(
    path: str,
    form: str | None = None,
    column: str | None = None,
    *,
    reserved: str | None = None,
    opened: Callable[[IO[bytes]], None] = lambda file: None,
) -> Iterator[tuple[str, str, Record]]:
    """Read texts with the columns around them.

    Args:
        path: a file, packed if its name ends in `.gz` or `.zst`; `-` for standard input.
        form: as for `input_form`.
        column: the column (CSV, TSV, Parquet) or member (JSON lines) that holds the text; `text`
            if None.
        reserved: a column that must not be there.
        opened: called with the file, as it is before it is unpacked.

    Yields:
        The place (`FILE, line N` or, in Parquet, `FILE, row N`), the text, and the record it
        stands in; for `lines` the record is the text alone.

    Raises:
        InputError: the file cannot be read, a line is no JSON object, the column is missing, or the
            text is no text. The message names the line or the row.
        InvalidOptionError: as for `input_form`.
    """
    form = input_form(path, form)
    source = "standard input" if path == "-" else path
    unit = "row" if form == "parquet" else "line"
    key = TEXT_COLUMN if column is None else column
    with open_input(path, opened) as file:
        names: list[str] = []
        number = 0
        for number, record in _READERS[form](file, source, names):
            text, place = record.get(key), f"{source}, {unit} {number}"
            if not isinstance(text, str):
                found = "none" if key not in record else type(text).__name__
                columns = ", ".join(map(str, record))
                raise InputError(
                    f"{place}: expected text in {key!r}, found {found} (columns: {columns})"
                )
            if not text.isascii():
                check_unicode(text, place)
            if reserved is not None and reserved in record:
                raise InputError(
                    f"{place}: expected no column {reserved!r}, which the output has for the "
                    "vectors; rename or drop it, or write .npy"
                )
            yield place, text, record
        if not number and names and key not in names:
            raise InputError(f"{source}: expected a column {key!r}, found {', '.join(names)}")


def given_texts(texts: Sequence[str]) -> Iterator[tuple[str, str, Record]]:
    """Texts of a command line, as `read_records` gives those of a file.

    Raises:
        InputError: one is no Unicode text.
    """
    for number, text in enumerate(texts, 1):
        place = f"text {number}"
        check_unicode(text, place)
        yield place, text, {TEXT_COLUMN: text}


def blocks(
    records: Iterable[tuple[str, str, Record]], size: int
) -> Iterator[tuple[list[str], list[str], list[Record]]]:
    """Cut a stream of places, texts and records into blocks of at most `size`."""
    records = iter(records)
    while block := list(itertools.islice(records, size)):
        places, texts, rows = zip(*block, strict=True)
        yield list(places), list(texts), list(rows)


# A reader yields each row with its number, and puts the names in a header into the list.
def _lines(file: IO[bytes], source: str, header: list[str]) -> Iterator[tuple[int, Record]]:
    for number, line in text_lines(file, source):
        yield number, {TEXT_COLUMN: line.removesuffix("\n").removesuffix("\r")}


def _json_lines(file: IO[bytes], source: str, header: list[str]) -> Iterator[tuple[int, Record]]:
    for number, line in text_lines(file, source):
        if line.strip():
            yield number, json_record(line, f"{source}, line {number}")


def _csv(
    file: IO[bytes], source: str, header: list[str], dialect: str = "excel"
) -> Iterator[tuple[int, Record]]:
    rows = csv_rows(text_lines(file, source), source, dialect)
    first, names = next(rows, (1, []))
    check_names(names, f"{source}, line {first}")
    header += names
    for number, cells in rows:
        if not 0 <= len(names) - len(cells) <= MOST_MISSING:
            raise InputError(
                f"{source}, line {number}: expected {len(names)} columns, found {len(cells)}"
            )
        yield number, dict(itertools.zip_longest(names, cells))


def _tsv(file: IO[bytes], source: str, header: list[str]) -> Iterator[tuple[int, Record]]:
    return _csv(file, source, header, "excel-tab")


def _parquet(file: IO[bytes], source: str, header: list[str]) -> Iterator[tuple[int, Record]]:
    try:
        yield from enumerate(parquet_rows(file, source, header=header), 1)
    except ImportError:
        raise InputError(
            f"{source}: Parquet needs pyarrow: pip install 'staticemb-runtime[parquet]'"
        ) from None


_READERS: Final = {
    "lines": _lines,
    "jsonl": _json_lines,
    "csv": _csv,
    "tsv": _tsv,
    "parquet": _parquet,
}
