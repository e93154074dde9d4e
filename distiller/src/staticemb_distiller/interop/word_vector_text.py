"""Reader of word vectors as text: the format of GloVe, and of word2vec and fastText (`.vec`).

A row is a word and its numbers, separated by blanks. In word2vec and fastText, the first line gives
the number of rows and of numbers in a row; GloVe has no such line. Rows are streamed: only the
words are kept in memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from staticemb_runtime.format import MAX_DIM, MAX_ROWS

from ..corpus.records import open_bytes
from ..errors import ConvertError

_LONGEST_LINE = 1 << 21


@dataclass
class Words:
    """The words of the rows that were read.

    Attributes:
        words: Each word's row number, in the order of the rows.
        dim: The length of a row.
        repeated: The number of rows that were dropped because their word had a row already.
    """

    words: dict[str, int]
    dim: int
    repeated: int = 0


def read_rows(
    source: Path,
    sink: IO[bytes],
    *,
    limit: int | None = None,
    dtype: str = "float32",
    strict: bool = True,
) -> Words:
    """Copy the rows of a file to `sink`, one after the other.

    Args:
        source: A text file in UTF-8, plain or compressed by gzip (`.gz`) or Zstandard (`.zst`).
        sink: Receives the rows as bytes.
        limit: The number of rows to read; None: all.
        dtype: The dtype of the rows.
        strict: Raise an error on invalid UTF-8, or if the number of rows differs from the first
            line's. If False, invalid bytes are replaced, and the first line's number is ignored.

    Raises:
        ConvertError: The source cannot be read, or a row is malformed; the message names the
            line.
        MissingPackageError: The source is `.zst`, and the package zstandard is missing.
    """
    lines = _lines(source, errors="strict" if strict else "replace")
    number, line = next(lines, (1, ""))
    fields = line.split(" ")
    expected_rows: int | None = None
    if len(fields) == 2 and all(field.isdecimal() and len(field) <= 16 for field in fields):
        expected_rows, dim = int(fields[0]), int(fields[1])
    else:
        dim = len(fields) - 1
    if not 1 <= dim <= MAX_DIM:
        _refuse(source, number, f"a word and 1 to {MAX_DIM} numbers", repr(line)[:60])
    table = Words({}, dim)
    if expected_rows is None:
        _add(table, sink, np.dtype(dtype), (source, number, line))
    for number, line in lines:
        if limit is not None and len(table.words) + table.repeated >= limit:
            break
        _add(table, sink, np.dtype(dtype), (source, number, line))
    else:
        n_rows = len(table.words) + table.repeated
        if strict and expected_rows is not None and n_rows != expected_rows:
            _refuse(source, number, f"{expected_rows} rows, as the first line says", str(n_rows))
    if not table.words:
        _refuse(source, number, "a word and its numbers", "the end of the file")
    return table


def _add(
    table: Words, sink: IO[bytes], dtype: np.dtype[np.float32], at: tuple[Path, int, str]
) -> None:
    source, number, line = at
    # From the right: some words of GloVe contain blanks.
    word, *numbers = line.rsplit(" ", table.dim)
    if len(numbers) != table.dim or not word:
        found = f"{len(line.split(' ')) - 1} numbers: {line[:60]!r}"
        _refuse(source, number, f"a word and {table.dim} numbers", found)
    try:
        with np.errstate(over="ignore"):  # an overflow gives infinity, which raises below
            row = np.array(numbers, np.float32).astype(dtype, copy=False)
    except ValueError as error:
        _refuse(source, number, f"{table.dim} numbers", str(error))
    if not np.isfinite(row).all():
        invalid = numbers[int(np.argmin(np.isfinite(row)))]
        _refuse(source, number, f"finite numbers within {dtype}", invalid)
    if word in table.words:
        table.repeated += 1
        return
    if len(table.words) >= MAX_ROWS - 1:
        _refuse(source, number, f"at most {MAX_ROWS - 1} words", "more")
    table.words[word] = len(table.words)
    sink.write(row.tobytes())


def _lines(source: Path, *, errors: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank, without trailing blanks."""
    number = 0
    try:
        with open_bytes(source) as file:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    _refuse(source, number, f"lines of less than {_LONGEST_LINE} bytes", "more")
                text = line.decode("utf-8-sig" if number == 1 else "utf-8", errors).rstrip(" \r\n")
                if text:
                    yield number, text.replace("\t", " ") if " " not in text else text
    except UnicodeDecodeError as error:
        _refuse(source, number, "UTF-8", f"byte {error.object[error.start]:#04x}")
    except (OSError, EOFError, zlib.error) as error:
        message = f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConvertError(message) from error


def _refuse(source: Path, number: int, expected: str, found: str) -> NoReturn:
    raise ConvertError(f"{source}, line {number}: expected {expected}, found {found}")
