"""Readers of the plain files of evaluation data; each error names the file and the row.

A `.tsv` file is UTF-8 text with one row per line. Columns are separated by one tab; there is no
header and no quoting. A `.jsonl` file has one JSON object per line.
"""

import codecs
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from staticemb_runtime.errors import InputError
from staticemb_runtime.records import json_record

from ..corpus.digests import file_sha256
from ..errors import EvaluationError


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, from 1.

    Only a line feed ends a line: a text may contain other separators, such as U+2028.

    Raises:
        EvaluationError: a line is not UTF-8.
    """
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                raw = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
                yield number, raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
            except UnicodeDecodeError as error:
                raise bad_row(
                    path, number, "UTF-8 text", f"the byte 0x{raw[error.start]:02x}"
                ) from None


def bad_row(path: Path, number: int, expected: str, found: str) -> EvaluationError:
    """Return the error for a row: the file, the row, the expected and the actual content."""
    return EvaluationError(f"{path}, row {number}: expected {expected}, found {found}")


def tsv(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its number.

    Args:
        path: the file.
        columns: the names of the columns, for messages; each row must have as many cells.

    Raises:
        EvaluationError: a row has another number of cells, or an empty cell.
    """
    for number, line in lines(path):
        cells = line.split("\t")
        if len(cells) != len(columns):
            wanted = f"{len(columns)} columns ({', '.join(columns)}) separated by tabs"
            raise bad_row(path, number, wanted, f"{len(cells)}")
        for name, cell in zip(columns, cells, strict=True):
            if not cell.strip():
                raise bad_row(path, number, f"a {name}", "nothing")
        yield number, cells


def number_in(path: Path, row: int, cell: str, name: str = "score") -> float:
    """Parse a cell as a finite number.

    Raises:
        EvaluationError: the cell is not a finite number.
    """
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise bad_row(path, row, f"a number as {name}", repr(cell))
    return value


def jsonl(path: Path, text_keys: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each object with its number; blank lines are skipped.

    Args:
        path: the file.
        text_keys: the keys whose values must be strings.

    Raises:
        EvaluationError: a line is not a JSON object, or the value of a key is missing or not a
            string.
    """
    for number, line in lines(path):
        if not line.strip():
            continue
        try:
            value = json_record(line, f"{path}, row {number}")
        except InputError as error:
            raise EvaluationError(str(error)) from None
        for key in text_keys:
            if not isinstance(value.get(key), str):
                found = type(value[key]).__name__ if key in value else "no such key"
                raise bad_row(path, number, f'a string under "{key}"', found)
        yield number, value


def digests(folder: Path, *paths: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, by its path in the data folder."""
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}


def not_empty(path: Path, rows: Collection[object]) -> None:
    """Check that a file has rows.

    Raises:
        EvaluationError: there is no row.
    """
    if not rows:
        raise bad_row(path, 1, "at least one row", "the end of the file")
