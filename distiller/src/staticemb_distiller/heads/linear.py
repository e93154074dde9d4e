"""A linear layer, and the blocks in which its products are computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MOST_LOGITS = 1 << 22  # in memory at a time
_LEAST_ROWS = 64


class Linear(NamedTuple):
    """A linear layer of K outputs.

    Attributes:
        weights: (K, D) float32.
        bias: (K,) float32.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def around(self, mean: NDArray[np.float32]) -> Linear:
        """Return the layer for vectors before their mean (D,) was subtracted."""
        shift = self.weights.astype(np.float64) @ mean.astype(np.float64)
        return Linear(self.weights, (self.bias - shift).astype(np.float32))


def blocks(count: int, width: int) -> Iterator[slice]:
    """Yield slices of rows such that rows times `width` numbers fit into memory.

    >>> [part.stop for part in blocks(10, 1 << 22)]
    [10]
    """
    size = max(_LEAST_ROWS, _MOST_LOGITS // max(width, 1))
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))


def outputs(layer: Linear, vectors: Any) -> NDArray[np.float32]:  # noqa: ANN401 - sparse too
    """Return the outputs (N, K) float32 of vectors (N, D), dense or sparse."""
    count, classes = vectors.shape[0], len(layer.bias)
    result = np.empty((count, classes), np.float32)
    for part in blocks(count, classes):
        result[part] = vectors[part] @ layer.weights.T + layer.bias
    return result
