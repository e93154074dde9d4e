"""Operations on pooled vectors: prefix, unit length, precision, similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import numpy as np

from ..errors import InvalidDimensionError, InvalidOptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Precision = Literal["float32", "int8", "uint8", "binary", "ubinary"]

PRECISIONS: Final[tuple[str, ...]] = get_args(Precision)
# float32 sums of squares in this range are precise enough
SAFE_SQUARES: Final = (np.float32(1e-20), np.float32(1e30))


def check_dim(dim: int | None, largest: int) -> int:
    """Return the number of elements of a vector; None stands for `largest`.

    Raises:
        InvalidDimensionError: `dim` is not an integer from 1 to `largest`.
    """
    if dim is None:
        return largest
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        found = f"{dim!r} ({type(dim).__name__})"
        raise InvalidDimensionError(f"truncate_dim: expected an integer, found {found}")
    if not 1 <= dim <= largest:
        raise InvalidDimensionError(f"truncate_dim: expected 1 to {largest}, found {dim}")
    return int(dim)


def check_precision(precision: str) -> Precision:
    """Return the precision.

    Raises:
        InvalidOptionError: the precision is unknown.
    """
    if not isinstance(precision, str) or precision not in PRECISIONS:
        expected = ", ".join(PRECISIONS)
        raise InvalidOptionError(f"precision: expected one of {expected}, found {precision!r}")
    return cast(Precision, precision)


def as_vectors(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return an array of real numbers with at least one axis.

    Raises:
        TypeError: the elements are not real numbers.
        InvalidDimensionError: the vectors differ in length, or `values` is a single number.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise InvalidDimensionError(
            f"{name}: expected vectors of one length, found several lengths"
        ) from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: expected numbers, found {array.dtype}")
    if array.ndim == 0:
        raise InvalidDimensionError(f"{name}: expected vectors, found a single number")
    return array


def truncate(vectors: ArrayLike, dim: int | None) -> NDArray[Any]:
    """Cut each vector to its first `dim` elements.

    Args:
        vectors: (..., D) numbers.
        dim: 1 to D; None: D.

    Returns:
        (..., dim), a view if `vectors` is an array; not normalized again.

    Raises:
        TypeError: the elements are not real numbers.
        InvalidDimensionError: `dim` is not an integer from 1 to D; `vectors` is a single number, or
            its vectors differ in length.

    Example:
        >>> truncate(np.array([3.0, 4.0, 0.0]), 2)
        array([3., 4.])
    """
    array = as_vectors(vectors, "vectors to truncate")
    return array[..., : check_dim(dim, array.shape[-1])]


def normalize(vectors: ArrayLike, *, in_place: bool = False) -> NDArray[np.float32]:
    """Divide each vector by its Euclidean length; a zero vector stays zero (SPEC stage 7).

    The result of a row does not depend on the other rows.

    Args:
        vectors: (..., d) numbers.
        in_place: overwrite `vectors`, which must then be a writable float32 array.

    Returns:
        (..., d) float32; `vectors` itself if `in_place`.

    Raises:
        TypeError: the elements are not real numbers.
        InvalidDimensionError: `vectors` is a single number, or its vectors differ in length.
        InvalidOptionError: `in_place` is True, and `vectors` cannot be overwritten.

    Example:
        >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]], dtype=float32)
    """
    array = as_vectors(vectors, "vectors to normalize")
    if in_place and array.dtype != np.float32:
        raise InvalidOptionError(f"in_place: expected float32 vectors, found {array.dtype}")
    if in_place and not (isinstance(vectors, np.ndarray) and array.flags.writeable):
        raise InvalidOptionError("in_place: expected a writable array, found a read-only one")
    out: NDArray[np.float32] = array if in_place else array.astype(np.float32)
    rows = out[None] if out.ndim == 1 else out
    squares = np.einsum("...i,...i->...", rows, rows)
    least, most = SAFE_SQUARES
    unsafe = ~((squares > least) & (squares < most))
    if unsafe.any():
        exact = rows[unsafe].astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", exact, exact))
        lengths[lengths == 0] = 1
        rows[unsafe] = exact / lengths[:, None]
        squares[unsafe] = 1
    rows /= np.sqrt(squares)[..., None]
    return out


def quantize(
    vectors: ArrayLike, precision: Precision, *, ranges: ArrayLike | None = None
) -> NDArray[Any]:
    """Store vectors in less memory, with the precisions of sentence-transformers.

    | precision | result | |
    |---|---|---|
    | `float32` | (..., d) float32 | the vectors as they are |
    | `int8` | (..., d) int8 | round(127 · element): dot products keep their order |
    | `uint8` | (..., d) uint8 | the same plus 128 |
    | `ubinary` | (..., ⌈d/8⌉) uint8 | one bit per element, 1 if positive, highest bit first |
    | `binary` | (..., ⌈d/8⌉) int8 | the same minus 128 |

    sentence-transformers takes the range of int8 and uint8 from the vectors in the call, so equal
    texts get different bytes in different calls. Here the range is fixed, −1 to 1, which holds
    every unit vector. So bytes depend on their own vector alone, and vectors of different calls can
    be compared. The cost is resolution: in any dimension, the cosine with a float vector has an
    error of 0.0023 (standard deviation: a step of 1/127 over √12). Pass `ranges`, measured once on
    your own vectors, for full resolution.

    Args:
        vectors: (..., d) floats, of unit length for int8 and uint8 without `ranges`.
        precision: a precision in the table.
        ranges: (2, d) the smallest and largest value of each element, for int8 and uint8: each
            element is stored as one of 256 equal steps between them, as with the same parameter in
            sentence-transformers. Values outside are clipped.

    Returns:
        As in the table.

    Raises:
        TypeError: the elements are not real numbers.
        InvalidDimensionError: `vectors` is a single number, or its vectors differ in length.
        InvalidOptionError: the precision is unknown; `ranges` has another shape, or the precision
            takes no ranges; the vectors are not floats; without `ranges` an element of int8 or
            uint8 is not from −1 to 1; an element of int8 or uint8 is NaN.

    Example:
        >>> quantize(np.array([0.6, -0.8]), "int8")
        array([  76, -102], dtype=int8)
    """
    check_precision(precision)
    array = as_vectors(vectors, "vectors to quantize")
    if array.dtype.kind != "f":
        raise InvalidOptionError(f"vectors to quantize: expected floats, found {array.dtype}")
    if ranges is not None and precision not in ("int8", "uint8"):
        raise InvalidOptionError(f"ranges: expected none with {precision}, found some")
    if precision == "float32":
        return array.astype(np.float32, copy=False)
    if precision == "ubinary":
        return np.packbits(array > 0, axis=-1)
    if precision == "binary":
        return _shift(np.packbits(array > 0, axis=-1))
    steps = _fixed_steps(array) if ranges is None else _calibrated_steps(array, ranges)
    return steps if precision == "uint8" else _shift(steps)


def _shift(steps: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Subtract 128, which flips the highest bit of each byte."""
    signed: NDArray[np.int8] = (steps ^ np.uint8(128)).view(np.int8)
    return signed


