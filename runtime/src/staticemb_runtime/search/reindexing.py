"""All vectors of an index made anew from its texts."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from . import collection
from .blocks import BlockWriter, encode_vectors
from .settings import next_change

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .blocks import StoredPrecision
    from .embedding import DocumentVectors

_PAGE: Final = 1024  # passages that are embedded at a time


def fill_blocks(
    connection: sqlite3.Connection,
    rows: list[tuple[int, int]],
    count: int,
    dimension: int,
    precision: StoredPrecision,
    maker: DocumentVectors,
    progress: Callable[[int], None] | None,
) -> None:
    """Write `count` blocks with the vectors of all passages (id, document), in their places."""
    change = next_change(connection)
    texts = collection.passage_texts(connection, rows)
    for first in range(0, len(rows), _PAGE):
        part = rows[first : first + _PAGE]
        writer = BlockWriter(connection, dimension, precision, change)
        vectors = maker.documents(list(islice(texts, len(part))))
        writer.place(part, encode_vectors(vectors, precision))
        writer.flush()
        if progress is not None:
            progress(first + len(part))
    written = {id for (id,) in connection.execute("SELECT id FROM blocks")}
    for id in set(range(count)) - written:
        writer = BlockWriter(connection, dimension, precision, change)
        writer.make(id)
        writer.flush()
