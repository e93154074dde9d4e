"""Codes of one bit an element, and how far they are from a query.

A vector is rotated, so that its elements vary alike, and its code holds their signs. A query is
rounded to three bits an element: a sign, and a size of 1, 3, 5 or 7. Its distance to a code is the
sum of the sizes of the elements whose signs differ. It falls as the product of the rounded query
and the signs grows, and ranks clearly better than a count of differing bits. Rounding the query
alone, and the rotation, follow RaBitQ (Gao and Long, 2024).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_WORD: Final = 64
_CHUNK: Final = 1 << 15  # rows whose words stay in the processor's cache
_SIZES: Final = 4
_LARGEST: Final = 2.6  # the largest size begins at 3/4 of so many times the mean absolute element


def count_table() -> NDArray[np.uint8]:
    """Return the number of bits of each 16-bit number, (65536,)."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    counts: NDArray[np.uint8] = np.unpackbits(numbers, axis=1).sum(axis=1, dtype=np.uint8)
    return counts


_COUNT: Final = getattr(np, "bitwise_count", None)  # numpy 2
_TABLE: Final = count_table() if _COUNT is None else None


def _rotation() -> NDArray[np.float32]:
    """Return Hadamard's matrix of 64 rows, some of them negated, divided by 8: a rotation.

    The signs, bits of the golden ratio, keep a sum of all elements out of the first column.
    """
    matrix: NDArray[np.float32] = np.ones((1, 1), np.float32)
    while len(matrix) < _WORD:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    signs = np.array([0x9E3779B97F4A7C15 >> place & 1 for place in range(_WORD)], np.float32)
    turned: NDArray[np.float32] = matrix * (2 * signs - 1)[:, None] / np.float32(8)
    return turned


_ROTATION: Final = _rotation()


class QueryBits(NamedTuple):
    """A query rounded to three bits an element, an array (words,) uint64 for each bit."""

    signs: NDArray[np.uint64]
    ones: NDArray[np.uint64]
    twos: NDArray[np.uint64]


def rotate(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rotate vectors (n, D): (n, ⌈D/64⌉, 64), zeros being added to D.

    Each group of 64 elements takes them from the whole vector, as elements of a table are often in
    the order of their variance.
    """
    count, dim = vectors.shape
    words = -(-dim // _WORD)
    if dim % _WORD:
        vectors = np.concatenate(
            [vectors, np.zeros((count, words * _WORD - dim), np.float32)], axis=1
        )
    groups = vectors.reshape(count, _WORD, words).transpose(0, 2, 1)
    rotated = np.ascontiguousarray(groups).reshape(-1, _WORD) @ _ROTATION
    return rotated.reshape(count, words, _WORD)


def make_codes(vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the signs of rotated vectors (n, D) as (⌈D/64⌉, n) words.

    The first words of all codes stand together, then the second ones: a scan reads whole lines.

    Example:
        >>> make_codes(np.ones((3, 65), np.float32)).shape
        (2, 3)
    """
    return _packed(rotate(vectors) > 0)


def round_query(query: NDArray[np.float32]) -> QueryBits:
    """Round a query (D,), which is not zero."""
    rotated = rotate(query[None])
    sizes = np.abs(rotated)
    step = sizes.mean() * (_LARGEST / _SIZES)
    levels = np.minimum(sizes / step, _SIZES - 1).astype(np.uint8)
    bits = (rotated > 0, levels & 1 > 0, levels & 2 > 0)
    return QueryBits(*(_packed(part)[:, 0] for part in bits))


def distances(codes: NDArray[np.uint64], query: QueryBits) -> NDArray[np.unsignedinteger]:
    """Sum the sizes of a query's elements whose signs differ from each code's.

    Args:
        codes: (words, n), as of `make_codes`.
        query: as of `round_query`.

    Returns:
        (n,) uint16, or uint32 if a sum could be too large.

    Example:
        >>> vectors = np.random.default_rng(0).standard_normal((9, 64)).astype(np.float32)
        >>> int(distances(make_codes(vectors), round_query(vectors[4])).argmin())
        4
    """
    words, total = codes.shape
    dtype = np.uint16 if 7 * _WORD * words < 1 << 16 else np.uint32
    out: NDArray[np.unsignedinteger] = np.empty(total, dtype)
    for start in range(0, total, _CHUNK):
        part = codes[:, start : start + _CHUNK]
        differing, masked = np.empty_like(part[0]), np.empty_like(part[0])
        ones, twos, fours = np.zeros((3, part.shape[1]), dtype)
        for word, sign, low, high in zip(part, *query, strict=True):
            np.bitwise_xor(word, sign, out=differing)
            ones += count_bits(differing)
            twos += count_bits(np.bitwise_and(differing, low, out=masked))
            fours += count_bits(np.bitwise_and(differing, high, out=masked))
        fours += fours
        fours += twos
        fours += fours
        np.add(fours, ones, out=out[start : start + _CHUNK])
    return out


def nearest(distance: NDArray[np.unsignedinteger], count: int) -> NDArray[np.int64]:
    """Return the places of the `count` smallest distances, ascending; of equal ones the first."""
    if count >= len(distance):
        return np.arange(len(distance))
    limit = np.partition(distance, count - 1)[count - 1]
    places = np.flatnonzero(distance <= limit)
    last = np.flatnonzero(distance[places] == limit)
    surplus = len(places) - count
    return np.delete(places, last[len(last) - surplus :])


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Pack bits (n, words, 64) into (words, n)."""
    return np.ascontiguousarray(np.packbits(bits, axis=2).view(np.uint64)[:, :, 0].T)


def count_bits(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the number of bits of each word, (n,)."""
    if _COUNT is not None:
        counts: NDArray[np.uint8] = _COUNT(words)
        return counts
    assert _TABLE is not None
    quarters = _TABLE[words.view(np.uint16)].reshape(len(words), 4)
    sums: NDArray[np.uint8] = quarters.sum(axis=1, dtype=np.uint8)
    return sums
