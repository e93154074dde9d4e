"""A collection on disk: token ids, lengths and target vectors, written in blocks and mapped."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from ..fitting.ridge_fit import count_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PARTS = 3
"""The texts of a document: its whole text, its title, and its first sentence."""

_IDS = 4_194_304  # token ids looked through at a time

_BLOCK = 32_768  # documents counted at a time


class DocumentSpool:
    """Documents as numbers. Memory holds their lengths, the disk holds the rest.

    Args:
        folder: An existing folder for two files, which are overwritten.
        dim: The dimension of the vectors, H.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._dim = dim
        self._ids_path, self._vectors_path = folder / "ids.i32", folder / "vectors.f16"
        self._ids: IO[bytes] = self._ids_path.open("wb")
        self._vectors: IO[bytes] = self._vectors_path.open("wb")
        self._lengths: list[NDArray[np.int64]] = []

    def __enter__(self) -> DocumentSpool:
        return self

    def __exit__(self, *error: object) -> None:
        self._ids.close()
        self._vectors.close()

    def add(
        self,
        ids: NDArray[np.int32],
        lengths: NDArray[np.int64],
        vectors: NDArray[np.floating],
    ) -> None:
        """Append a block of documents.

        Args:
            ids: (T,) token ids of all parts of all documents, one after the other.
            lengths: (3 n,) the number of ids of each part.
            vectors: (n, H) the documents' vectors; stored as float16.
        """
        self._ids.write(ids.tobytes())
        self._vectors.write(vectors.astype(np.float16).tobytes())
        self._lengths.append(lengths)

    def finish(self) -> Documents:
        """End the writing, and map what was written."""
        self._ids.close()
        self._vectors.close()
        lengths = np.concatenate([*self._lengths, np.empty(0, np.int64)])
        ids = _mapped(self._ids_path, np.int32, (-1,))
        vectors = _mapped(self._vectors_path, np.float16, (-1, self._dim))
        return Documents(ids, lengths, vectors, self._vectors_path)


class Documents:
    """N documents in memory-mapped arrays.

    Args:
        ids: (T,) int32 token ids of all parts of all documents, one after the other.
        lengths: (3 N,) int64, the number of ids of each part.
        vectors: (N, H) float16 unit vectors, the targets of the fit.
        path: The file of the vectors.
    """

    def __init__(
        self,
        ids: NDArray[np.int32],
        lengths: NDArray[np.int64],
        vectors: NDArray[np.float16],
        path: Path,
    ) -> None:
        self.ids = ids
        self.lengths = lengths
        self.vectors = vectors
        self._path = path
        self.starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def whole_lengths(self) -> NDArray[np.int64]:
        """(N,) the number of ids of each whole text."""
        return self.lengths[::PARTS]

    def targets(
        self, chosen: NDArray[np.int64] | None, others: NDArray[np.float16]
    ) -> NDArray[np.float16]:
        """Return the vectors of documents, and other vectors (m, H) after them.

        Args:
            chosen: (n,) indices of documents; None: all, memory-mapped.
            others: Other vectors. After all documents they are appended to the file.
        """
        if chosen is not None:
            return np.concatenate([self.vectors[chosen], others])
        if not len(others):
            return self.vectors
        with self._path.open("ab") as file:
            file.write(others.tobytes())
        targets: NDArray[np.float16] = _mapped(self._path, np.float16, (-1, others.shape[1]))
        return targets

    def used_tokens(self) -> NDArray[np.int64]:
        """Return the ascending ids of the tokens that occur."""
        seen = np.zeros(0, np.int64)
        for first in range(0, len(self.ids), _IDS):
            seen = np.union1d(seen, self.ids[first : first + _IDS])
        return seen

    def counts(
        self, used: NDArray[np.int64], chosen: NDArray[np.int64] | None = None
    ) -> csr_matrix:
        """Count tokens over length, with one column for each used token.

        Blocks are counted one after the other into arrays of the final size, so that memory never
        holds the counts twice.

        Args:
            used: (U,) the output of `used_tokens`.
            chosen: (n,) ascending indices of documents; None: all.

        Returns:
            (3 n, U) float32, as from `count_matrix`: the three parts of each document.
        """
        rows = np.arange(len(self)) if chosen is None else chosen
        lengths = self.lengths.reshape(-1, PARTS)[rows].ravel()
        most = int(lengths.sum())
        shares, columns = np.empty(most, np.float32), np.empty(most, np.int32)
        # The solver cuts the matrix into blocks, so that positions may exceed 32 bits.
        pointers = np.zeros(len(lengths) + 1, np.int64 if most >= 2**31 else np.int32)
        at = 0
        for first in range(0, len(rows), _BLOCK):
            block_rows = rows[first : first + _BLOCK]
            span = slice(PARTS * first, PARTS * (first + len(block_rows)))
            ids = np.searchsorted(used, self._all_ids(block_rows)).astype(np.int32)
            block = count_matrix(ids, lengths[span], len(used))
            shares[at : at + block.nnz], columns[at : at + block.nnz] = block.data, block.indices
            pointers[span.start + 1 : span.stop + 1] = block.indptr[1:] + at
            at += block.nnz
        matrix = csr_matrix((len(lengths), len(used)), dtype=np.float32)
        matrix.data, matrix.indices, matrix.indptr = shares[:at], columns[:at], pointers
        return matrix

    def _all_ids(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the ids of all parts of documents, one after the other."""
        first, last = PARTS * rows, PARTS * (rows + 1)
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
            return self.ids[self.starts[first[0]] : self.starts[last[-1]]]
        return self._joined(self.starts[first], self.starts[last])

    def whole_texts(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the token ids (T,) of whole texts, one after the other, and their lengths (n,)."""
        first = PARTS * rows
        return self._joined(self.starts[first], self.starts[first + 1]), self.lengths[first]

    def _joined(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int32]:
        spans = [
            self.ids[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        return np.concatenate([*spans, np.empty(0, np.int32)])


def _mapped(path: Path, dtype: type, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - by dtype
    if not path.stat().st_size:
        return np.empty([max(axis, 0) for axis in shape], dtype)
    return np.asarray(np.memmap(path, dtype, "r+")).reshape(shape)
