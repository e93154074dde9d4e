"""The documents of an index: added, replaced, deleted and read, in the caller's transactions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import InvalidOptionError, NotAnIndexError
from ..records.batches import batches
from .blocks import BlockWriter, encode_vectors
from .hits import Document, PassageSpan
from .schema import lexical_text
from .settings import next_change

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .settings import Settings


_AT_ONCE: Final = 500  # ids of a query; SQLite allows 999 parameters at least
_PAGE_CHARACTERS: Final = 1 << 24


class NewDocument(NamedTuple):
    """A document to store.

    Attributes:
        id: its id; None: its number, in decimals.
        text: its text.
        metadata: its metadata, as JSON.
        source: the file that it comes from; None: unknown.
        passages: the (start, stop) of its passages.
    """

    id: str | None
    text: str
    metadata: str
    source: str | None
    passages: list[tuple[int, int]]


class StoredPassage(NamedTuple):
    """A passage and its document, as stored.

    Attributes:
        id: the document's id.
        text: the document's text.
        metadata: its metadata, as JSON.
        span: where the passage lies.
    """

    id: str
    text: str
    metadata: str
    span: PassageSpan


def metadata_json(metadata: Mapping[str, Any] | None) -> str:
    """Write metadata as JSON, the keys in order.

    Raises:
        InvalidOptionError: they are not a mapping of strings to values of JSON.
    """
    if metadata is None:
        return "{}"
    try:
        values = dict(metadata)
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, sort_keys=True)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidOptionError(f"metadata: expected values of JSON, found {error}") from None
    if not all(isinstance(key, str) for key in values):
        raise InvalidOptionError("metadata: expected keys that are strings, found others")
    return text


def check_id(id: object, name: str = "ids") -> str:
    """Check a document's id, or its source.

    Raises:
        TypeError: it is no string.
        InvalidOptionError: it holds a lone surrogate.
    """
    if not isinstance(id, str):
        raise TypeError(f"{name}: expected strings, found {type(id).__name__}")
    try:
        id.encode()
    except UnicodeEncodeError:
        raise InvalidOptionError(f"{name}: expected valid Unicode, found {id!a:.60}") from None
    return id


def stored_ids(connection: sqlite3.Connection, ids: Sequence[str]) -> list[str]:
    """Return those of the ids that documents of the index have."""
    stored: list[str] = []
    for first in range(0, len(ids), _AT_ONCE):
        part = ids[first : first + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        rows = connection.execute(f"SELECT id FROM documents WHERE id IN ({marks})", part)  # noqa: S608 - marks alone
        stored += [id for (id,) in rows]
    return stored


def is_unchanged(connection: sqlite3.Connection, document: NewDocument) -> bool:
    """Tell whether the index holds a document with the same id, text, metadata and passages.

    The source must be the same, too, if it is known.
    """
    row = connection.execute(
        "SELECT number FROM documents WHERE id = ? AND text = ? AND metadata = ? "
        "AND source = coalesce(?, source)",
        (document.id, document.text, document.metadata, document.source),
    ).fetchone()
    if row is None:
        return False
    spans = connection.execute(
        "SELECT start, stop FROM passages WHERE document = ? ORDER BY number", row
    )
    return spans.fetchall() == document.passages


def store(
    connection: sqlite3.Connection,
    settings: Settings,
    documents: Sequence[NewDocument],
    vectors: NDArray[np.float32],
) -> int:
    """Add documents, or replace those of the same ids.

    Args:
        connection: inside a transaction that writes.
        settings: the index's settings.
        documents: the documents; of equal ids the last one stays.
        vectors: (n, D) unit vectors of their passages, in order.

    Returns:
        How many of them replaced one that was stored before.
    """
    writer = BlockWriter(
        connection, settings.dimension, settings.precision, next_change(connection)
    )
    last = {document.id: place for place, document in enumerate(documents)}
    replaced = stored_ids(connection, [id for id in last if id is not None])
    for id in replaced:
        _remove(connection, settings, writer, id)
    named = documents[0].id is not None if documents else True
    numbers = iter(_new_numbers(connection, len(last) if named else len(documents), named=named))
    rows: list[tuple[int, str, str, str, str]] = []
    owners: list[int] = []
    kept: list[int] = []
    spans: list[tuple[int, int, int]] = []
    texts: list[str] = []
    row = 0
    for place, document in enumerate(documents):
        first, row = row, row + len(document.passages)
        if document.id is not None and last[document.id] != place:
            continue
        number = next(numbers)
        id = str(number) if document.id is None else document.id
        rows.append((number, id, document.text, document.metadata, document.source or ""))
        for index, (start, stop) in enumerate(document.passages):
            owners.append(number)
            spans.append((index, start, stop))
            texts.append(lexical_text(document.text[start:stop], settings.words))
        kept += range(first, row)
    connection.executemany(
        "INSERT INTO documents(number, id, text, metadata, source) VALUES (?, ?, ?, ?, ?)", rows
    )
    stored = vectors if len(kept) == len(vectors) else vectors[kept]
    ids = writer.store(encode_vectors(stored, settings.precision), owners)
    writer.flush()
    connection.executemany(
        "INSERT INTO passages VALUES (?, ?, ?, ?, ?)",
        ((id, owner, *span) for id, owner, span in zip(ids, owners, spans, strict=True)),
    )
    if settings.words is not None:
        connection.executemany(
            "INSERT INTO lexical(rowid, text) VALUES (?, ?)", zip(ids, texts, strict=True)
        )
    return len(replaced)


def delete(connection: sqlite3.Connection, settings: Settings, ids: Sequence[str]) -> int:
    """Delete documents; return how many of them were stored."""
    writer = BlockWriter(
        connection, settings.dimension, settings.precision, next_change(connection)
    )
    deleted = sum(_remove(connection, settings, writer, id) for id in ids)
    writer.flush()
    return deleted


def get(connection: sqlite3.Connection, id: str) -> Document | None:
    """Return a document, or None."""
    row = connection.execute(
        "SELECT id, text, metadata, source FROM documents WHERE id = ?", (id,)
    ).fetchone()
    return None if row is None else Document(row[0], row[1], parse_metadata(row[2]), row[3])


def sources(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield the (id, source) of each document whose source is known."""
    yield from connection.execute("SELECT id, source FROM documents WHERE source != ''")


