"""Rotation to principal components, largest first, so that prefixes of vectors are good vectors.

The eigenvectors come from the H x H covariance matrix. It is summed in float64 over blocks of rows,
so that a table of 250,000 x 1,024 needs little more memory than the table itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Dims = int | float | Literal["all"]

BLOCK_ROWS = 8192

_SMALLEST_PREFIX = 32


@dataclass(frozen=True)
class Rotation:
    """A projection of vectors onto axes, ordered by falling variance.

    Attributes:
        origin: (H,) float64, subtracted from vectors; zeros for a rotation about the origin.
        axes: (H, d) float64, orthonormal columns.
        variances: (H,) float64, the variances along all H axes, falling.
    """

    origin: NDArray[np.float64]
    axes: NDArray[np.float64]
    variances: NDArray[np.float64]

    @property
    def dims(self) -> int:
        """The number of axes, d."""
        return int(self.axes.shape[1])

    def apply(self, vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Project vectors of shape (N, H) onto the axes.

        Returns:
            Shape (N, d), float32.
        """
        rotated = np.empty((len(vectors), self.dims), dtype=np.float32)
        for block in _blocks(len(vectors)):
            rotated[block] = (vectors[block].astype(np.float64) - self.origin) @ self.axes
        return rotated


def principal_components(vectors: NDArray[np.floating[Any]], dims: Dims) -> Rotation:
    """Compute the principal components of vectors.

    Args:
        vectors: (N, H).
        dims: The components to keep: their number, their share of the variance (a float between 0
            and 1), or "all".

    Returns:
        The rotation about the vectors' mean.

    Raises:
        TableError: `dims` is above H or not below N, or all vectors are the same.
    """
    return _rotation(vectors, dims, center=True)


def second_moment_axes(vectors: NDArray[np.floating[Any]], dims: Dims) -> Rotation:
    """Compute the eigenvectors of the second-moment matrix: principal components about the origin.

    It is meant for vectors that are compared by cosine: their origin must not move.

    Args:
        vectors: (N, H).
        dims: As in `principal_components`.

    Returns:
        The rotation about the origin.

    Raises:
        TableError: As in `principal_components`.
    """
    return _rotation(vectors, dims, center=False)


def _rotation(vectors: NDArray[np.floating[Any]], dims: Dims, *, center: bool) -> Rotation:
    count, width = vectors.shape
    if isinstance(dims, int) and dims > width:
        msg = f"dims: expected at most {width}, the teacher's dimension, found {dims}"
        raise TableError(msg)
    target_dims = width if dims == "all" else dims
    if isinstance(target_dims, int) and count <= target_dims:
        msg = (
            f"dims: {target_dims} principal components need more than {target_dims} tokens, "
            f"found {count}; set fewer dimensions, or none for no rotation"
        )
        raise TableError(msg)

    origin = np.zeros(width, dtype=np.float64)
    if center:
        for block in _blocks(count):
            origin += vectors[block].sum(axis=0, dtype=np.float64)
        origin /= count
    moments = np.zeros((width, width), dtype=np.float64)
    for block in _blocks(count):
        centered = vectors[block].astype(np.float64) - origin
        moments += centered.T @ centered
    moments /= count - 1 if center else count

    variances, axes = np.linalg.eigh(moments)
    variances, axes = np.clip(variances[::-1], 0.0, None), axes[:, ::-1]
    if variances[0] == 0.0:
        msg = f"dims: all {count} token vectors are the same, so there are no principal components"
        raise TableError(msg)
    if isinstance(target_dims, float):
        target_dims = dims_for_share(variances, target_dims)
    return Rotation(origin, _fix_signs(axes[:, :target_dims]), variances)


def dims_for_share(variances: NDArray[np.float64], share: float) -> int:
    """Return the smallest number of leading axes that hold more than `share` of the variance.

    Args:
        variances: (H,) the variance along each axis, falling.
        share: The share, between 0 and 1.

    Returns:
        The number of axes, 1 to H.

    Example:
        >>> dims_for_share(np.array([6.0, 3.0, 1.0]), 0.8)
        2
    """
    cumulative = np.cumsum(variances) / variances.sum()
    return min(int(np.searchsorted(cumulative, share, side="right")) + 1, len(variances))


def prefix_ladder(dims: int) -> tuple[int, ...]:
    """Return the prefix lengths to recommend: powers of two from 32, and the full length last.

    Example:
        >>> prefix_ladder(200)
        (32, 64, 128, 200)
    """
    powers: list[int] = []
    length = _SMALLEST_PREFIX
    while length < dims:
        powers.append(length)
        length *= 2
    return (*powers, dims)


def variance_shares(
    variances: NDArray[np.floating[Any]], prefixes: tuple[int, ...]
) -> tuple[float, ...]:
    """Compute each prefix's share of the total variance.

    Args:
        variances: (H,) the variance along each axis.
        prefixes: Prefix lengths; a longer one than H has the whole variance.

    Returns:
        A share between 0 and 1 for each prefix.

    Example:
        >>> variance_shares(np.array([6.0, 3.0, 1.0]), (1, 2))
        (0.6, 0.9)
    """
    cumulative = np.cumsum(variances, dtype=np.float64)
    last = len(cumulative) - 1
    return tuple(float(cumulative[min(length - 1, last)] / cumulative[-1]) for length in prefixes)


def _fix_signs(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make each axis' largest element positive, because an eigenvector's sign is arbitrary."""
    largest = np.abs(axes).argmax(axis=0)
    return np.ascontiguousarray(axes * np.sign(axes[largest, np.arange(axes.shape[1])]))


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, count))
