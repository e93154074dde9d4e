"""The settings of an index: one row each in the table `settings`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ..errors import NotAnIndexError

if TYPE_CHECKING:
    import sqlite3

    from .blocks import StoredPrecision
    from .lexicon import WordRule

_MOST_DIMENSION: Final = 65_535


class Settings(NamedTuple):
    """The settings of an index.

    Attributes:
        change: the number of transactions that wrote.
        dimension: the length of vectors.
        precision: how vectors are stored.
        words: the tokenizer of the full-text table, or None.
        stop_words: the words that queries ignore, a JSON list.
        passage_characters: the length above which documents are cut, or None.
        model: the name or path of the model.
        vectors_digest: what determines the model's vectors.
        vectors_from: `model` or `teacher`: which of them embeds the documents.
        teacher: the teacher whose vectors are in the model's space, or empty.
        teacher_revision: its revision, or empty.
        format_version: the format of the model's file, or empty.
    """

    change: int
    dimension: int
    precision: StoredPrecision
    words: WordRule | None
    stop_words: str
    passage_characters: int | None
    model: str
    vectors_digest: str
    vectors_from: str
    teacher: str
    teacher_revision: str
    format_version: str

    def ignored(self) -> list[str]:
        """Return the words that queries ignore."""
        return cast("list[str]", json.loads(self.stop_words))


def read_settings(connection: sqlite3.Connection, path: str) -> Settings:
    """Read and check the settings.

    Raises:
        NotAnIndexError: a setting is missing or invalid.
    """
    values = dict(connection.execute("SELECT name, value FROM settings"))
    settings = Settings(*(values.get(name) for name in Settings._fields))  # type: ignore[arg-type]
    for name, valid in _checks(settings).items():
        if not valid:
            raise NotAnIndexError(
                f"{path}: setting {name!r}: expected a valid value, found {values.get(name)!r:.80}"
            )
    return settings


def write_settings(connection: sqlite3.Connection, values: dict[str, object]) -> None:
    """Write some settings, inside the caller's transaction."""
    connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", sorted(values.items()))


def next_change(connection: sqlite3.Connection) -> int:
    """Count a transaction that writes; return its number."""
    connection.execute("UPDATE settings SET value = value + 1 WHERE name = 'change'")
    (change,) = connection.execute("SELECT value FROM settings WHERE name = 'change'").fetchone()
    return int(change)


def _checks(settings: Settings) -> dict[str, bool]:
    limit = settings.passage_characters
    return {
        "change": isinstance(settings.change, int) and settings.change >= 0,
        "dimension": isinstance(settings.dimension, int)
        and 0 < settings.dimension <= _MOST_DIMENSION,
        "precision": settings.precision in ("float16", "int8", "bits"),
        "words": settings.words in ("words", "trigrams", None),
        "stop_words": _is_list_of_strings(settings.stop_words),
        "passage_characters": limit is None or (isinstance(limit, int) and limit > 0),
        **{
            name: isinstance(getattr(settings, name), str)
            for name in ("model", "vectors_digest", "teacher", "teacher_revision", "format_version")
        },
        "vectors_from": settings.vectors_from in ("model", "teacher"),
    }


def _is_list_of_strings(value: object) -> bool:
    try:
        items = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return False
    return isinstance(items, list) and all(isinstance(item, str) for item in items)
