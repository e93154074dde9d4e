"""Read texts and their records from files, by the same rules in the commands of both packages.

A record is a dict of columns. Records are read one by one, in constant memory. Every error names
the file and the line, or the row of a Parquet file.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import IO, Final

from ..errors import InputError, InvalidOptionError
from .compression import COMPRESSION_SUFFIXES, compression_suffix
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
"""The format of a file by its suffix, in any case; all but Parquet may be compressed."""


BLOCK_CHARACTERS: Final = 1 << 23

MOST_MISSING: Final = 256
"""How many columns a row of CSV may lack.

Missing columns are filled in, so many short rows of a wide table would take time and memory out of
proportion to the file's size.
"""

NOTHING_RESERVED: Final[Mapping[str, str]] = MappingProxyType({})


def form_of(path: str) -> str | None:
    """Return the format of a file by its name, one of `INPUT_FORMATS`; None if unknown.

    Example:
        >>> form_of("U.CSV"), form_of("u.jsonl.gz"), form_of("u"), form_of("u.xyz")
        ('csv', 'jsonl', 'lines', None)
    """
    compression = compression_suffix(path)
    name = path[: len(path) - len(compression)]
    form = SUFFIXES.get(os.path.splitext(name)[1].lower())  # noqa: PTH122
    return None if compression and form == "parquet" else form


def input_form(path: str, form: str | None = None) -> str:
    """Return the format to read a file in.

    Args:
        path: the file; `-` for standard input, which holds lines by default.
        form: one of `INPUT_FORMATS`; None: by the file's name.

    Raises:
        InvalidOptionError: the name is empty or has an unknown suffix.
    """
    if not path:
        raise InvalidOptionError("input: expected the name of a file, or - for standard input, "
                                 "found an empty name")  # fmt: skip
    form = form or ("lines" if path == "-" else form_of(path))
    if form is None:
        known = ", ".join(filter(None, SUFFIXES))
        raise InvalidOptionError(
            f"{path}: expected no suffix or one of {known}, all but the last also with "
            f"{' or '.join(COMPRESSION_SUFFIXES)} after it; or pass --input-format"
        )
    return form


def read_records(
    path: str,
    form: str | None = None,
    column: str | None = None,
    *,
    nulls: bool = False,
    reserved: Mapping[str, str] = NOTHING_RESERVED,
    opened: Callable[[IO[bytes]], None] = lambda file: None,
    named: Callable[[Sequence[str]], None] = lambda names: None,
) -> Iterator[tuple[str, str | None, Record]]:
    """Read texts with their records.

    Args:
        path: a file, compressed if its name ends in `.gz` or `.zst`; `-` for standard input.
        form: as in `input_form`.
        column: the column (CSV, TSV, Parquet) or member (JSON lines) of the text; None: `text`.
        nulls: whether the text may be null; a missing member is an error all the same.
        reserved: columns that the input must not have, each with its remedy for the error.
        opened: called with the opened file, before decompression.
        named: called with the names of a table's columns before the first row.

    Yields:
        The place (`FILE, line N`, or `FILE, row N` for Parquet), the text, and its record. For
        `lines` the record holds the text alone.

    Raises:
        InputError: the file cannot be read, a line is not a JSON object, the column is missing, or
            its value is not a text. The message names the line or the row.
        InvalidOptionError: as `input_form`.
    """
    form = input_form(path, form)
    source = "standard input" if path == "-" else path
    unit = "row" if form == "parquet" else "line"
    key = TEXT_COLUMN if column is None else column
    with open_input(path, opened) as file:
        names, rows = open_rows(form, file, source)
        if names:
            _check_reserved(reserved, names, source)
            named(names)
        number = 0
        for number, record in rows:
            text, place = record.get(key), f"{source}, {unit} {number}"
            if not isinstance(text, str) and not (nulls and text is None and key in record):
                found = "none" if key not in record else type(text).__name__
                columns = ", ".join(map(str, record))
                raise InputError(
                    f"{place}: expected text in {key!r}, found {found} (columns: {columns})"
                )
            if text is not None and not text.isascii():
                check_unicode(text, place)
            _check_reserved(reserved, record, place)
            yield place, text, record
        if not number and names and key not in names:
            raise InputError(f"{source}: expected a column {key!r}, found {', '.join(names)}")


def _check_reserved(reserved: Mapping[str, str], names: Container[str], place: str) -> None:
    for name, remedy in reserved.items():
        if name in names:
            raise InputError(
                f"{place}: expected no column {name!r}, which the output uses; {remedy}"
            )


def given_texts(texts: Sequence[str]) -> Iterator[tuple[str, str, Record]]:
    """Iterate over texts of a command line, with places and records as `read_records`.

    Raises:
        InputError: a text is not valid Unicode.
    """
    for number, text in enumerate(texts, 1):
        place = f"text {number}"
        check_unicode(text, place)
        yield place, text, {TEXT_COLUMN: text}


def blocks(
    records: Iterable[tuple[str, str | None, Record]], size: int
) -> Iterator[tuple[list[str], list[str | None], list[Record]]]:
    """Cut a stream of places, texts and records into blocks.

    A block has at most `size` records, and at most `BLOCK_CHARACTERS` in the strings of its
    columns, unless one record alone has more.
    """
    places: list[str] = []
    texts: list[str | None] = []
    rows: list[Record] = []
    characters = 0
    for place, text, record in records:
        more = sum(len(value) for value in record.values() if isinstance(value, str))
        if places and characters + more > BLOCK_CHARACTERS:
            yield places, texts, rows
            places, texts, rows, characters = [], [], [], 0
        places.append(place)
        texts.append(text)
        rows.append(record)
        characters += more
        if len(places) == size:  # at once: the next record of a terminal may come much later
            yield places, texts, rows
            places, texts, rows, characters = [], [], [], 0
    if places:
        yield places, texts, rows


def open_rows(
    form: str, file: IO[bytes], source: str
) -> tuple[Sequence[str], Iterator[tuple[int, Record]]]:
    """Open the rows of a file.

    Args:
        form: one of `INPUT_FORMATS`.
        file: the uncompressed bytes.
        source: the name of the file in messages.

    Returns:
        The names of a table's columns, empty for formats without a header, and an iterator over
        the number of each line or row and its record. It raises `InputError` for invalid rows.

    Raises:
        InputError: the header is invalid.
    """
    if form == "lines":
        return (), _lines(file, source)
    if form == "jsonl":
        return (), _json_lines(file, source)
    if form == "parquet":
        return _parquet(file, source)
    return _csv(file, source, "excel-tab" if form == "tsv" else "excel")


def _lines(file: IO[bytes], source: str) -> Iterator[tuple[int, Record]]:
    for number, line in text_lines(file, source):
        yield number, {TEXT_COLUMN: line.removesuffix("\n").removesuffix("\r")}


def _json_lines(file: IO[bytes], source: str) -> Iterator[tuple[int, Record]]:
    for number, line in text_lines(file, source):
        if line.strip():
            yield number, json_record(line, f"{source}, line {number}")


def _csv(
    file: IO[bytes], source: str, dialect: str
) -> tuple[Sequence[str], Iterator[tuple[int, Record]]]:
    rows = csv_rows(text_lines(file, source), source, dialect)
    first, names = next(rows, (1, []))
    check_names(names, f"{source}, line {first}")
    return names, _csv_records(rows, names, source)


def _csv_records(
    rows: Iterable[tuple[int, list[str]]], names: Sequence[str], source: str
) -> Iterator[tuple[int, Record]]:
    for number, cells in rows:
        if not 0 <= len(names) - len(cells) <= MOST_MISSING:
            raise InputError(
                f"{source}, line {number}: expected {len(names)} columns, found {len(cells)}"
            )
        yield number, dict(itertools.zip_longest(names, cells))


def _parquet(file: IO[bytes], source: str) -> tuple[Sequence[str], Iterator[tuple[int, Record]]]:
    try:
        names, rows = parquet_rows(file, source)
    except ImportError:
        raise InputError(
            f"{source}: Parquet needs pyarrow: pip install 'staticemb-runtime[parquet]'"
        ) from None
    return names, enumerate(rows, 1)