def page(
    connection: sqlite3.Connection, after: int, count: int
) -> list[tuple[int, Document, list[tuple[int, int, int]]]]:
    """Return documents in the order of their numbers.

    Args:
        connection: inside a transaction that reads.
        after: the number before the first one.
        count: the most documents; fewer, if they are long.

    Returns:
        Each one's number, the document, and its passages' (id, start, stop).

    Raises:
        NotAnIndexError: the file is damaged.
    """
    found = connection.execute(
        "SELECT number, id, text, metadata, source FROM documents WHERE number > ? ORDER BY number",
        (after,),
    )
    rows, _ = next(batches(found, count, _PAGE_CHARACTERS, _characters), ([], False))
    passages = "SELECT id, start, stop FROM passages WHERE document = ? ORDER BY number"
    return [
        (
            number,
            Document(id, text, parse_metadata(metadata), source),
            connection.execute(passages, (number,)).fetchall(),
        )
        for number, id, text, metadata, source in rows
    ]


def passage(connection: sqlite3.Connection, id: int) -> StoredPassage:
    """Return a passage with its document.

    Raises:
        NotAnIndexError: the file is damaged.
    """
    row = connection.execute(
        "SELECT documents.id, text, metadata, passages.number, start, stop FROM passages "
        "JOIN documents ON documents.number = document WHERE passages.id = ?",
        (id,),
    ).fetchone()
    kinds = (str, str, str, int, int, int)
    if row is None or not all(map(isinstance, row, kinds)) or not 0 <= row[4] <= row[5]:
        raise NotAnIndexError(f"damaged index: passage {id} is missing or invalid")
    return StoredPassage(row[0], row[1], row[2], PassageSpan(*row[3:]))


