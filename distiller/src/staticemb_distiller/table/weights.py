"""Token weights: SIF weights from Zipf's law or from counted frequencies.

Smooth inverse frequency (Arora, Liang and Ma, 2017) weights a token of probability p by a / (a +
p), so a frequent token counts less. Without a corpus the token's rank replaces its frequency:
tokenizers list tokens by falling frequency, and frequencies follow Zipf's law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TableError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def rank_probabilities(tokens: int) -> NDArray[np.float64]:
    """Compute probabilities by Zipf's law: rank r = 0, 1, … is proportional to 1 / (r + 2).

    The denominators begin at 2 as in Model2Vec, so that the weights are equal to Model2Vec's.

    Args:
        tokens: The number of tokens, which are in order of falling frequency.

    Returns:
        The probabilities, shape (tokens,).

    Example:
        >>> rank_probabilities(3).round(3)
        array([0.462, 0.308, 0.231])
    """
    inverse_rank = 1.0 / np.arange(2, tokens + 2, dtype=np.float64)
    return np.asarray(inverse_rank / inverse_rank.sum())


def count_probabilities(counts: ArrayLike) -> NDArray[np.float64]:
    """Compute probabilities from token counts.

    A token with count 0 has probability 0, and so the full weight of 1.

    Args:
        counts: (tokens,) the tokens' counts, not negative.

    Returns:
        The probabilities, shape (tokens,).

    Raises:
        TableError: A count is negative or not finite, or all counts are 0.
    """
    values = np.asarray(counts, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any():
        msg = "token counts: expected one finite, non-negative number for each token"
        raise TableError(msg)
    total = values.sum()
    if total == 0:
        msg = "token counts: expected a count above 0, found none; no token occurs in the text"
        raise TableError(msg)
    return np.asarray(values / total)


def sif_weights(
    probabilities: NDArray[np.floating[Any]], coefficient: float
) -> NDArray[np.float64]:
    """Compute the weight a / (a + p) of each token.

    Args:
        probabilities: (tokens,) the tokens' probabilities p.
        coefficient: The SIF coefficient a, between 0 and 1. A smaller coefficient gives frequent
            tokens less weight.

    Returns:
        The weights, shape (tokens,), each in (0, 1].

    Raises:
        TableError: The coefficient is not strictly between 0 and 1.

    Example:
        >>> sif_weights(np.array([0.0, 1e-4, 1e-2]), 1e-4).round(4)
        array([1.    , 0.5   , 0.0099])
    """
    if not 0.0 < coefficient < 1.0:
        msg = f"sif_coefficient: expected a number strictly between 0 and 1, found {coefficient:g}"
        raise TableError(msg)
    return np.asarray(coefficient / (coefficient + np.asarray(probabilities, dtype=np.float64)))
