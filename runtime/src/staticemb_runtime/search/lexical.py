"""Search by words: BM25 of SQLite's FTS5.

FTS5 counts a query's word as often as the query repeats it, so repeated words keep their weight.
Its cost is the number of passages that hold a word. So a query's commonest words are left out once
its words occur in more passages than a search should read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import sqlite3

    from numpy.typing import NDArray

    from .lexicon import Lexicon

_MOST_TERMS: Final = 64  # a longer query is cut to its rarest terms
_MOST_REPEATS: Final = 8
COMMON_SHARE: Final = 0.1  # a word in more than a tenth of the passages is common,
COMMON_LEAST: Final = 10_000  # if these are more passages than this
_STALE: Final = 1.2  # frequencies are read again when the collection has grown or shrunk by this
_FETCHED: Final = 256


class LexicalSearch:
    """Searches the full-text table of an index.

    Args:
        lexicon: finds the terms of queries.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._frequencies: dict[str, tuple[int, int]] = {}

    def best(
        self,
        connection: sqlite3.Connection,
        query: str,
        count: int,
        documents: NDArray[np.int64],
        allowed: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the passages with the highest BM25 scores, at most one a document, best first.

        Args:
            connection: inside a transaction that reads.
            query: any text.
            count: the most documents.
            documents: (n,) the document of each passage id.
            allowed: (n,) which passages may be returned; None: all.

        Returns:
            (m,) passage ids and their (m,) scores, m ≤ `count`.
        """
        expression = self._expression(connection, query, int(np.count_nonzero(documents)))
        passages: dict[int, tuple[int, float]] = {}
        if expression:
            cursor = connection.execute(
                "SELECT rowid, rank FROM lexical WHERE lexical MATCH ? ORDER BY rank",
                (expression,),
            )
            while len(passages) < count and (rows := cursor.fetchmany(_FETCHED)):
                for passage, rank in rows:
                    if not 0 <= passage < len(documents) or not documents[passage]:
                        continue  # a damaged file
                    if allowed is None or allowed[passage]:
                        passages.setdefault(int(documents[passage]), (passage, -rank))
            cursor.close()
        best = list(passages.values())[:count]
        return (
            np.array([passage for passage, _ in best], np.int64),
            np.array([score for _, score in best], np.float64),
        )

    def _expression(self, connection: sqlite3.Connection, query: str, passages: int) -> str:
        """Return the expression of FTS5 for a query; empty if the query has no word."""
        words = self.lexicon.query_words(query)
        if len(words) > _MOST_TERMS or passages > COMMON_LEAST:
            frequency = {term: self._frequency(connection, term, passages) for term in words}
            ordered = sorted((term for term in words if frequency[term]), key=frequency.__getitem__)
            limit = max(COMMON_SHARE * passages, COMMON_LEAST)
            kept = [term for term in ordered[:_MOST_TERMS] if frequency[term] <= limit]
            words = {term: words[term] for term in kept or ordered[:1]}
        # The words hold letters and digits alone, so that no quote needs escaping.
        parts = [f'"{word}"' for word, n in words.values() for _ in range(min(n, _MOST_REPEATS))]
        return " OR ".join(parts)

    def _frequency(self, connection: sqlite3.Connection, term: str, passages: int) -> int:
        """Return the number of passages that hold a term, as of now or a little earlier."""
        known = self._frequencies.get(term)
        if known is not None and known[0] and known[1] / _STALE <= passages <= known[1] * _STALE:
            return known[0]
        row = connection.execute(
            "SELECT doc FROM temp.vocabulary WHERE term = ?", (term,)
        ).fetchone()
        frequency = 0 if row is None else int(row[0])
        if len(self._frequencies) > 1 << 16:
            self._frequencies.clear()
        self._frequencies[term] = (frequency, passages)
        return frequency