def _fixed_steps(vectors: NDArray[Any]) -> NDArray[np.uint8]:
    if vectors.size and not np.abs(vectors).max() <= 1 + 1e-5:  # written so that NaN is refused
        raise InvalidOptionError(
            "vectors to quantize: expected elements from -1 to 1, as in normalized vectors, "
            f"found {np.abs(vectors).max():.6g}; normalize them, or pass ranges to quantize()"
        )
    steps: NDArray[np.uint8] = (np.rint(vectors * 127) + 128).astype(np.uint8)
    return steps


def _calibrated_steps(vectors: NDArray[Any], ranges: ArrayLike) -> NDArray[np.uint8]:
    if np.isnan(vectors).any():
        raise InvalidOptionError("vectors to quantize: expected numbers, found NaN")
    ends = as_vectors(ranges, "ranges").astype(np.float32)
    if ends.shape != (2, vectors.shape[-1]):
        expected = (2, vectors.shape[-1])
        raise InvalidOptionError(f"ranges: expected shape {expected}, found {ends.shape}")
    if not (np.isfinite(ends).all() and (ends[0] <= ends[1]).all()):
        raise InvalidOptionError("ranges: expected finite minima, and finite maxima not below them")
    size = (ends[1] - ends[0]) / 255
    size[size == 0] = 1
    steps: NDArray[np.uint8] = np.clip(np.floor((vectors - ends[0]) / size), 0, 255).astype(
        np.uint8
    )
    return steps


def similarity(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Return the cosine of each vector of `a` with each vector of `b`.

    Args:
        a: (n, d) or (d,) floats, or int8 from `quantize`.
        b: (m, d) or (d,) floats, or int8 from `quantize`.

    Returns:
        (n, m) float32; 0 if either vector is zero.

    Raises:
        TypeError: an argument does not hold real numbers.
        InvalidDimensionError: the vectors differ in length, or an argument has another number of
            axes.
        InvalidOptionError: an argument is uint8; its zero is not 0, or its bits are packed.

    Example:
        >>> similarity([1.0, 0.0], [[2.0, 0.0], [0.0, 5.0]])
        array([[1., 0.]], dtype=float32)
    """
    left, right = _compared(a, b)
    cosines: NDArray[np.float32] = normalize(left) @ normalize(right).T
    return cosines


def similarity_pairwise(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Return the cosine of each vector of `a` with the vector of `b` at the same index.

    Args:
        a: (n, d) or (d,), as in `similarity`.
        b: the same shape.

    Returns:
        (n,) float32, or () for two single vectors; 0 if either vector is zero.

    Raises:
        TypeError, InvalidOptionError: as `similarity`.
        InvalidDimensionError: the shapes differ, or an argument has another number of axes.

    Example:
        >>> similarity_pairwise([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [5.0, 0.0]])
        array([1., 0.], dtype=float32)
    """
    left, right = _compared(a, b)
    if len(left) != len(right):
        raise InvalidDimensionError(
            f"vectors to compare: expected equal numbers of vectors, found {len(left)} and "
            f"{len(right)}"
        )
    cosines: NDArray[np.float32] = np.einsum("ij,ij->i", normalize(left), normalize(right))
    single = np.ndim(a) == np.ndim(b) == 1
    return cosines.reshape(()) if single else cosines


def _compared(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Check the two arguments of a comparison; return them as (n, d) and (m, d)."""
    sides = [as_vectors(side, "vectors to compare") for side in (a, b)]
    for side in sides:
        if side.ndim > 2:
            expected = "vectors to compare: expected (n, d) or (d,)"
            raise InvalidDimensionError(f"{expected}, found {side.shape}")
        if side.dtype == np.uint8:
            raise InvalidOptionError("vectors to compare: expected floats or int8, found uint8")
    left, right = map(np.atleast_2d, sides)
    if left.shape[1] != right.shape[1]:
        raise InvalidDimensionError(
            f"vectors to compare: expected equal lengths, found {left.shape[1]} and "
            f"{right.shape[1]}"
        )
    return left, right
