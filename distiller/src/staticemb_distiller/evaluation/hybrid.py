"""Rankings by the scores of vectors and of BM25 together, as an index of the runtime ranks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .metrics import top_columns

DEPTH: Final = 100
"""The number of documents of each ranking that a mixture considers."""
VECTOR_WEIGHT: Final = 0.35
"""The weight of the vectors' scores, the default of `Index.search`; BM25 has the rest."""

ScoreArray = NDArray[np.floating[Any]]


def mixed(
    vectors: ScoreArray, words: ScoreArray, vector_weight: float = VECTOR_WEIGHT
) -> ScoreArray:
    """Mix two rankings of the same documents: the scores of each one's best, scaled to 0 to 1.

    Args:
        vectors: (Q, N) cosines.
        words: (Q, N) scores of BM25.
        vector_weight: The weight of the cosines, 0 to 1; the other scores have the rest.

    Returns:
        (Q, N) scores; a document that is among the best of neither ranking has 0.

    Example:
        >>> mixed(np.array([[0.5, 0.25, 0.0]]), np.array([[0.0, 0.0, 9.0]]), 0.4).round(2).tolist()
        [[0.4, 0.2, 0.6]]
    """
    return vector_weight * _scaled(vectors) + (1 - vector_weight) * _scaled(words)


def _scaled(scores: ScoreArray) -> ScoreArray:
    best = top_columns(scores, DEPTH)
    values = np.take_along_axis(scores, best, 1)
    low, high = values[:, -1:], values[:, :1]
    scaled = np.zeros_like(scores)
    span = np.where(high > low, high - low, 1)
    np.put_along_axis(scaled, best, (values - low) / span, 1)
    return scaled
