"""Agreement of two rankings: the share of the ten best documents that both have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEST = 10
_SCORES = 8_000_000  # the most scores in memory


def best_documents(
    queries: NDArray[np.float32],
    documents: NDArray[np.floating],
    *,
    without: NDArray[np.int64] | None = None,
    best: int = BEST,
) -> NDArray[np.int64]:
    """Find the documents with the largest inner products for each query.

    Args:
        queries: (Q, D) float32.
        documents: (N, D) float16 or float32; converted in blocks.
        without: (Q,) a document that each query leaves out; -1: none.
        best: How many documents to find.

    Returns:
        (Q, min(best, N)) int64 indices, the largest product first.

    >>> documents = np.eye(3, dtype=np.float32)
    >>> best_documents(np.array([[0.1, 0.9, 0.2]], np.float32), documents, best=2)
    array([[1, 2]])
    """
    count = len(documents)
    best = min(best, count)
    step = max(best, _SCORES // max(len(queries), 1))
    numbers_of_best = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    for first in range(0, count, step):
        block = np.asarray(documents[first : first + step], np.float32)
        products = queries @ block.T
        if without is not None:
            own = without - first
            rows = np.flatnonzero((own >= 0) & (own < len(block)))
            products[rows, own[rows]] = -np.inf
        numbers = np.broadcast_to(np.arange(first, first + len(block)), products.shape)
        scores = np.concatenate([scores, products], axis=1)
        numbers_of_best = np.concatenate([numbers_of_best, numbers], axis=1)
        if scores.shape[1] > best:
            kept = np.argpartition(-scores, best - 1, axis=1)[:, :best]
            scores = np.take_along_axis(scores, kept, 1)
            numbers_of_best = np.take_along_axis(numbers_of_best, kept, 1)
    order = np.lexsort((numbers_of_best, -scores), axis=1)
    return np.take_along_axis(numbers_of_best, order, 1)


def overlaps(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each query's best documents in `left` that are in `right` too.

    Args:
        left: (Q, k) indices, distinct in each row.
        right: (Q, k) indices, distinct in each row.

    Returns:
        (Q,) float64 from 0 to 1.

    >>> overlaps(np.array([[3, 1], [4, 5]]), np.array([[1, 2], [5, 4]]))
    array([0.5, 1. ])
    """
    shared = (left[:, :, None] == right[:, None, :]).any(axis=2)
    return np.asarray(shared.mean(axis=1), np.float64)
