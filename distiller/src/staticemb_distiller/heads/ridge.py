"""Ridge regression in closed form, from sums over blocks of rows: one pass for all strengths."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .linear import Linear, blocks

Float64s = NDArray[np.float64]


class Moments(NamedTuple):
    """Sums over rows, which add up over parts of the data.

    Attributes:
        square: (D + 1, D + 1), of products of two columns; the last column is 1.
        product: (D + 1, K), of products of a column and a target.
    """

    square: Float64s
    product: Float64s

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.square - other.square, self.product - other.product)


def moments(
    vectors: NDArray[np.float32], values: Float64s, weights: NDArray[np.float32] | None = None
) -> Moments:
    """Sum the products of vectors (N, D) with each other and with values (N, K)."""
    width = vectors.shape[1]
    total = Moments(np.zeros((width + 1, width + 1)), np.zeros((width + 1, values.shape[1])))
    for part in blocks(len(vectors), 16 * width):
        block = np.ones((part.stop - part.start, width + 1))
        block[:, :-1] = vectors[part]
        weighted = block if weights is None else block * weights[part, None]
        total.square[...] += weighted.T @ block
        total.product[...] += weighted.T @ values[part]
    return total


def fit_ridge(sums: Moments, strength: float) -> Linear:
    """Fit a layer that minimizes squared errors plus 1 / strength times the squared weights.

    The bias is free.

    Args:
        sums: The sums over all rows.
        strength: The inverse of the regularization, as C of logistic regression.

    Returns:
        The layer, (K, D) and (K,).
    """
    count = sums.square[-1, -1]
    mean, target = sums.square[-1, :-1] / count, sums.product[-1] / count
    covariance = sums.square[:-1, :-1] - count * np.outer(mean, mean)
    product = sums.product[:-1] - count * np.outer(mean, target)
    covariance[np.diag_indices_from(covariance)] += 1 / strength
    weights = np.linalg.solve(covariance, product).T
    return Linear(weights.astype(np.float32), (target - weights @ mean).astype(np.float32))
