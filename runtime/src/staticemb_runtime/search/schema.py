"""The schema of an index, version 1: the tables of the SQLite file, and how a file is recognized.

Any program that reads SQLite can read an index. Numbers in blobs are little-endian.

- `settings`: `name`, `value`; a row a setting (`settings.Settings`).
- `documents`: `number`, never used twice; `id`, the user's; `text`; `metadata`, a JSON object;
  `source`, the file that a command read it from, or empty.
- `passages`: `id`; `document`, a document's number; `number`, from 0; `start` and `stop`, code
  points of the document's text.
- `blocks`: 256 places for vectors a row. `id`; `change`, the last change of the row; `live`, how
  many places are in use; `documents`, 256 int64, 0 for a free place; `vectors`.
- `lexical`: FTS5, contentless. `rowid`, a passage's id; `text`, the passage's; for trigrams two
  line feeds follow it, so that a word of one or two characters begins a trigram wherever it stands,
  and a line feed stands for each zero byte.
- `model`: the bytes of the model's file, a piece a row. `number`, from 0; `data`.

The vector of passage `p` has place `p % 256` in block `p // 256`. With precision `int8` a vector is
D int8 (times a number that makes the largest absolute element 127, rounded), with `float16` D
float16, with `bits` ⌈D/8⌉ bytes: 1 where an element is positive, highest bit first.
`settings.change` counts the transactions that wrote.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import Final

from ..errors import NotAnIndexError

APPLICATION_ID: Final = 0x53454D42  # "SEMB"
SCHEMA_VERSION: Final = 1
BLOCK_ROWS: Final = 256

# The tokenizers of FTS5 by the setting `words`.
TOKENIZERS: Final = {
    "words": "porter unicode61 remove_diacritics 2",
    "trigrams": "trigram",
}
TABLES: Final = {
    "settings": "CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "documents": (
        "CREATE TABLE documents (number INTEGER PRIMARY KEY AUTOINCREMENT, "
        "id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, metadata TEXT NOT NULL, "
        "source TEXT NOT NULL)"
    ),
    "passages": (
        "CREATE TABLE passages (id INTEGER PRIMARY KEY, document INTEGER NOT NULL, "
        "number INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL)"
    ),
    "passages_document": "CREATE INDEX passages_document ON passages (document)",
    "blocks": (
        "CREATE TABLE blocks (id INTEGER PRIMARY KEY, change INTEGER NOT NULL, "
        "live INTEGER NOT NULL, documents BLOB NOT NULL, vectors BLOB NOT NULL)"
    ),
    "blocks_change": "CREATE INDEX blocks_change ON blocks (change)",
    "blocks_free": "CREATE INDEX blocks_free ON blocks (id) WHERE live < 256",
    "model": "CREATE TABLE model (number INTEGER PRIMARY KEY, data BLOB NOT NULL)",
}
LEXICAL: Final = "lexical"
GRAM: Final = 3  # the characters of a trigram
_TRIGRAM_END: Final = "\n" * (GRAM - 1)
_HASH_BYTES: Final = 16 << 20
_SHADOWS: Final = ("data", "idx", "docsize", "config")  # the tables that FTS5 keeps for itself
_LEXICAL: Final = "CREATE VIRTUAL TABLE lexical USING fts5 (text, content='', tokenize='{}')"


def lexical_sql(words: str) -> str:
    """Return the statement that makes the full-text table.

    Raises:
        KeyError: `words` names no tokenizer.
    """
    return _LEXICAL.format(TOKENIZERS[words])


def lexical_text(text: str, words: str | None) -> str:
    """Return what the full-text table holds for a passage."""
    # FTS5's trigrams end at a zero byte.
    return text.replace("\0", "\n") + _TRIGRAM_END if words == "trigrams" else text


def term_condition(term: str, words: str) -> tuple[str, tuple[str, ...]]:
    """Return a condition on the column `term` of the vocabulary, and its parameters.

    In an index of trigrams, a shorter term stands for all trigrams that begin with it.

    >>> term_condition("ab", "trigrams")[0]
    'term >= ? AND term < ?'
    """
    if words == "trigrams" and len(term) < GRAM:
        return "term >= ? AND term < ?", (term, term + chr(sys.maxunicode))
    return "term = ?", (term,)


def make_tables(connection: sqlite3.Connection, words: str | None) -> None:
    """Make all tables and mark the file, inside the caller's transaction."""
    for statement in TABLES.values():
        connection.execute(statement)
    if words is not None:
        connection.execute(lexical_sql(words))
        # Terms of a transaction are written out when they take so much memory. With SQLite's 1 MB
        # a large batch becomes many parts, and merging them takes half of the time.
        hash_size = "INSERT INTO lexical(lexical, rank) VALUES ('hashsize', ?)"
        connection.execute(hash_size, (_HASH_BYTES,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def attach_vocabulary(connection: sqlite3.Connection) -> bool:
    """Make the full-text table's terms readable.

    `temp.vocabulary` has a row for each term, `temp.occurrences` one for each place of a term.

    Returns:
        Whether the file has such a table and this Python's SQLite has FTS5.
    """
    query = "SELECT count(*) FROM sqlite_master WHERE name = ?"
    if not connection.execute(query, (LEXICAL,)).fetchone()[0]:
        return False
    try:
        for name, kind in (("vocabulary", "row"), ("occurrences", "instance")):
            connection.execute(
                f"CREATE VIRTUAL TABLE temp.{name} USING fts5vocab (main, lexical, {kind})"
            )
    except sqlite3.OperationalError as error:
        if "no such module" in str(error):
            return False
        raise
    return True


def is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether the file holds no table at all, as one whose creation was interrupted."""
    (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(count == 0)


def check_schema(connection: sqlite3.Connection, path: str) -> None:
    """Check that a file has exactly the tables of this schema.

    A file from outside must not bring triggers, views or expressions of its own: SQLite would run
    them.

    Raises:
        NotAnIndexError: the file has another schema, or a newer version of this one.
        sqlite3.Error: the file is damaged or no database.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        found = "an empty file" if is_empty(connection) else "another SQLite file"
        raise NotAnIndexError(f"{path}: expected a search index, found {found}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        newer = "; update staticemb-runtime" if version > SCHEMA_VERSION else ""
        raise NotAnIndexError(
            f"{path}: schema version: expected {SCHEMA_VERSION}, found {version}{newer}"
        )
    expected = dict(TABLES)
    found_sql: dict[str, str] = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if not isinstance(name, str) or kind not in ("table", "index"):
            raise NotAnIndexError(f"{path}: expected tables and indexes, found {kind} {name!r:.60}")
        internal = name.startswith("sqlite_") and (sql is None or name == "sqlite_sequence")
        shadow = kind == "table" and name in [f"{LEXICAL}_{part}" for part in _SHADOWS]
        if not (internal or shadow):
            found_sql[name] = sql
    lexical = found_sql.pop(LEXICAL, None)
    if lexical is not None and lexical not in map(lexical_sql, TOKENIZERS):
        raise NotAnIndexError(f"{path}: expected FTS5 as in the schema, found {lexical!r:.200}")
    for name in sorted({*expected, *found_sql}):
        if expected.get(name) != found_sql.get(name):
            raise NotAnIndexError(
                f"{path}: table or index {name!r:.60}: expected {expected.get(name)!r}, "
                f"found {found_sql.get(name)!r:.200}"
            )