def passage_texts(
    connection: sqlite3.Connection, passages: Iterable[tuple[int, int]]
) -> Iterator[str]:
    """Yield the texts of passages, given by their ids and documents.

    A document is read once for passages of it that follow each other: it may have many.

    Raises:
        NotAnIndexError: the file is damaged.
    """
    query = "SELECT start, stop FROM passages WHERE id = ?"
    document, text = 0, ""
    for id, owner in passages:
        if owner != document:
            document, text = owner, passage(connection, id).text
        span = connection.execute(query, (id,)).fetchone()
        if span is None or not all(isinstance(place, int) for place in span):
            raise NotAnIndexError(f"damaged index: passage {id} is missing or invalid")
        yield text[slice(*span)]


def check(connection: sqlite3.Connection) -> None:
    """Check each document and each passage.

    Raises:
        NotAnIndexError: one is invalid, or the document of a passage is missing.
    """
    for id, text, metadata in connection.execute("SELECT id, text, metadata FROM documents"):
        _check_document(id, text)
        parse_metadata(metadata)
    row = connection.execute(
        "SELECT passages.id FROM passages LEFT JOIN documents ON documents.number = document "
        "WHERE documents.number IS NULL OR NOT (0 <= start AND start <= stop) "
        "OR typeof(passages.number) || typeof(start) || typeof(stop) != 'integerintegerinteger'"
    ).fetchone()
    if row is not None:
        raise NotAnIndexError(f"damaged index: passage {row[0]} is missing or invalid")


def _characters(row: tuple[Any, ...]) -> int:
    """Check a document that `page` reads; return its characters."""
    _check_document(row[1], row[2])
    return len(row[2])


def _check_document(id: object, text: object) -> None:
    if not (isinstance(id, str) and isinstance(text, str)):
        raise NotAnIndexError(f"damaged index: document {id!r:.60} is invalid")


def parse_metadata(text: object) -> dict[str, Any]:
    """Read a document's metadata.

    Raises:
        NotAnIndexError: they are no JSON object.
    """
    try:
        values = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise NotAnIndexError(f"damaged index: expected metadata in JSON, found {text!r:.60}")
    return values


def _new_numbers(connection: sqlite3.Connection, count: int, *, named: bool) -> list[int]:
    """Return numbers for new documents; without names, those that are no document's id."""
    (first,) = connection.execute(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'documents'), 0) + 1"
    ).fetchone()
    if named:
        return list(range(first, first + count))
    numbers: list[int] = []
    while len(numbers) < count:
        taken = {*stored_ids(connection, [*map(str, range(first, first + count))])}
        numbers += [number for number in range(first, first + count) if str(number) not in taken]
        first += count
    return numbers[:count]


def _remove(
    connection: sqlite3.Connection, settings: Settings, writer: BlockWriter, id: str
) -> bool:
    """Delete a document if it is stored."""
    row = connection.execute("SELECT number, text FROM documents WHERE id = ?", (id,)).fetchone()
    if row is None:
        return False
    number, text = row
    passages = connection.execute(
        "SELECT id, start, stop FROM passages WHERE document = ?", (number,)
    ).fetchall()
    if settings.words is not None:  # FTS5 needs the text that it was given
        connection.executemany(
            "INSERT INTO lexical(lexical, rowid, text) VALUES ('delete', ?, ?)",
            [
                (passage, lexical_text(text[start:stop], settings.words))
                for passage, start, stop in passages
            ],
        )
    writer.free([passage for passage, _, _ in passages])
    connection.execute("DELETE FROM passages WHERE document = ?", (number,))
    connection.execute("DELETE FROM documents WHERE number = ?", (number,))
    return True
