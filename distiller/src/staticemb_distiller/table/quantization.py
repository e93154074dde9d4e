"""Compression of tables: float16, int8 with a step for each column, and fewer rows.

With folded weights a frequent token's row is about a thousand times smaller than a rare token's
row. float16 loses precision below 2**-14, and rounds numbers below 2**-25 to zero. So the table is
multiplied by a power of two, which is exact, until its smallest row keeps its precision.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_ROWS = 8192
# Below 2**-14 the numbers of float16 are 2**-24 apart. So a row with a root mean square of at least
# 2**-13 keeps nearly the full 11 bits of float16.
_SMALLEST_ROW = 2.0**-13
# If the table cannot be scaled that far, a row may lose two bits, but not more.
_TINIEST_ROW = 2.0**-16
_LARGEST_ELEMENT = 2.0**15
_CLUSTER_ROUNDS = 20
_CLIP_RATIOS = np.linspace(0.5, 1.0, 21)


def to_float16(table: NDArray[np.float32]) -> tuple[NDArray[np.float16], int]:
    """Round a table to float16, multiplied by a power of two if its smallest row needs it.

    Args:
        table: (R, D) float32.

    Returns:
        The table times 2**exponent as float16, and the exponent.

    Raises:
        TableError: The range of the table is too large for float16.
    """
    _check_finite(table)
    largest = float(max((np.abs(block).max() for block in _blocks(table)), default=0.0))
    squares = np.concatenate(
        [np.square(block, dtype=np.float64).mean(axis=1) for block in _blocks(table)]
        or [np.zeros(0)]
    )
    smallest = float(np.sqrt(squares[squares > 0].min(initial=np.inf)))
    if largest == 0.0:
        return table.astype(np.float16), 0
    lift = max(0, int(np.ceil(np.log2(_SMALLEST_ROW / smallest))))
    limit = int(np.floor(np.log2(_LARGEST_ELEMENT / largest)))
    exponent = min(lift, limit)
    if smallest * 2.0**exponent < _TINIEST_ROW:
        msg = (
            f"dtype: float16 cannot hold both rows as small as {smallest:.3g} and elements as "
            f"large as {largest:.3g}; use float32, or set store_weights="
        )
        raise TableError(msg)
    scaled = np.empty(table.shape, dtype=np.float16)
    for start in range(0, len(table), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        scaled[block] = np.ldexp(table[block], exponent)
    return scaled, exponent


def to_int8(
    table: NDArray[np.float32], *, clip: bool = False, step: float | None = None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a table to int8, with a step for each column or one step for all columns.

    One coarse step for all columns suits tables that are stored or sent compressed. Columns of
    little variance then take few bits. For a given size this gives the least squared error, as in
    transform coding (Goyal, 2001).

    Args:
        table: (R, D) float32.
        clip: Whether to clip a column's largest elements if that lowers its mean squared error.
        step: One step for all columns, in root mean squares of the table. It is increased if the
            table's largest element needs it. None: a step for each column, as fine as int8 allows.

    Returns:
        integers (R, D) int8, -127 to 127, and steps (D,) float32, all positive. Column j of the
        table is about `steps[j] * integers[:, j]`; the error is at most half a step without
        clipping.

    Raises:
        TableError: An element is not finite.
    """
    _check_finite(table)
    largest = np.maximum(table.max(axis=0), -table.min(axis=0)).astype(np.float64)
    # Steps must be positive in float32, for columns of zeros and of very small numbers, too.
    if step is not None:
        squares = sum(np.square(block, dtype=np.float64).sum() for block in _blocks(table))
        coarse = 127.0 * step * np.sqrt(squares / table.size)
        largest = np.full_like(largest, max(largest.max(), coarse))
    steps = np.maximum(largest / 127.0, np.finfo(np.float32).tiny)
    if clip:
        errors = np.array([_squared_error(table, steps * ratio) for ratio in _CLIP_RATIOS])
        steps = steps * _CLIP_RATIOS[errors.argmin(axis=0)]
        steps = np.maximum(steps, np.finfo(np.float32).tiny)
    scale = steps.astype(np.float32)
    integers = np.empty(table.shape, dtype=np.int8)
    for start in range(0, len(table), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        integers[block] = np.clip(np.rint(table[block] / scale), -127, 127)
    return integers, scale


def cluster_rows(
    vectors: NDArray[np.float32], clusters: int, *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Replace the rows by the centers of k-means clusters.

    Args:
        vectors: (V, D) float32.
        clusters: The number of clusters, below V.
        seed: The seed of the initial centers.

    Returns:
        centers (R, D) float32 of the clusters with at least one token, R at most `clusters`, and
        each token's row, (V,) int64.

    Raises:
        TableError: `clusters` is below 1 or not below V.
    """
    if not 1 <= clusters < len(vectors):
        msg = f"clusters: expected 1 to {len(vectors) - 1}, fewer than tokens, found {clusters}"
        raise TableError(msg)
    # Imported here because the import takes a second, and most runs do not need it.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    kmeans = KMeans(
        n_clusters=clusters, init="random", n_init=1, max_iter=_CLUSTER_ROUNDS, random_state=seed
    )
    # With several threads the order of additions varies, so the bytes would vary, too.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = kmeans.fit(vectors).labels_
    nonempty, rows = np.unique(labels, return_inverse=True)
    return np.ascontiguousarray(kmeans.cluster_centers_[nonempty], dtype=np.float32), rows.astype(
        np.int64
    )


def _squared_error(table: NDArray[np.float32], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column's sum of squared errors of rounding with these steps; shape (D,)."""
    total = np.zeros(table.shape[1], dtype=np.float64)
    scale = steps.astype(np.float32)
    for block in _blocks(table):
        rounded = np.clip(np.rint(block / scale), -127, 127) * scale
        total += np.square(rounded - block, dtype=np.float64).sum(axis=0)
    return total


def _check_finite(table: NDArray[Any]) -> None:
    for block in _blocks(table):
        if not np.isfinite(block).all():
            msg = "table: expected finite numbers, found NaN or infinity"
            raise TableError(msg)


def _blocks(table: NDArray[Any]) -> list[NDArray[Any]]:
    return [table[start : start + BLOCK_ROWS] for start in range(0, len(table), BLOCK_ROWS)]
