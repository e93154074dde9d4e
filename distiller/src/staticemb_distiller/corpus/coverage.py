"""The choice of texts within a budget of teacher time: texts that cover the most tokens first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHRINK = 0.8  # factor of the threshold from pass to pass
_SMALLEST_GAIN = 1e-4


def order_by_coverage(
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    tokens: int,
    budget: int,
    *,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Order texts so that the first n texts, for any n, cover many tokens many times.

    The method is threshold greedy (Badanidiyuru and Vondrak, 2014) on the sum over tokens of
    log(1 + count). A text's gain is the mean of 1 / (1 + count) over its tokens; the counts are
    those of the chosen texts. The gain is a mean, not a sum, because the teacher's time grows with
    the length.

    Args:
        ids: (N,) token ids of all texts, one after the other.
        lengths: (B,) number of ids of each text.
        tokens: The number of token ids.
        budget: The number of texts to choose.
        weights: (B,) factors of the gains, above 0; None: all equal.

    Returns:
        (min(budget, B),) indices of texts, the most valuable first. Texts without a token come
        last. The same input gives the same order.
    """
    counts = np.zeros(tokens, np.float64)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    nonempty = np.flatnonzero(lengths > 0)
    remaining = np.ones(len(nonempty), bool)
    chosen: list[int] = []
    factors = np.ones(len(lengths)) if weights is None else weights / weights.max(initial=0)
    threshold = 1.0
    while remaining.any() and len(chosen) < budget and threshold > _SMALLEST_GAIN:
        threshold *= _SHRINK
        # Counts only grow and gains only fall, so this test rules out most texts at once.
        gains = np.add.reduceat(1 / (1 + counts[ids]), starts[nonempty]) / lengths[nonempty]
        gains *= factors[nonempty]
        for index in np.flatnonzero(remaining & (gains >= threshold)).tolist():
            text = int(nonempty[index])
            row = ids[starts[text] : ends[text]]
            if factors[text] * np.mean(1 / (1 + counts[row])) >= threshold:
                chosen.append(text)
                remaining[index] = False
                np.add.at(counts, row, 1)
                if len(chosen) == budget:
                    break
    unchosen = np.setdiff1d(np.arange(len(lengths)), chosen, assume_unique=True)
    empty = unchosen[lengths[unchosen] == 0]
    order = np.concatenate([np.array(chosen, np.int64), unchosen[lengths[unchosen] > 0], empty])
    return order[:budget]
