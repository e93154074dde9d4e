"""Distances of bit codes: how many bits of a query's code differ from each row's code."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_CHUNK: Final = 1 << 15  # rows whose words stay in the processor's cache


def count_table() -> NDArray[np.uint8]:
    """Return the number of bits of each 16-bit number, (65536,)."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    counts: NDArray[np.uint8] = np.unpackbits(numbers, axis=1).sum(axis=1, dtype=np.uint8)
    return counts


_COUNT: Final = getattr(np, "bitwise_count", None)  # numpy 2
_TABLE: Final = count_table() if _COUNT is None else None


def pack_words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Pack bits (n, D) into (⌈D/64⌉, n) words, word by word, so that a scan reads whole lines.

    Example:
        >>> pack_words(np.array([[True] + 64 * [False]])).shape
        (2, 1)
    """
    packed = np.packbits(bits, axis=1)
    words = -(-bits.shape[1] // 64)
    padded = np.zeros((len(bits), words * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(padded.view(np.uint64).T)


def distances(codes: NDArray[np.uint64], query: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Count the bits in which each code differs from a query's.

    Args:
        codes: (words, n), as of `pack_words`.
        query: (words,).

    Returns:
        (n,) uint16.

    Example:
        >>> distances(np.array([[1, 3]], np.uint64), np.array([1], np.uint64))
        array([0, 1], dtype=uint16)
    """
    total = codes.shape[1]
    out = np.zeros(total, np.uint16)
    for start in range(0, total, _CHUNK):
        stop = min(start + _CHUNK, total)
        part = out[start:stop]
        for word, mask in zip(codes, query, strict=True):
            part += _counts(word[start:stop] ^ mask)
    return out


def nearest(distance: NDArray[np.uint16], count: int) -> NDArray[np.int64]:
    """Return the places of the `count` smallest distances, and of those equal to the last."""
    if count >= len(distance):
        return np.arange(len(distance))
    histogram = np.bincount(distance)
    limit = int(np.searchsorted(np.cumsum(histogram), count))
    return np.flatnonzero(distance <= limit)


def _counts(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    if _COUNT is not None:
        counts: NDArray[np.uint8] = _COUNT(words)
        return counts
    assert _TABLE is not None
    quarters = _TABLE[words.view(np.uint16)].reshape(len(words), 4)
    sums: NDArray[np.uint8] = quarters.sum(axis=1, dtype=np.uint8)
    return sums
