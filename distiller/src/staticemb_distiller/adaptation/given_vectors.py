"""Vectors that exist already, beside documents: an NPY file or an array, read in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import AdaptationError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_DTYPES = ("float32", "float16", "float64", "int8")


def open_array(vectors: str | os.PathLike[str] | NDArray[Any]) -> NDArray[Any]:
    """Open an NPY file, memory-mapped, or check an array.

    Returns:
        (N, H) float32, float16, float64 or int8.

    Raises:
        AdaptationError: The file cannot be read, or is not an array of this kind.
    """
    if isinstance(vectors, np.ndarray):
        place, array = "vectors", vectors
    else:
        place = str(vectors)
        try:
            array = np.load(vectors, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise AdaptationError(f"{place}: expected an NPY file ({error})") from error
        if not isinstance(array, np.ndarray):
            raise AdaptationError(f"{place}: expected an NPY file, found an archive of arrays")
    if array.ndim != 2 or not array.shape[1] or array.dtype.name not in _DTYPES:
        raise AdaptationError(
            f"{place}: expected an array (N, H) of {', '.join(_DTYPES)}, found {array.dtype} "
            f"{array.shape}"
        )
    return array


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
