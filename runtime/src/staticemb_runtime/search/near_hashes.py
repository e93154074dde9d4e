"""Find the most similar of many unit vectors by hashes, if its cosine reaches a high threshold.

Each of 16 tables sorts the vectors into buckets by a few signs of their rotated elements. Similar
vectors differ in few signs, mostly of elements near zero. So a query reads its own bucket of each
table and those that it would be in if a few of its smallest elements had the other sign: locality
sensitive hashing with several probes (Lv et al., 2007). There are more buckets for more vectors, so
a query reads about as many vectors of a million as of a thousand. Of those, the vectors whose codes
of signs differ in too many places are dropped, and cosines are computed of the rest.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .hamming import count_bits, rotate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

LEAST_COSINE: Final = 0.75
"""Below this `centered_cosine`, similar vectors differ in too many signs for so few probes."""

_TABLES: Final = 16
_GROWTH: Final = 4  # the tables are made anew when there are so many times more vectors
_MOST_BITS: Final = 23  # sums of powers of two are exact in float32
_QUERIES: Final = 256  # queries at a time: some 10 MB of probes
_ROWS: Final = 1 << 14
_MOST_ROUNDS: Final = 1000  # vectors of a bucket that are read; so many are nearly equal
_DEVIATIONS: Final = 4.5  # how many standard deviations more differing signs than expected


def centered_cosine(threshold: float, vectors: Floats) -> float:
    """Return the cosine of two vectors of a set, less its mean, whose own cosine is a threshold.

    Centered vectors are shorter, so their cosine is lower. It is computed for short ones: one in
    twenty is shorter.

    Args:
        threshold: the cosine.
        vectors: (n, dim) of unit length.
    """
    centered = vectors - vectors.mean(axis=0)
    squares = np.einsum("ij,ij->i", centered, centered)
    return 1 - (1 - threshold) / max(float(np.percentile(squares, 5)), 1e-6)


class HashedVectors:
    """A growing set of unit vectors in hash tables.

    Args:
        threshold: the smallest cosine to find, of which `centered_cosine` is high enough.
        vectors: (n, dim) float32 the first vectors, none of them zero.
    """

    def __init__(self, threshold: float, vectors: Floats) -> None:
        # At 0.9, two changed signs of the eight smallest elements find 99.9 % of isotropic
        # neighbors; at 0.8, three of ten find 99 %.
        cosine = centered_cosine(threshold, vectors)
        self._probes = _subsets(8, 2) if cosine >= 0.88 else _subsets(10, 3)
        self._threshold = threshold
        self._middle: Floats = vectors.mean(axis=0)
        self._vectors: Floats = vectors[:0]
        self._codes: NDArray[np.uint64] = np.zeros((-(-vectors.shape[1] // 64), 0), np.uint64)
        self._count = 0
        self._next_tables = 0  # the number of vectors above which the tables are made anew
        share = np.arccos(max(cosine, -1.0)) / np.pi
        signs = 64 * len(self._codes)
        deviation = np.sqrt(signs * share * (1 - share))
        self._most_differing = int(np.ceil(signs * share + _DEVIATIONS * deviation))
        self.add(vectors)

    def add(self, vectors: Floats) -> None:
        """Add vectors (n, dim), none of them zero; they are numbered from 0 over all calls."""
        first, self._count = self._count, self._count + len(vectors)
        self._vectors = _with_room(self._vectors, self._count)
        self._codes = _with_room(self._codes.T, self._count).T
        self._vectors[first : self._count] = vectors
        if self._count > self._next_tables:
            self._next_tables = _GROWTH * self._count
            self._bits = min(_MOST_BITS, max(8, int(np.log2(2 * self._count))))
            self._powers = (1 << np.arange(self._bits)).astype(np.float32)
            self._first_buckets = np.arange(_TABLES, dtype=np.int64) << self._bits
            self._heads = np.full((_TABLES, 1 << self._bits), -1, np.int32)
            self._next = np.zeros((_TABLES, 0), np.int32)
            first = 0
        if self._next.shape[1] < self._count:
            self._next = _with_room(self._next.T, self._count).T
        for start in range(first, self._count, _ROWS):
            self._insert(start, min(start + _ROWS, self._count))

    def nearest(self, queries: Floats) -> tuple[Ints, Floats]:
        """Return each query's (n, dim) most similar vector and its cosine; of equal ones the first.

        Returns:
            (n,) int64 numbers and (n,) float32 cosines, -1 where no cosine reaches the threshold.
        """
        numbers, cosines = np.full(len(queries), -1, np.int64), np.full(len(queries), -1.0)
        for start in range(0, len(queries), _QUERIES):
            part = queries[start : start + _QUERIES]
            query, row = self._candidates(part)
            products = self._cosines(part, query, row)
            enough = products >= self._threshold
            query, row, products = query[enough], row[enough], products[enough]
            order = np.lexsort((row, -products, query))
            which, first = np.unique(query[order], return_index=True)
            numbers[start + which] = row[order][first]
            cosines[start + which] = products[order][first]
        return numbers, cosines.astype(np.float32)

    def _insert(self, start: int, stop: int) -> None:
        """Put rows into the tables: each is the head of its bucket, followed by the former head."""
        projections, codes = self._project(self._vectors[start:stop])
        self._codes[:, start:stop] = codes
        for heads, following, elements in zip(
            self._heads, self._next, projections.transpose(1, 0, 2), strict=True
        ):
            keys = ((elements > 0) @ self._powers).astype(np.int64)
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            rows = (start + order).astype(np.int32)
            begins = np.ones(len(keys), np.bool_)
            begins[1:] = keys[1:] != keys[:-1]
            following[rows[1:]] = rows[:-1]
            following[rows[begins]] = heads[keys[begins]]
            ends = np.roll(begins, -1)
            heads[keys[ends]] = rows[ends]

    def _candidates(self, queries: Floats) -> tuple[Ints, Ints]:
        """Return pairs (query, row) of one bucket whose codes differ in few places."""
        projections, codes = self._project(queries)
        keys = ((projections > 0) @ self._powers).astype(np.int64) + self._first_buckets
        size = self._probes.shape[1]
        smallest = np.argpartition(np.abs(projections), size, axis=2)[:, :, :size]
        changed = np.where(np.take_along_axis(projections, smallest, 2) > 0, -1, 1)
        changes = changed.astype(np.float32) * self._powers[smallest]
        probed = (changes.reshape(-1, size) @ self._probes.T).astype(np.int64)
        probed += keys.reshape(-1, 1)
        rows = self._heads.reshape(-1).take(probed.reshape(-1))
        probe = np.flatnonzero(rows >= 0)
        row = rows[probe]
        probe //= len(self._probes)
        query, table = np.divmod(probe, _TABLES)
        pairs = []
        for _ in range(_MOST_ROUNDS):
            if not len(row):
                break
            near = np.zeros(len(row), np.uint16)
            for stored, asked in zip(self._codes, codes, strict=True):
                near += count_bits(stored.take(row) ^ asked.take(query))
            close = np.flatnonzero(near <= self._most_differing)
            pairs.append(np.unique(query[close] * self._count + row[close]))
            row = self._next[table, row]
            more = np.flatnonzero(row >= 0)
            query, table, row = query[more], table[more], row[more]
        both = np.unique(np.concatenate(pairs)) if pairs else np.zeros(0, np.int64)
        return both // self._count, both % self._count

    def _cosines(self, queries: Floats, query: Ints, row: Ints) -> Floats:
        cosines = np.empty(len(row), np.float32)
        for start in range(0, len(row), _ROWS):
            part = slice(start, start + _ROWS)
            np.einsum("ij,ij->i", queries[query[part]], self._vectors[row[part]], out=cosines[part])
        return cosines

    def _project(self, vectors: Floats) -> tuple[Floats, NDArray[np.uint64]]:
        """Return the elements (n, tables, bits) whose signs are keys, and codes (words, n)."""
        centered = vectors - self._middle
        wanted = _TABLES * self._bits
        turned = rotate(centered).reshape(len(vectors), -1)
        codes = np.packbits(turned > 0, axis=1).view(np.uint64).T
        parts = [turned]
        while len(parts) * turned.shape[1] < wanted:
            # Another rotation: elements are moved by a number that shares no factor with 64.
            moved = np.roll(centered, 11 * len(parts), axis=1)
            parts.append(rotate(moved).reshape(len(vectors), -1))
        elements = np.concatenate(parts, axis=1)[:, :wanted]
        return elements.reshape(len(vectors), _TABLES, self._bits), codes


def _subsets(size: int, most: int) -> Floats:
    """Return each subset of at most `most` of `size` places as a row of 0 and 1."""
    chosen = [subset for count in range(most + 1) for subset in combinations(range(size), count)]
    rows = np.zeros((len(chosen), size), np.float32)
    for row, subset in zip(rows, chosen, strict=True):
        row[list(subset)] = 1
    return rows


def _with_room(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return an array with at least so many rows, and a quarter more when it is made anew."""
    if rows <= len(array):
        return array
    shape = (rows + rows // 4, *array.shape[1:])
    larger = np.zeros(shape, array.dtype, "F" if array.flags.f_contiguous else "C")
    larger[: len(array)] = array
    return larger
