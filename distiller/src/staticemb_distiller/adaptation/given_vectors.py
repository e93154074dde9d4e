"""Vectors that exist already, taken as many at a time as there are documents."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..corpus.vector_files import check_array, open_npy, open_vector_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS = 8_192  # rows of an array that are taken at a time


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


def open_given(vectors: str | os.PathLike[str] | NDArray[Any], column: str | None) -> GivenVectors:
    """Open vectors: an array, an NPY file, or a column of Parquet or JSON lines.

    Raises:
        TextSourceError: They cannot be read, or are no vectors.
    """
    if isinstance(vectors, np.ndarray):
        place, array = "vectors", check_array(vectors, "vectors")
    elif os.fspath(vectors).lower().endswith(".npy"):
        place, array = str(vectors), open_npy(vectors)
    else:
        file = open_vector_column(vectors, column)
        rows = Rows(block for _, block in file.blocks())
        return GivenVectors(rows, file.dim, file.path, None, file.files)
    blocks = (array[first : first + _ROWS] for first in range(0, len(array), _ROWS))
    return GivenVectors(Rows(blocks), array.shape[1], place, len(array))
