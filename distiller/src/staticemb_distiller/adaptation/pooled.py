"""Vectors of token ids under a table of rows, as the runtime pools them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staticemb_runtime.encoding import EmbeddingTable, pool

if TYPE_CHECKING:
    from numpy.typing import NDArray


def text_vectors(
    rows: NDArray[np.float32],
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    *,
    beta: float = 0.0,
    dims: int = 64,
) -> NDArray[np.float32]:
    """Pool rows to unit vectors (B, H), by the plain mean or the damped one.

    Args:
        rows: (V, H) float32.
        ids: (T,) row numbers of all texts, one after the other.
        lengths: (B,) the number of ids of each text.
        beta: The damping; 0: the plain mean.
        dims: The number of leading dimensions that the damping compares.
    """
    vectors = pool(
        EmbeddingTable(rows),
        ids,
        lengths,
        pooling="damped_mean" if beta else "mean",
        beta=beta,
        dims=min(dims, rows.shape[1]),
        unit=True,
    )
    return np.asarray(vectors, np.float32)
