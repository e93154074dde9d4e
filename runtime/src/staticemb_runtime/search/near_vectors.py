"""Find the most similar of many unit vectors, if its cosine reaches a threshold.

A few vectors are compared with all. Many are kept in lists, each with a center: a vector is in the
list of the center c with the largest product x·c. A query q reads few of the lists. Let x be a
vector of length 1 with q·x at least the threshold t, in the list of c, and let b be the center with
the largest product with q. Then |q − x| ≤ r = √(2 − 2t), and x·c ≥ x·b, so

    q·b − q·c ≤ (q − x)·(b − c) ≤ r · |b − c|.

So the lists with (q·b − q·c) / |b − c| ≤ r hold all such x: this bound misses none. Directions of
many dimensions are nearly orthogonal, so nearly all x lie within half of it (`SLACK`). Of 30,000
sentences in 512 lists and as many edited ones, half of the bound missed 0.04 % of the pairs above
0.9, 0.4 % of those above 0.8, and 1 in 2,000 of the texts with such a pair. At 0.9 it read a tenth
of the vectors, the whole bound three quarters. Texts of random words, whose vectors form no groups,
need two thirds of the vectors: their time grows nearly with the square of their number. So where
some neighbors may be missed, and the threshold is high (0.8 with the bundled model), hash tables
take the place of the lists (`near_hashes`): their time grows nearly with the number of vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .near_hashes import LEAST_COSINE, HashedVectors, centered_cosine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

SLACK: Final = 0.5
"""The share of the bound that is searched by default."""

ROUNDING: Final = 1e-6
"""How far a cosine may be below the threshold: float32 has rounding errors of this size."""

FIRST_LISTS: Final = 1 << 15
"""The number of vectors above which they are kept in lists."""

_GROWTH: Final = 4  # the centers are computed anew when there are so many times more vectors
_MOST_LISTS: Final = 4096
_LIST: Final = 64  # vectors for each center when centers are computed
_ROUNDS: Final = 4  # of k-means
_AT_ONCE: Final = 1 << 21  # cosines


class Nearest(NamedTuple):
    """The most similar vector of each query.

    Attributes:
        indices: (n,) int64, the number of the vector; -1 if no cosine reaches the threshold.
        cosines: (n,) float32, -1 if no cosine reaches the threshold.
    """

    indices: Ints
    cosines: Floats


class NearVectors:
    """A growing set of unit vectors. A zero vector is similar to nothing, and is not stored.

    Args:
        dim: the length of the vectors.
        threshold: the smallest cosine to find, above 0.
        slack: the share of the bound that is searched, above 0; 1 finds every vector.
        first_lists: the number of vectors above which they are kept in lists.
        hashes: whether hash tables take the place of lists if the threshold is high enough.

    Example:
        >>> near = NearVectors(2, 0.9)
        >>> near.add(np.array([[1, 0], [0, 1]], np.float32), np.array([5, 6]))
        >>> near.nearest(np.array([[0.6, 0.8], [0, 1]], np.float32)).indices
        array([-1,  6])
    """

    def __init__(
        self,
        dim: int,
        threshold: float,
        *,
        slack: float = SLACK,
        first_lists: int = FIRST_LISTS,
        hashes: bool = False,
    ) -> None:
        self._hashes = hashes
        self._hashed: HashedVectors | None = None
        self._indices: Ints = np.zeros(0, np.int64)  # of the rows of `_hashed`
        self._threshold = np.float32(threshold - ROUNDING)
        self._reach = slack * float(np.sqrt(max(2 - 2 * (threshold - ROUNDING), 0)))
        self._dim = dim
        self._count = 0
        self._next_centers = first_lists
        self._centers: Floats = np.zeros((1, dim), np.float32)
        self._distances: Floats = np.zeros((1, 1), np.float32)  # between centers
        self._lists = [_List(dim)]

    def __len__(self) -> int:
        return self._count

    def add(self, vectors: Floats, indices: Ints) -> None:
        """Add vectors, (n, dim), with their numbers, (n,), which ascend over all calls."""
        is_stored = vectors.any(axis=1)
        self._count += int(is_stored.sum())
        if self._hashed is not None:
            self._hashed.add(vectors[is_stored])
            self._number(indices[is_stored])
            return
        self._insert(vectors[is_stored], indices[is_stored])
        if self._count <= self._next_centers:
            return
        if self._hashes:
            stored, numbers = self._lists[0].view()
            self._hashes = centered_cosine(float(self._threshold), stored) >= LEAST_COSINE
        if self._hashes:
            self._hashed = HashedVectors(float(self._threshold), stored)
            self._number(numbers)
            self._lists = []
        else:
            self._next_centers = _GROWTH * self._count
            self._make_lists()

    def nearest(self, queries: Floats) -> Nearest:
        """Return the most similar vector of each query, (n, dim); of equal ones the first."""
        indices, cosines = np.full(len(queries), -1, np.int64), np.full(len(queries), -1.0)
        if self._hashed is not None:
            rows, similar = self._hashed.nearest(queries)
            indices[rows >= 0] = self._indices[rows[rows >= 0]]
            return Nearest(indices, similar)
        nearest = Nearest(indices, cosines.astype(np.float32))
        searched = np.flatnonzero(queries.any(axis=1))
        if len(self._lists) == 1:
            self._read(0, searched, queries, nearest)
            return nearest
        products = queries[searched] @ self._centers.T
        best = products.argmax(axis=1)
        margins = products.max(axis=1)[:, None] - products
        which, order = np.nonzero((margins <= self._reach * self._distances[best] + ROUNDING).T)
        query = searched[order]
        ends = np.cumsum(np.bincount(which, minlength=len(self._lists)))
        begins = [0, *ends[:-1].tolist()]
        for number, (begin, end) in enumerate(zip(begins, ends.tolist(), strict=True)):
            if end > begin:
                self._read(number, query[begin:end], queries, nearest)
        return nearest

    def _number(self, indices: Ints) -> None:
        """Store the numbers of the last rows of `_hashed`."""
        if self._count > len(self._indices):
            self._indices = np.resize(self._indices, self._count + self._count // 4)
        self._indices[self._count - len(indices) : self._count] = indices

    def _read(
        self, number: int, chosen: NDArray[np.intp], queries: Floats, nearest: Nearest
    ) -> None:
        """Compare some queries with a list, and store better neighbors."""
        vectors, indices = self._lists[number].view()
        rows = queries[chosen]
        step = max(1, _AT_ONCE // max(1, len(rows)))
        for begin in range(0, len(vectors), step):
            cosines = rows @ vectors[begin : begin + step].T
            place = cosines.argmax(axis=1)
            largest = cosines[np.arange(len(rows)), place]
            index = indices[begin + place]
            known, known_index = nearest.cosines[chosen], nearest.indices[chosen]
            better = (largest > known) | ((largest == known) & (index < known_index))
            better &= largest >= self._threshold
            nearest.cosines[chosen[better]] = largest[better]
            nearest.indices[chosen[better]] = index[better]

    def _insert(self, vectors: Floats, indices: Ints) -> None:
        if len(self._lists) == 1:
            self._lists[0].append(vectors, indices)
            return
        for begin in range(0, len(vectors), _MOST_LISTS):
            part = slice(begin, begin + _MOST_LISTS)
            owners = (vectors[part] @ self._centers.T).argmax(axis=1)
            order = np.argsort(owners, kind="stable")
            ends = np.cumsum(np.bincount(owners, minlength=len(self._lists)))
            for number in np.unique(owners).tolist():
                chosen = order[(ends[number - 1] if number else 0) : ends[number]]
                self._lists[number].append(vectors[part][chosen], indices[part][chosen])

    def _make_lists(self) -> None:
        """Compute centers for the present number of vectors, and sort all vectors into lists."""
        size = min(_MOST_LISTS, max(2, self._count // _LIST))
        old = self._lists
        share = min(1.0, 16 * size / self._count)
        sample = [kept[:: max(1, round(1 / share))] for kept, _ in (part.view() for part in old)]
        self._centers = spherical_centers(np.concatenate(sample), size)
        squares = 2 - 2 * (self._centers @ self._centers.T)
        self._distances = np.sqrt(np.maximum(squares, 0))
        self._lists = [_List(self._dim) for _ in self._centers]
        while old:  # a list is freed once its vectors are in their new lists
            self._insert(*old.pop().view())


class _List:
    """Vectors with their indices, in arrays that grow."""

    def __init__(self, dim: int) -> None:
        self._vectors: Floats = np.empty((0, dim), np.float32)
        self._indices: Ints = np.empty(0, np.int64)
        self._size = 0

    def view(self) -> tuple[Floats, Ints]:
        return self._vectors[: self._size], self._indices[: self._size]

    def append(self, vectors: Floats, indices: Ints) -> None:
        end = self._size + len(vectors)
        if end > len(self._vectors):
            room = end + end // 4
            for name in ("_vectors", "_indices"):
                old = getattr(self, name)
                new = np.empty((room, *old.shape[1:]), old.dtype)
                new[: self._size] = old[: self._size]
                setattr(self, name, new)
        self._vectors[self._size : end] = vectors
        self._indices[self._size : end] = indices
        self._size = end


def spherical_centers(vectors: Floats, count: int) -> Floats:
    """Return unit vectors in the middle of groups of vectors, by k-means on the sphere.

    The result depends on the vectors alone: the first centers are vectors at equal distances in
    the array.

    Args:
        vectors: (n, d), of length 1 or 0.
        count: the number of centers.

    Returns:
        (count, d) float32, of length 1.
    """
    centers: Floats = vectors[np.linspace(0, len(vectors) - 1, count).astype(np.intp)].copy()
    centers[~centers.any(axis=1), 0] = 1  # a zero vector
    for _ in range(_ROUNDS):
        sums = np.zeros_like(centers)
        for begin in range(0, len(vectors), _MOST_LISTS):
            part = vectors[begin : begin + _MOST_LISTS]
            owners = (part @ centers.T).argmax(axis=1)
            order = np.argsort(owners, kind="stable")
            numbers, starts = np.unique(owners[order], return_index=True)
            sums[numbers] += np.add.reduceat(part[order], starts, axis=0)
        lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))[:, None]
        np.divide(sums, lengths, out=centers, where=lengths > 1e-6)
    return centers
