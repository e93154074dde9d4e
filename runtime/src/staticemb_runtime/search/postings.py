"""Postings of the full-text table in memory: which passages hold a term, and its BM25 there.

FTS5 computes BM25 row by row. To read its postings as one string for a term takes about a seventh
of that time, and nothing when the term is asked for again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..errors import NotAnIndexError
from .schema import BLOCK_ROWS, term_condition

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .lexicon import WordRule

K1: Final = 1.2  # as in FTS5 and Lucene
B: Final = 0.75
_KEPT: Final = 1 << 23  # postings of 8 bytes
_PAGE: Final = 1 << 16  # passages whose lengths are read at a time
_STALE: Final = 1.2  # frequencies are read again when the collection has grown or shrunk by this
_MOST_FREQUENCIES: Final = 1 << 16


class Posting(NamedTuple):
    """The passages that hold a term.

    Attributes:
        passages: (m,) int32, ascending.
        scores: (m,) float32, the term's share of each passage's BM25, above 0.
    """

    passages: NDArray[np.int32]
    scores: NDArray[np.float32]


class Postings:
    """The postings of the terms that were asked for; at most 64 MB of them stay.

    Args:
        words: the tokenizer of the full-text table.
    """

    def __init__(self, words: WordRule) -> None:
        self._words = words
        self._lengths: NDArray[np.int32] = np.zeros(0, np.int32)
        self._norms: NDArray[np.float32] | None = None
        self._count = 0
        self._kept: dict[str, Posting] = {}
        self._size = 0
        self._frequencies: dict[str, tuple[int, int]] = {}

    def refresh(
        self,
        connection: sqlite3.Connection,
        documents: NDArray[np.int64],
        changed: Iterable[int] | None,
    ) -> None:
        """Read the lengths of passages that are new or have changed; forget all postings.

        Args:
            connection: inside the transaction of the search.
            documents: (n,) the document of each passage id; 0 for a free place.
            changed: the numbers of the blocks that have changed; None: all.

        Raises:
            NotAnIndexError: a length is invalid.
        """
        lengths = np.zeros(len(documents), np.int32)
        if changed is None:
            ranges = [(first, first + _PAGE) for first in range(0, len(documents), _PAGE)]
        else:
            ranges = [(id * BLOCK_ROWS, (id + 1) * BLOCK_ROWS) for id in changed]
            lengths[: len(self._lengths)] = self._lengths
        for first, stop in ranges:
            stop = min(stop, len(documents))
            lengths[first:stop] = _read_lengths(connection, first, stop)
        lengths[documents == 0] = 0
        self._lengths = lengths
        self._count = int(np.count_nonzero(documents))
        mean = float(lengths.sum(dtype=np.int64)) / max(1, self._count)
        norms = lengths * np.float32(K1 * B / max(mean, 1.0))
        norms += np.float32(K1 * (1 - B))
        self._norms = norms
        self._kept.clear()
        self._size = 0

    @property
    def count(self) -> int:
        """The number of passages."""
        return self._count

    def frequency(self, connection: sqlite3.Connection, term: str) -> int:
        """Return the number of passages that hold a term, as of now or a little earlier."""
        known = self._frequencies.get(term)
        count = self._count
        if known is not None and known[0] and known[1] / _STALE <= count <= known[1] * _STALE:
            return known[0]
        frequency = read_frequency(connection, term, self._words)
        if len(self._frequencies) >= _MOST_FREQUENCIES:
            self._frequencies.clear()
        self._frequencies[term] = (frequency, count)
        return frequency

    def read(self, connection: sqlite3.Connection, term: str) -> Posting:
        """Return the postings of a term; those of free places are left out.

        Args:
            connection: inside the transaction of the last `refresh`.
            term: a term of the full-text table.
        """
        posting = self._kept.pop(term, None)
        if posting is None:
            posting = self._score(_read_occurrences(connection, term, self._words))
            self._size += len(posting.passages)
        self._kept[term] = posting  # the last of the dictionary is the one used last
        while self._size > _KEPT and len(self._kept) > 1:
            self._size -= len(self._kept.pop(next(iter(self._kept))).passages)
        return posting

    def _score(self, occurrences: NDArray[np.int64]) -> Posting:
        """Compute BM25 from a passage id for each occurrence of a term."""
        assert self._norms is not None
        inside = (occurrences >= 0) & (occurrences < len(self._lengths))
        passages, times = np.unique(occurrences[inside], return_counts=True)
        used = self._lengths[passages] > 0
        passages, counts = passages[used], times[used].astype(np.float32)
        factor = np.float32((K1 + 1) * rarity(self._count, len(passages)))
        scores = counts / (counts + self._norms[passages]) * factor
        return Posting(passages.astype(np.int32), scores.astype(np.float32))


def rarity(count: int, holders: int) -> float:
    """Return Lucene's weight of a word in `holders` of `count` passages.

    It is above 0 for words of more than half of the passages as well.
    """
    return float(np.log1p((count - holders + 0.5) / (holders + 0.5)))


def read_frequency(connection: sqlite3.Connection, term: str, words: WordRule) -> int:
    """Return how many passages hold a term; of a part of trigrams, how many at most."""
    condition, parameters = term_condition(term, words)
    sql = f"SELECT sum(doc) FROM temp.vocabulary WHERE {condition}"  # noqa: S608 - one of two texts
    (count,) = connection.execute(sql, parameters).fetchone()
    return int(count or 0)


def _read_occurrences(
    connection: sqlite3.Connection, term: str, words: WordRule
) -> NDArray[np.int64]:
    """Return a passage id for each occurrence of a term."""
    condition, parameters = term_condition(term, words)
    sql = f"SELECT group_concat(doc) FROM temp.occurrences WHERE {condition}"  # noqa: S608 - as above
    (ids,) = connection.execute(sql, parameters).fetchone()
    return np.fromstring(ids, np.int64, sep=",") if ids else np.zeros(0, np.int64)


def _read_lengths(connection: sqlite3.Connection, first: int, stop: int) -> NDArray[np.int32]:
    """Return how many tokens each passage of a range has, 0 where there is none.

    FTS5 keeps them as numbers of SQLite's variable length: seven bits a byte, the highest first.

    Raises:
        NotAnIndexError: a length is invalid.
    """
    ids, sizes, longest = connection.execute(
        "SELECT group_concat(id), group_concat(substr('000000' || hex(sz), -8), ''), "
        "max(length(sz)) FROM lexical_docsize WHERE id >= ? AND id < ?",
        (first, stop),
    ).fetchone()
    lengths = np.zeros(stop - first, np.int32)
    if ids:
        if not isinstance(longest, int) or longest > 4:
            raise NotAnIndexError("damaged index: a passage's number of words is invalid")
        sevens = np.frombuffer(bytes.fromhex(sizes), np.uint8).reshape(-1, 4) & 127
        places = np.fromstring(ids, np.int64, sep=",") - first
        lengths[places] = sevens @ np.array([1 << 21, 1 << 14, 1 << 7, 1], np.int32)
    return lengths
