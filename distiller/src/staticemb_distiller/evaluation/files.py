"""Rows from the plain files that evaluation data is kept in; an error names the file and the row.

A `.tsv` file is UTF-8 text, one row a line, columns separated by one tab, without a header and
without quoting. A `.jsonl` file has one JSON object a line.
"""

import codecs
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from staticemb_runtime.errors import InputError
from staticemb_runtime.records import json_record

from ..errors import EvaluationError


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line with its number from 1, split at line feeds alone (a text may hold U+2028)."""
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
    """The error for one row: what was read, what was expected, what was found."""
    return EvaluationError(f"{path}, row {number}: expected {expected}, found {found}")


def tsv(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Rows of exactly these columns, none of them empty.

    Raises:
        EvaluationError: another number of columns, or an empty one.
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
    """A finite number from a cell.

    Raises:
        EvaluationError: the row is invalid.
    """
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise bad_row(path, row, f"a number as {name}", repr(cell))
    return value


def jsonl(path: Path, text_keys: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects that hold a string under each of these keys.

    Raises:
        EvaluationError: a line is no JSON object, or a key is absent or no string.
    """
    for number, line in lines(path):
        try:
            value = json_record(line, f"{path}, row {number}")
        except InputError as error:
            raise EvaluationError(str(error)) from None
        for key in text_keys:
            if not isinstance(value.get(key), str):
                found = type(value[key]).__name__ if key in value else "no such key"
                raise bad_row(path, number, f'a string under "{key}"', found)
        yield number, value
