"""Spell the values of records in JSON lines and CSV."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .readers import Record


class Utf8File:
    """Takes the text of a `csv.writer` to a binary file, row by row.

    A lone surrogate becomes an escape sequence.

    Args:
        file: the file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write text in UTF-8."""
        self._file.write(text.encode("utf-8", "backslashreplace"))


def record_cells(record: Record, names: Sequence[str]) -> list[object]:
    """Return the cells of a record in CSV: lists and objects become JSON, a null is empty.

    Bytes are refused, as JSON lines refuse them.

    Raises:
        TypeError, ValueError, RecursionError: as `record_json`.

    Example:
        >>> record_cells({"text": "a", "tags": ["x"]}, ["tags", "text", "year"])
        ['["x"]', 'a', None]
    """
    return [_cell(record.get(name)) for name in names]


def _cell(value: object) -> object:
    if isinstance(value, (dict, list, tuple)):
        return record_json(value)
    kinds = (str, int, float, datetime.date, datetime.time, decimal.Decimal)
    return value if value is None or isinstance(value, kinds) else _plain(value)


def record_json(record: Any) -> str:  # noqa: ANN401 - a record, or a value of one
    """Return a record, or a value of one, as JSON.

    Dates and times become ISO 8601 strings, decimal numbers strings, NaN and infinities null.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot hold the record.
    """
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_without_nan(record), ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> str:
    """Convert a value of Parquet that JSON has no type for."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise TypeError(f"found {type(value).__name__}; write .parquet, which holds it")


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any value of a record
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value if value is None or isinstance(value, (str, int)) else _plain(value)
