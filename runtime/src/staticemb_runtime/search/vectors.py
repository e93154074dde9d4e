"""Search by vectors: the blocks of an index in memory, and their nearest rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .blocks import DTYPES, decode_vectors, width
from .hamming import distances, make_codes, nearest, round_query
from .schema import BLOCK_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .blocks import StoredPrecision, VectorBlock

# Up to this many bytes, vectors are kept as float32, and every row is compared.
EXACT_BYTES: Final = 64 << 20
# Above it, rows with the nearest bit codes are compared again: this many for each row asked for,
# at least this many, and this share of all. docs/benchmarks/search.md shows the recall.
_RESCORED: Final = 10
_LEAST_RESCORED: Final = 4000
_RESCORED_SHARE: Final = 1 / 64
_ROWS: Final = 1 << 14  # rows of which codes are made at a time
_SCORED: Final = 1 << 10  # rows whose cosines are computed at a time


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

    def update(self, blocks: Iterable[VectorBlock], count: int) -> list[int]:
        """Take over blocks that are new or have changed.

        Args:
            blocks: the blocks.
            count: one more than the highest number of a block.

        Returns:
            The numbers of the blocks.
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
        if self._floats is None and self._codes is None:
            self._make_codes()
        elif self._codes is not None:
            for id in changed:
                rows = slice(id * BLOCK_ROWS, (id + 1) * BLOCK_ROWS)
                self._codes[:, rows] = self._codes_of(rows)
        return changed

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
        if not query.any():
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        valid = self.documents > 0
        if allowed is not None:
            valid &= allowed
        total = int(np.count_nonzero(valid))
        ask = count
        while True:
            rescored = max(_RESCORED * ask, _LEAST_RESCORED, int(_RESCORED_SHARE * len(valid)))
            if self._codes is None or total <= rescored:
                passages = np.flatnonzero(valid)
            else:
                distance = distances(self._codes, round_query(query))
                distance[~valid] = np.iinfo(distance.dtype).max
                passages = nearest(distance, rescored)
            best = best_documents(passages, self.scores(query, passages), self.documents, count)
            if len(best[0]) >= count or len(passages) >= total:
                return best
            ask *= 4  # documents of many passages took the places of others

    def scores(
        self, query: NDArray[np.float32], passages: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosines (m,) of the given passages (m,)."""
        # Unlike a product by BLAS, a row's sum by einsum does not depend on the other rows, and a
        # single thread is as fast: the memory is the limit.
        if self._floats is not None and 2 * len(passages) > len(self._floats):
            everything: NDArray[np.float32] = np.einsum("ij,j->i", self._floats, query)
            return everything[passages]
        scores = np.empty(len(passages), np.float32)
        for start in range(0, len(passages), _SCORED):
            part = passages[start : start + _SCORED]
            rows = self._unit(self._stored[part]) if self._floats is None else self._floats[part]
            np.einsum("ij,j->i", rows, query, out=scores[start : start + _SCORED])
        return scores

    def _make_codes(self) -> None:
        """Make the bit codes of the differences to the mean of a sample of the rows."""
        rows = np.flatnonzero(self.documents > 0)
        if self.precision != "bits" and len(rows):
            sample = rows[:: max(1, len(rows) // _ROWS)]
            self._middle = self._unit(self._stored[sample]).mean(axis=0)
        words = -(-self.dimension // 64)
        self._codes = np.zeros((words, len(self.documents)), np.uint64)
        for start in range(0, len(self.documents), _ROWS):
            part = slice(start, start + _ROWS)
            self._codes[:, part] = self._codes_of(part)

    def _codes_of(self, rows: slice) -> NDArray[np.uint64]:
        return make_codes(self._unit(self._stored[rows]) - self._middle)

    def _unit(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        return decode_vectors(stored, self.dimension, self.precision)


def best_documents(
    passages: NDArray[np.int64],
    scores: NDArray[Any],
    documents: NDArray[np.int64],
    count: int,
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Choose the passages with the highest scores, at most one a document, best first.

    Args:
        passages: (m,) passage ids, ascending.
        scores: (m,) their scores.
        documents: (n,) the document of each passage id.
        count: the most documents.

    Returns:
        The passages and their scores. Of equal scores the lower id comes first.
    """
    ask = count
    while True:
        chosen = passages, scores
        if ask < len(passages):
            limit = np.partition(scores, len(passages) - ask)[len(passages) - ask]
            chosen = passages[scores >= limit], scores[scores >= limit]
        order = np.lexsort((chosen[0], -chosen[1]))
        ids = chosen[0][order]
        first = np.sort(np.unique(documents[ids], return_index=True)[1])
        if len(first) >= count or ask >= len(passages):
            first = first[:count]
            return ids[first], chosen[1][order][first]
        ask *= 4


def _grown(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """Copy an array into one with more rows, which are zero."""
    grown = np.zeros((rows, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
