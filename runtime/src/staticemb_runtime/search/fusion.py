"""One ranking from two: scores scaled to 0–1 and summed."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Chosen on two collections that no reported figure uses (benchmarks/search.py).
VECTOR_WEIGHT: Final = 0.35
RERANK_WEIGHT: Final = 0.7
SCALED_OVER: Final = 100


class Fused(NamedTuple):
    """A ranking, best first.

    Attributes:
        order: (n,) int64, places among the candidates.
        scores: (n,) float64, descending.
    """

    order: NDArray[np.int64]
    scores: NDArray[np.float64]


def scale(scores: NDArray[np.floating], best: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale scores so that the best ones lie between 0 and 1.

    Args:
        scores: (n,) the scores.
        best: (m,) the best scores, whose highest becomes 1 and whose lowest becomes 0.

    Returns:
        (n,) float64, 0 for scores below the best ones. If the best scores are equal, they become 1.

    Example:
        >>> scale(np.array([3.0, 2.0, 0.5]), np.array([3.0, 1.0]))
        array([1. , 0.5, 0. ])
    """
    if not len(best):
        return np.zeros(len(scores))
    low, high = float(best.min()), float(best.max())
    values = scores.astype(np.float64)
    if not high > low:
        return np.where(values >= low, 1.0, 0.0)
    return np.maximum((values - low) / (high - low), 0.0)


def fuse(
    lexical: NDArray[np.floating],
    cosines: NDArray[np.floating],
    near: NDArray[np.bool_],
    vector_weight: float,
) -> Fused:
    """Rank candidates by the weighted sum of both scores, each scaled over its 100 best.

    A candidate that only one of the two searches found counts as the other one's last.

    Args:
        lexical: (n,) BM25 scores; NaN for a candidate without one.
        cosines: (n,) cosines.
        near: (n,) whether the candidate was found by vectors; the scale depends on those alone.
        vector_weight: the weight of the cosines, 0 to 1; BM25 has the rest.

    Returns:
        The ranking; of equal scores the earlier candidate comes first.
    """
    has_words = ~np.isnan(lexical)
    by_words = np.zeros(len(lexical))
    if has_words.any():
        by_words[has_words] = scale(lexical[has_words], _top(lexical[has_words]))
    by_vector = scale(cosines, _top(cosines[near]))
    scores = vector_weight * by_vector + (1 - vector_weight) * by_words
    order = np.argsort(-scores, kind="stable")
    return Fused(order, scores[order])


def _top(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the 100 highest scores, in any order."""
    if len(scores) <= SCALED_OVER:
        return scores
    return np.partition(scores, len(scores) - SCALED_OVER)[-SCALED_OVER:]
