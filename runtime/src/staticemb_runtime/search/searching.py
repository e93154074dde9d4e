"""Search of an index: candidates by words and by vectors, fused, scored again, and shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from ..errors import InvalidOptionError
from . import collection
from .blocks import count_blocks, read_blocks
from .filters import condition
from .fusion import SCALED_OVER, fuse
from .hits import Hit
from .lexical import LexicalSearch
from .snippets import snippet
from .vectors import VectorTable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from .lexicon import Lexicon
    from .settings import Settings

    Scorer = Callable[[str, Sequence[str]], ArrayLike]

Method = Literal["hybrid", "lexical", "vector"]
METHODS: Final = ("hybrid", "lexical", "vector")
_NUMBERS: Final = "SELECT number FROM documents"
_FILTERS: Final = 8  # how many filters' results are kept


class Plan(NamedTuple):
    """The checked parameters of a search.

    Attributes:
        k: the most hits.
        filter: conditions on the metadata, or None.
        method: which candidates there are.
        vector_weight: the weight of cosines.
        candidates: how many documents are scored again.
        rerank: the scorer, or None.
        rerank_weight: the weight of its scores; BM25 has the rest.
    """

    k: int
    filter: Mapping[str, Any] | None
    method: Method
    vector_weight: float
    candidates: int
    rerank: Scorer | None
    rerank_weight: float


class _Ranked(NamedTuple):
    """Candidates, best first; NaN and 0 stand for a missing score and rank."""

    passages: NDArray[np.int64]
    scores: NDArray[np.float64]
    lexical: NDArray[np.float64]
    lexical_ranks: NDArray[np.int64]
    cosines: NDArray[np.float64]
    vector_ranks: NDArray[np.int64]

    def at(self, places: slice | NDArray[np.int64]) -> _Ranked:
        """Return some of the candidates, in the given order."""
        return _Ranked(
            self.passages[places],
            self.scores[places],
            self.lexical[places],
            self.lexical_ranks[places],
            self.cosines[places],
            self.vector_ranks[places],
        )


class Searcher:
    """Searches one open index; keeps its vectors in memory; not safe with threads.

    Args:
        settings: the index's settings.
        lexicon: finds words, or None without full-text search.
    """

    def __init__(self, settings: Settings, lexicon: Lexicon | None) -> None:
        self._settings = settings
        self._lexicon = lexicon
        self._forget()

    def _forget(self) -> None:
        """Keep nothing of the file."""
        self._lexical = None if self._lexicon is None else LexicalSearch(self._lexicon)
        self._table = VectorTable(self._settings.dimension, self._settings.precision)
        self._change = 0
        self._version: tuple[object, int, int] = (None, -1, -1)
        self._masks: dict[str, NDArray[np.bool_]] = {}

    @property
    def documents(self) -> NDArray[np.int64]:
        """(n,) the document of each passage id; 0 for a free place."""
        return self._table.documents

    def is_stale(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the file may have changed since `refresh`."""
        return _version(connection) != self._version

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Read the blocks that have changed since the last call.

        Args:
            connection: inside the transaction of the search.
        """
        version = _version(connection)
        if version == self._version:
            return
        if self._version[0] not in (None, connection):
            self._forget()  # the file was opened anew: it may hold another index
        (change,) = connection.execute(
            "SELECT value FROM settings WHERE name = 'change'"
        ).fetchone()
        count = count_blocks(connection)
        blocks = read_blocks(
            connection, self._change, self._settings.dimension, self._settings.precision
        )
        changed = self._table.update(blocks, count)
        if self._lexical is not None:
            self._lexical.refresh(connection, self._table.documents, changed)
        self._change, self._version = change, version
        self._masks.clear()

    def search(
        self,
        connection: sqlite3.Connection,
        query: str,
        vector: NDArray[np.float32] | None,
        plan: Plan,
    ) -> list[Hit]:
        """Find the documents that answer a query, best first.

        Args:
            connection: inside a transaction that reads.
            query: the query.
            vector: its (D,) vector, or None if the plan needs none.
            plan: the parameters.
        """
        depth = max(SCALED_OVER, plan.k, plan.candidates if plan.rerank is not None else 0)
        ranked = self._candidates(connection, query, vector, plan, depth)
        if plan.rerank is not None:
            ranked, again = self._rerank(connection, query, ranked, plan, plan.rerank)
        else:
            again = None
        terms = {} if self._lexicon is None else self._lexicon.query_words(query)
        return [
            self._hit(connection, ranked, place, terms, None if again is None else again[place])
            for place in range(min(plan.k, len(ranked.passages)))
        ]

    def _candidates(
        self,
        connection: sqlite3.Connection,
        query: str,
        vector: NDArray[np.float32] | None,
        plan: Plan,
        depth: int,
    ) -> _Ranked:
        allowed = self._allowed(connection, plan.filter)
        owners = self._table.documents
        words = (np.zeros(0, np.int64), np.zeros(0, np.float64))
        near = (np.zeros(0, np.int64), np.zeros(0, np.float32))
        if plan.method != "vector" and self._lexical is not None:
            words = self._lexical.best(connection, query, depth, owners, allowed)
        if plan.method != "lexical" and vector is not None:
            near = self._table.nearest(vector, depth, allowed)
        if plan.method == "lexical":
            places = np.arange(1, len(words[0]) + 1)
            return _Ranked(words[0], words[1], words[1], places, *_missing(len(places)))
        if plan.method == "vector":
            places = np.arange(1, len(near[0]) + 1)
            cosines = near[1].astype(np.float64)
            return _Ranked(near[0], cosines, *_missing(len(places)), cosines, places)
        return self._fused(words, near, vector, plan.vector_weight)

    def _fused(
        self,
        words: tuple[NDArray[np.int64], NDArray[np.float64]],
        near: tuple[NDArray[np.int64], NDArray[np.float32]],
        vector: NDArray[np.float32] | None,
        vector_weight: float,
    ) -> _Ranked:
        """Join both lists by document. A document found twice shows its passage of the words."""
        owners = self._table.documents
        by_words, by_vector = owners[words[0]], owners[near[0]]
        only_near = ~np.isin(by_vector, by_words)
        passages = np.concatenate([words[0], near[0][only_near]])
        documents = owners[passages]
        lexical, lexical_ranks = _missing(len(passages))
        lexical[: len(by_words)] = words[1]
        lexical_ranks[: len(by_words)] = np.arange(1, len(by_words) + 1)
        vector_ranks = np.zeros(len(passages), np.int64)
        cosines = np.zeros(len(passages), np.float64)
        if vector is not None and vector.any():
            cosines = self._table.scores(vector, passages).astype(np.float64)
        shown = cosines.copy()
        # A document is ranked by the cosine of its best passage, where the vectors found it.
        order = np.argsort(by_vector)
        if len(order):
            at = order[np.minimum(np.searchsorted(by_vector[order], documents), len(order) - 1)]
            same = by_vector[at] == documents
            cosines[same] = near[1][at[same]]
            vector_ranks[same] = at[same] + 1
        order, scores = fuse(lexical, cosines, vector_ranks > 0, vector_weight)
        ranked = _Ranked(passages, scores, lexical, lexical_ranks, shown, vector_ranks)
        return ranked.at(order)._replace(scores=scores)

    def _rerank(
        self,
        connection: sqlite3.Connection,
        query: str,
        ranked: _Ranked,
        plan: Plan,
        scorer: Scorer,
    ) -> tuple[_Ranked, NDArray[np.float64]]:
        """Order the first candidates by a scorer's scores and BM25; the others follow no more."""
        ranked = ranked.at(slice(plan.candidates))
        stored = [collection.passage(connection, int(id)) for id in ranked.passages]
        texts = [passage.text[passage.span.start : passage.span.stop] for passage in stored]
        again = np.asarray(scorer(query, texts) if texts else [], np.float64).reshape(-1)
        if len(again) != len(texts) or not np.isfinite(again).all():
            raise InvalidOptionError(
                f"rerank: expected {len(texts)} finite scores, found {again!r:.80}"
            )
        near = np.ones(len(texts), np.bool_)
        weight = plan.rerank_weight if (~np.isnan(ranked.lexical)).any() else 1.0
        order, scores = fuse(ranked.lexical, again, near, weight)
        return ranked.at(order)._replace(scores=scores), again[order]

    def _allowed(
        self, connection: sqlite3.Connection, filter: Mapping[str, Any] | None
    ) -> NDArray[np.bool_] | None:
        """Return which passages (n,) a filter allows, or None for all."""
        if filter is None:
            return None
        sql, parameters = condition(filter)
        key = sql + json.dumps(parameters)
        if key not in self._masks:
            # The condition holds no text of the caller's.
            rows = connection.execute(f"{_NUMBERS} WHERE {sql}", parameters)
            numbers = np.fromiter((number for (number,) in rows), np.int64)
            if len(self._masks) >= _FILTERS:
                self._masks.clear()
            self._masks[key] = np.isin(self._table.documents, numbers)
        return self._masks[key]

    def _hit(
        self,
        connection: sqlite3.Connection,
        ranked: _Ranked,
        place: int,
        terms: Mapping[str, Any],
        again: float | None,
    ) -> Hit:
        stored = collection.passage(connection, int(ranked.passages[place]))
        text = stored.text[stored.span.start : stored.span.stop]
        shown = snippet(text, terms, self._lexicon)
        lexical_rank = int(ranked.lexical_ranks[place])
        vector_rank = int(ranked.vector_ranks[place])
        cosine = float(ranked.cosines[place])
        return Hit(
            id=stored.id,
            score=float(ranked.scores[place]),
            text=text,
            metadata=collection.parse_metadata(stored.metadata),
            passage=stored.span,
            snippet=shown.text,
            marks=shown.marks,
            lexical_score=float(ranked.lexical[place]) if lexical_rank else None,
            lexical_rank=lexical_rank or None,
            vector_score=None if np.isnan(cosine) else cosine,
            vector_rank=vector_rank or None,
            rerank_score=None if again is None else float(again),
        )


def _version(connection: sqlite3.Connection) -> tuple[object, int, int]:
    """Return what changes with each commit: the first number with those of other connections.

    A connection counts for itself, so it is a part of the version.
    """
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return connection, int(version), connection.total_changes


def _missing(count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the scores and ranks of candidates that have none."""
    return np.full(count, np.nan), np.zeros(count, np.int64)
