"""Texts on disk, with their positions in memory: eight bytes a text."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_BLOCK = 8_192  # texts in memory at a time


class TextStore:
    """N texts in a file.

    Args:
        path: The file, which is overwritten.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb+")
        self._sizes: array[int] = array("q")
        self._ends: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self._sizes) if self._ends is None else len(self._ends) - 1

    def add(self, text: str) -> None:
        """Append a text."""
        encoded = text.encode()
        self._file.write(encoded)
        self._sizes.append(len(encoded))

    def finish(self) -> None:
        """End the writing; texts can be read from now on."""
        self._ends = np.zeros(len(self._sizes) + 1, np.int64)
        np.cumsum(self._sizes, out=self._ends[1:])
        self._sizes = array("q")
        self._file.flush()

    def take(self, rows: NDArray[np.int64] | Sequence[int]) -> list[str]:
        """Return the texts with these numbers."""
        assert self._ends is not None
        texts = []
        for row in np.asarray(rows).tolist():
            start, end = int(self._ends[row]), int(self._ends[row + 1])
            if self._file.tell() != start:
                self._file.seek(start)
            texts.append(self._file.read(end - start).decode())
        return texts

    def blocks(self, rows: NDArray[np.int64] | None = None) -> Iterator[list[str]]:
        """Yield the texts with these numbers, some thousand at a time; None: all texts."""
        rows = np.arange(len(self)) if rows is None else rows
        for first in range(0, len(rows), _BLOCK):
            yield self.take(rows[first : first + _BLOCK])

    def close(self) -> None:
        """Close the file."""
        self._file.close()
