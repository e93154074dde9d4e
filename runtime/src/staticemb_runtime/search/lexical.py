"""Search by words: BM25 of the terms in SQLite's FTS5.

A query's word counts as often as the query repeats it, so repeated words keep their weight. The
cost is the number of passages that hold a word. So words of very many passages are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .postings import Postings
from .vectors import best_documents

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .lexicon import Lexicon

_MOST_TERMS: Final = 64  # a longer query is cut to its rarest terms
MOST_REPEATS: Final = 8
COMMON_SHARE: Final = 0.1  # a word in more than a tenth of the passages is common,
COMMON_LEAST: Final = 50_000  # if these are more passages than this


class LexicalSearch:
    """Searches the full-text table of an index.

    Args:
        lexicon: finds the terms of queries.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._postings = Postings(lexicon.words)
        self._is_read = False

    def refresh(
        self, connection: sqlite3.Connection, documents: NDArray[np.int64], changed: Iterable[int]
    ) -> None:
        """Take over changes of the index.

        Args:
            connection: inside the transaction of the search.
            documents: (n,) the document of each passage id; 0 for a free place.
            changed: the numbers of the blocks that have changed since the last call.

        Raises:
            NotAnIndexError: the full-text table is damaged.
        """
        self._postings.refresh(connection, documents, changed if self._is_read else None)
        self._is_read = True

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
            connection: inside the transaction of the last `refresh`.
            query: any text.
            count: the most documents.
            documents: (n,) the document of each passage id.
            allowed: (n,) which passages may be returned; None: all.

        Returns:
            (m,) passage ids and their (m,) scores, m ≤ `count`.
        """
        scores = np.zeros(len(documents), np.float32)
        for term, repeats in self._terms(connection, query).items():
            posting = self._postings.read(connection, term)
            scores[posting.passages] += repeats * posting.scores
        passages = np.flatnonzero(scores)
        if allowed is not None:
            passages = passages[allowed[passages]]
        best, values = best_documents(passages, scores[passages], documents, count)
        return best, values.astype(np.float64)

    def _terms(self, connection: sqlite3.Connection, query: str) -> dict[str, int]:
        """Return the terms of a query that are searched for, and how often each counts."""
        words = self.lexicon.query_words(query)
        count = self._postings.count
        if len(words) > _MOST_TERMS or count > COMMON_LEAST:
            frequency = {term: self._postings.frequency(connection, term) for term in words}
            ordered = sorted((term for term in words if frequency[term]), key=frequency.__getitem__)
            limit = max(COMMON_SHARE * count, COMMON_LEAST)
            kept = [term for term in ordered[:_MOST_TERMS] if frequency[term] <= limit]
            words = {term: words[term] for term in kept or ordered[:1]}
        return {term: min(n, MOST_REPEATS) for term, (_, n) in words.items()}
