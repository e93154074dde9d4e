"""Vectors that exist already, taken as many at a time as there are documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray


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
