"""All vectors of an index made anew from its texts."""

from __future__ import annotations

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
    for first in range(0, len(rows), _PAGE):
        part = rows[first : first + _PAGE]
        stored = [collection.passage(connection, id) for id, _ in part]
        texts = [row.text[row.span.start : row.span.stop] for row in stored]
        writer = BlockWriter(connection, dimension, precision, change)
        writer.place(part, encode_vectors(maker.documents(texts), precision))
        writer.flush()
        if progress is not None:
            progress(first + len(part))
    written = {id for (id,) in connection.execute("SELECT id FROM blocks")}
    for id in set(range(count)) - written:
        writer = BlockWriter(connection, dimension, precision, change)
        writer.make(id)
        writer.flush()
