"""Vectors in the file: blocks of 256 places, and the bytes of one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from ..encoding.vectors import quantize
from ..errors import NotAnIndexError
from .schema import BLOCK_ROWS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

StoredPrecision = Literal["float16", "int8", "bits"]
DTYPES: Final = {"float16": "<f2", "int8": "i1", "bits": "u1"}


class VectorBlock(NamedTuple):
    """A block of places.

    Attributes:
        id: its number; the block holds passages 256 · id to 256 · id + 255.
        documents: (256,) int64, each passage's document; 0 for a free place.
        vectors: (256, width) of the stored type; the values of free places mean nothing.
    """

    id: int
    documents: NDArray[np.int64]
    vectors: NDArray[Any]


def width(dimension: int, precision: StoredPrecision) -> int:
    """Return the number of stored elements of a vector."""
    return -(-dimension // 8) if precision == "bits" else dimension


def encode_vectors(vectors: NDArray[np.float32], precision: StoredPrecision) -> NDArray[Any]:
    """Turn unit vectors (n, D) into the stored type, (n, width)."""
    if precision == "float16":
        return vectors.astype(DTYPES["float16"])
    if precision == "bits":
        return quantize(vectors, "ubinary")
    # All 127 steps for each vector: its length is not stored, as `decode_vectors` restores it.
    largest = np.abs(vectors).max(axis=1, initial=0, keepdims=True)
    return quantize(vectors / np.where(largest > 0, largest, 1), "int8")


def decode_vectors(
    stored: NDArray[Any], dimension: int, precision: StoredPrecision
) -> NDArray[np.float32]:
    """Turn stored vectors (n, width) into float32 (n, D) of unit length or zero.

    Values that are not finite become 0: a damaged file must not spoil a ranking.
    """
    if precision == "bits":
        rows = np.unpackbits(stored, axis=1, count=dimension).astype(np.float32)
        rows -= np.float32(0.5)
        rows *= np.float32(2 / np.sqrt(dimension))
        return rows
    rows = stored.astype(np.float32)
    if precision == "float16":
        np.nan_to_num(rows, copy=False, posinf=0.0, neginf=0.0)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    lengths[lengths == 0] = 1
    rows /= lengths[:, None]
    return rows


def count_blocks(connection: sqlite3.Connection) -> int:
    """Return the number of blocks, whose numbers begin at 0 and have no gaps.

    Raises:
        NotAnIndexError: there is a gap; memory is reserved by this number.
    """
    query = "SELECT count(*), min(id), max(id) FROM blocks"
    count, first, last = connection.execute(query).fetchone()
    if count and (first != 0 or last != count - 1):
        raise NotAnIndexError(f"damaged index: expected blocks 0 to {count - 1}, found others")
    return int(count)


def read_blocks(
    connection: sqlite3.Connection, after: int, dimension: int, precision: StoredPrecision
) -> Iterator[VectorBlock]:
    """Yield the blocks that were written after a change.

    Raises:
        NotAnIndexError: a block's number or length is invalid.
    """
    # In the order of the file where everything is read: an index would jump.
    query = "SELECT id, documents, vectors FROM blocks"
    if after:
        rows = connection.execute(query + " WHERE change > ?", (after,))
    else:
        rows = connection.execute(query)
    for id, documents, vectors in rows:
        yield _block(id, documents, vectors, dimension, precision)


def _block(
    id: object, documents: object, vectors: object, dimension: int, precision: StoredPrecision
) -> VectorBlock:
    elements = width(dimension, precision)
    dtype = np.dtype(DTYPES[precision])
    if not (
        isinstance(id, int)
        and isinstance(documents, bytes)
        and isinstance(vectors, bytes)
        and id >= 0
        and len(documents) == 8 * BLOCK_ROWS
        and len(vectors) == BLOCK_ROWS * elements * dtype.itemsize
    ):
        raise NotAnIndexError(f"damaged index: block {id!r:.40} has an invalid number or length")
    return VectorBlock(
        id,
        np.frombuffer(documents, "<i8").astype(np.int64),
        np.frombuffer(vectors, dtype).reshape(BLOCK_ROWS, elements),
    )


def read_vectors(
    connection: sqlite3.Connection,
    passages: Sequence[int],
    dimension: int,
    precision: StoredPrecision,
) -> NDArray[np.float32]:
    """Read the vectors of passages: (n, D) float32 of unit length.

    Raises:
        NotAnIndexError: a block is missing or invalid.
    """
    query = "SELECT id, documents, vectors FROM blocks WHERE id = ?"
    ids = np.array(passages, np.int64)
    stored = np.zeros((len(ids), width(dimension, precision)), DTYPES[precision])
    for id in np.unique(ids // BLOCK_ROWS).tolist():
        row = connection.execute(query, (id,)).fetchone()
        if row is None:
            raise NotAnIndexError(f"damaged index: block {id} is missing")
        inside = ids // BLOCK_ROWS == id
        block = _block(row[0], row[1], row[2], dimension, precision)
        stored[inside] = block.vectors[ids[inside] % BLOCK_ROWS]
    return decode_vectors(stored, dimension, precision)


class BlockWriter:
    """Places for vectors, taken and freed within one transaction; `flush` writes the blocks.

    Args:
        connection: inside a transaction that writes.
        dimension: the length of vectors.
        precision: how they are stored.
        change: the number of this change.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        dimension: int,
        precision: StoredPrecision,
        change: int,
    ) -> None:
        self._connection = connection
        self._dimension = dimension
        self._precision: StoredPrecision = precision
        self._change = change
        self._open: dict[int, tuple[NDArray[np.int64], NDArray[Any]]] = {}

    def free(self, passages: list[int]) -> None:
        """Free the places of passages."""
        for passage in passages:
            id, place = divmod(passage, BLOCK_ROWS)
            self._writable(id)[0][place] = 0

    def store(self, vectors: NDArray[Any], documents: list[int]) -> list[int]:
        """Store vectors of passages; return the passages' ids.

        Args:
            vectors: (n, width) of the stored type.
            documents: the n passages' documents.
        """
        ids: list[int] = []
        numbers = np.array(documents, np.int64)
        for id in self._blocks_with_places():
            if len(ids) == len(numbers):
                break
            owners, rows = self._writable(id)
            places = np.flatnonzero(owners == 0)[: len(numbers) - len(ids)]
            first, last = len(ids), len(ids) + len(places)
            owners[places] = numbers[first:last]
            rows[places] = vectors[first:last]
            ids += (id * BLOCK_ROWS + places).tolist()
        return ids

    def make(self, id: int) -> None:
        """Make a block without vectors, unless it is there."""
        self._writable(id)

    def place(self, passages: list[tuple[int, int]], vectors: NDArray[Any]) -> None:
        """Store vectors (n, width) in the places of passages (id, document)."""
        for (passage, document), vector in zip(passages, vectors, strict=True):
            id, place = divmod(passage, BLOCK_ROWS)
            owners, rows = self._writable(id)
            owners[place] = document
            rows[place] = vector

    def flush(self) -> None:
        """Write the changed blocks."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?)",
            (
                (
                    id,
                    self._change,
                    int(np.count_nonzero(owners)),
                    owners.astype("<i8").tobytes(),
                    rows.tobytes(),
                )
                for id, (owners, rows) in sorted(self._open.items())
            ),
        )
        self._open.clear()

    def _blocks_with_places(self) -> Iterator[int]:
        """Yield blocks with free places: those in use here, those in the file, then new ones."""
        yield from [id for id, (owners, _) in self._open.items() if not owners.all()]
        free = "SELECT id FROM blocks WHERE live < 256 AND id > ? ORDER BY id LIMIT 1"
        last = -1
        while (row := self._connection.execute(free, (last,)).fetchone()) is not None:
            (last,) = row
            if last not in self._open:
                yield last
        (most,) = self._connection.execute("SELECT max(id) FROM blocks").fetchone()
        new = max([-1 if most is None else most, *self._open])
        while True:
            new += 1
            yield new

    def _writable(self, id: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        if id not in self._open:
            row = self._connection.execute(
                "SELECT id, documents, vectors FROM blocks WHERE id = ?", (id,)
            ).fetchone()
            if row is None:
                shape = (BLOCK_ROWS, width(self._dimension, self._precision))
                self._open[id] = (
                    np.zeros(BLOCK_ROWS, np.int64),
                    np.zeros(shape, DTYPES[self._precision]),
                )
            else:
                block = _block(row[0], row[1], row[2], self._dimension, self._precision)
                self._open[id] = (block.documents.copy(), block.vectors.copy())
        return self._open[id]
