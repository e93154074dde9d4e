"""Vectors that exist already, taken as many at a time as there are documents."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ..arguments import check_type
from ..corpus.vector_files import check_array, open_npy, open_vector_column
from ..errors import TextSourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS = 8_192  # rows of an array that are taken at a time


DocumentVectors: TypeAlias = "str | os.PathLike[str] | NDArray[Any] | Sequence[Any]"
"""An NPY file, a Parquet or JSON lines file with a column of vectors, an array, or rows."""


class Rows:
    """Rows of consecutive blocks, taken a few at a time.

    Args:
        blocks: Arrays (n, H) of any n.
    """

    def __init__(self, blocks: Iterable[NDArray[Any]]) -> None:
        self._blocks: Iterator[NDArray[Any]] = iter(blocks)
        self._left: list[NDArray[Any]] = []
        self.taken = 0

    def take(self, count: int) -> NDArray[Any] | None:
        """Return the next (n, H) rows, n at most `count`; None if there are none."""
        while sum(map(len, self._left)) < count:
            block = next(self._blocks, None)
            if block is None:
                break
            self._left.append(np.asarray(block))
        if not self._left:
            return None
        rows = np.concatenate(self._left)
        self._left = [rows[count:]] if len(rows) > count else []
        self.taken += min(count, len(rows))
        return rows[:count]

    def rest(self) -> int:
        """Count the rows that are left."""
        count = sum(map(len, self._left)) + sum(len(block) for block in self._blocks)
        self._left = []
        return count


class GivenVectors(NamedTuple):
    """Vectors that exist already.

    Attributes:
        rows: The vectors (N, H), to be taken once.
        dim: H.
        place: Their name for messages.
        total: N, where it is known before they are read; None: a column of a file.
        files: The files with the column, which may hold the texts as well; empty: an array.
    """

    rows: Rows
    dim: int
    place: str
    total: int | None = None
    files: tuple[Path, ...] = ()


def open_given(vectors: DocumentVectors, column: str | None) -> GivenVectors:
    """Open vectors: an array, rows of numbers, an NPY file, or a column of Parquet or JSON lines.

    Raises:
        TypeError: They are of another type.
        TextSourceError: They cannot be read, or are no vectors.
    """
    if not isinstance(vectors, str | os.PathLike):
        place, array = "vectors", check_array(_array(vectors), "vectors")
    elif os.fspath(vectors).lower().endswith(".npy"):
        place, array = str(vectors), open_npy(vectors)
    else:
        file = open_vector_column(vectors, column)
        rows = Rows(block for _, block in file.blocks())
        return GivenVectors(rows, file.dim, file.path, None, file.files)
    blocks = (array[first : first + _ROWS] for first in range(0, len(array), _ROWS))
    return GivenVectors(Rows(blocks), array.shape[1], place, len(array))


def _array(vectors: object) -> NDArray[Any]:
    """Turn rows of numbers into an array; a tensor of another library is one already."""
    if not hasattr(vectors, "__array__"):
        check_type("vectors", vectors, (list, tuple), "a file, an array or a list of vectors")
    try:
        array = np.asarray(vectors)
        # A column of a data frame is an array of rows.
        return np.array(list(array)) if array.dtype == object and array.ndim == 1 else array
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TextSourceError(
            f"vectors: expected rows of as many numbers each, found others ({reason:.120})"
        ) from error
