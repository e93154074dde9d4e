"""Turn a teacher's vectors into vectors of a file (SPEC section 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import InvalidDimensionError, InvalidOptionError, InvalidVectorError
from .vectors import as_vectors, normalize, quantize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..format.space import SpacePart
    from .options import Request

_BLOCK_BYTES: Final = 4 << 20


def project(vectors: ArrayLike, part: SpacePart, request: Request) -> NDArray[Any]:
    """Turn a teacher's vectors into vectors of a file.

    They are processed in blocks, so that apart from the result a call needs constant memory. The
    array may be memory-mapped.

    Args:
        vectors: (N, H) or (H,) finite numbers, of any length.
        part: the file's part.
        request: the prefix, unit length and precision; pooling has no effect.

    Returns:
        (N, width) or (width,), of the request's type. A zero vector stays zero.

    Raises:
        TypeError: the elements are not real numbers.
        InvalidDimensionError: `vectors` has another number of axes.
        InvalidOptionError: `vectors` is uint8; its zero is not 0, or its bits are packed.
        InvalidVectorError: a vector has another length than H, or a value that is not finite.
    """
    given = signed_vectors(vectors, "vectors to project")
    height = len(part.projection)
    if given.ndim > 2:
        expected = f"vectors to project: expected (N, {height}) or ({height},)"
        raise InvalidDimensionError(f"{expected}, found {given.shape}")
    rows = given[None] if given.ndim == 1 else given
    if rows.shape[1] != height:
        raise InvalidVectorError(
            f"vectors to project: expected {height} elements, the dimension of "
            f"{part.space.teacher!r:.80}, found {rows.shape[1]}"
        )
    projection = part.projection[:, : request.prefix]
    projected = np.empty((len(rows), request.width), request.dtype)
    step = max(1, _BLOCK_BYTES // (8 * height))
    for first in range(0, len(rows), step):
        block = centered(rows[first : first + step], part.offset, first) @ projection
        if request.normalize:
            normalize(block, in_place=True)
        projected[first : first + step] = quantize(block, request.precision)
    return projected[0] if given.ndim == 1 else projected


def signed_vectors(vectors: ArrayLike, name: str) -> NDArray[Any]:
    """Return an array of real numbers with at least one axis, as `as_vectors`; refuse uint8.

    Raises:
        TypeError, InvalidDimensionError: as `as_vectors`.
        InvalidOptionError: the array is uint8; its zero is not 0, or its bits are packed.
    """
    array = as_vectors(vectors, name)
    if array.dtype == np.uint8:
        raise InvalidOptionError(f"{name}: expected floats or int8, found uint8")
    return array


def centered(
    vectors: NDArray[Any], offset: NDArray[np.float32] | None, first: int = 0
) -> NDArray[np.float32]:
    """Scale vectors to unit length, and subtract the offset; a zero vector stays zero.

    Args:
        vectors: (n, H) real numbers.
        offset: (H,), or None for zeros.
        first: the number of the first vector, for messages.

    Returns:
        (n, H) float32.

    Raises:
        InvalidVectorError: a value is not finite.

    Example:
        >>> centered(np.array([[3, 4], [0, 0]]), np.array([0.5, 0.5], np.float32)).round(3)
        array([[0.1, 0.3],
               [0. , 0. ]], dtype=float32)
    """
    wide = vectors.dtype.itemsize >= 8 or vectors.dtype in (np.int32, np.uint32)
    rows = vectors.astype(np.float64 if wide else np.float32)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    finite = np.isfinite(largest[:, 0])
    if not finite.all():
        index = int(np.argmin(finite))
        element = int(np.argmin(np.isfinite(rows[index])))
        raise InvalidVectorError(
            f"vector {first + index}: expected finite values, found {rows[index, element]} at "
            f"{element}"
        )
    nonzero = largest[:, 0] > 0
    largest[~nonzero] = 1
    rows /= largest  # so that float32 holds the squares of any vector
    unit = normalize(rows)
    if offset is not None:
        unit[nonzero] -= offset
    return unit
