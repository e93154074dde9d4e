"""Search by vectors: the blocks of an index in memory, and their nearest rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .blocks import DTYPES, decode_vectors, width
from .hamming import distances, nearest, pack_words
from .schema import BLOCK_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .blocks import StoredPrecision, VectorBlock

# Up to this many bytes, vectors are kept as float32, and every row is compared.
EXACT_BYTES: Final = 64 << 20
# Above it, rows with the nearest bit codes are compared again: this many for each row asked for,
# at least this many, and this share of all. Of 245,129 sentences, that found 94 of the best 100 and
# 99.5 % of the best 10.
_RESCORED: Final = 10
_LEAST_RESCORED: Final = 1000
_RESCORED_SHARE: Final = 1 / 64
_ROWS: Final = 1 << 14  # rows that are converted to float32 at a time


class VectorTable:
    """The vectors of all passages in memory, by passage id; free places have document 0.

    Up to 64 MB of float32 a search is exact. Above it, rows with the nearest bit codes are
    compared by their stored values: 1 bit and 1 byte an element (int8) stay in memory.

    Args:
        dimension: the length of vectors.
        precision: how they are stored.

    Attributes:
        documents: (n,) int64, the document of each passage id.
    """

    def __init__(self, dimension: int, precision: StoredPrecision) -> None:
        self.dimension = dimension
        self.precision = precision
        self.documents: NDArray[np.int64] = np.zeros(0, np.int64)
        dtype = np.dtype(DTYPES[precision]).newbyteorder("=")
        self._stored: NDArray[Any] = np.zeros((0, width(dimension, precision)), dtype)
        self._floats: NDArray[np.float32] | None = np.zeros((0, dimension), np.float32)
        self._codes: NDArray[np.uint64] | None = None
        self._middle: NDArray[np.float32] = np.zeros(dimension, np.float32)

    @property
    def exact(self) -> bool:
        """Whether every row is compared."""
        return self._floats is not None

    def reserve(self, blocks: int) -> None:
        """Make room for blocks 0 to `blocks` − 1."""
        rows = blocks * BLOCK_ROWS
        if rows <= len(self.documents):
            return
        rows = max(rows, len(self.documents) + len(self.documents) // 8)
        rows += -rows % BLOCK_ROWS
        self.documents = _grown(self.documents, rows)
        self._stored = _grown(self._stored, rows)
        if self._floats is not None:
            fits = rows * self.dimension * 4 <= EXACT_BYTES
            self._floats = _grown(self._floats, rows) if fits else None
        if self._codes is not None:
            self._codes = np.ascontiguousarray(_grown(self._codes.T, rows).T)

    def update(self, blocks: Iterable[VectorBlock], count: int) -> None:
        """Take over blocks that are new or have changed.

        Args:
            blocks: the blocks.
            count: one more than the highest number of a block.
        """
        self.reserve(count)
        changed: list[int] = []
        for block in blocks:
            self.reserve(block.id + 1)
            rows = slice(block.id * BLOCK_ROWS, (block.id + 1) * BLOCK_ROWS)
            self.documents[rows] = block.documents
            self._stored[rows] = block.vectors
            if self._floats is not None:
                self._floats[rows] = self._unit(self._stored[rows])
            changed.append(block.id)
        if self._floats is not None:
            return
        if self._codes is None:
            self._make_codes()
        else:
            for id in changed:
                rows = slice(id * BLOCK_ROWS, (id + 1) * BLOCK_ROWS)
                self._codes[:, rows] = pack_words(self._unit(self._stored[rows]) > self._middle)

    def nearest(
        self, query: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the passages with the highest cosines, at most one a document, best first.

        Args:
            query: (D,), of unit length or zero.
            count: the most documents.
            allowed: (n,) which passages may be returned; None: all.

        Returns:
            (m,) passage ids and their (m,) cosines, m ≤ `count`. Of equal cosines the lower id
            comes first.
        """
        valid = self.documents > 0
        if allowed is not None:
            valid &= allowed
        if not query.any():
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        ask = count
        while True:
            passages, scores, complete = self._best(query, ask, valid)
            first = np.sort(np.unique(self.documents[passages], return_index=True)[1])
            if len(first) >= count or complete:
                return passages[first[:count]], scores[first[:count]]
            ask *= 4

    def scores(
        self, query: NDArray[np.float32], passages: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosines (m,) of the given passages (m,)."""
        if self._floats is not None:
            rows = self._floats[passages]
        else:
            rows = self._unit(self._stored[passages])
        scores: NDArray[np.float32] = np.einsum("ij,j->i", rows, query)
        return scores

    def _best(
        self, query: NDArray[np.float32], count: int, valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], bool]:
        """Return at least `count` passages, best first, and whether these are all there are."""
        if self._floats is not None:
            passages = np.flatnonzero(valid)
            # Unlike a product by BLAS, a row's sum does not depend on the other rows, and a single
            # thread is as fast: the memory is the limit.
            scores = np.einsum("ij,j->i", self._floats, query)[passages]
            if len(passages) > count:
                limit = np.partition(scores, len(passages) - count)[len(passages) - count]
                passages, scores = passages[scores >= limit], scores[scores >= limit]
        else:
            assert self._codes is not None
            code = pack_words((query > self._middle)[None])[:, 0]
            distance = distances(self._codes, code)
            distance[~valid] = 65535
            share = int(_RESCORED_SHARE * len(distance))
            passages = nearest(distance, max(_RESCORED * count, _LEAST_RESCORED, share))
            passages = passages[distance[passages] < 65535]
            scores = self.scores(query, passages)
        order = np.lexsort((passages, -scores))
        complete = len(passages) == int(np.count_nonzero(valid))
        return passages[order], scores[order], complete

    def _make_codes(self) -> None:
        """Make the bit codes: 1 where an element is above its mean over a sample of the rows."""
        rows = np.flatnonzero(self.documents > 0)
        if self.precision != "bits" and len(rows):
            sample = rows[:: max(1, len(rows) // _ROWS)]
            self._middle = self._unit(self._stored[sample]).mean(axis=0)
        words = -(-self.dimension // 64)
        self._codes = np.zeros((words, len(self.documents)), np.uint64)
        for start in range(0, len(self.documents), _ROWS):
            part = self._unit(self._stored[start : start + _ROWS])
            self._codes[:, start : start + _ROWS] = pack_words(part > self._middle)

    def _unit(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        return decode_vectors(stored, self.dimension, self.precision)


def _grown(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """Copy an array into one with more rows, which are zero."""
    grown = np.zeros((rows, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
