"""Measure a search index on queries with judgments: BM25, vectors, both together, two stages."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from staticemb_runtime.search import Index

from ..corpus.digests import file_sha256
from ..errors import EvaluationError
from . import metrics
from .bootstrap import Difference, interval, resampled
from .retrieval_files import read_judgments, read_queries
from .scoring import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from staticemb_runtime.search import Hit

    RerankFunction = Callable[[str, Sequence[str]], ArrayLike]

DEPTH = 100
METRICS = ("NDCG@10", "recall@100", "MRR@10")
WAYS: Mapping[str, Literal["lexical", "vector", "hybrid"]] = {
    "BM25": "lexical",
    "vectors": "vector",
    "together": "hybrid",
}


class Judged(NamedTuple):
    """Queries with judgments.

    Attributes:
        ids: (Q) the ids of the queries that have judgments.
        texts: (Q) their texts.
        grades: The grade of each judged pair of ids of a query and a document.
        files: The SHA-256 of each file, by its name.
    """

    ids: list[str]
    texts: list[str]
    grades: Mapping[tuple[str, str], int]
    files: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class WayResult:
    """The quality of one way to search.

    Attributes:
        name: "BM25", "vectors", "together" or "together, then NAME".
        outcomes: For each of `METRICS` its value and each query's share of it.
        milliseconds: The median time of a query.
    """

    name: str
    outcomes: Mapping[str, Outcome]
    milliseconds: float

    def interval(self, metric: str, resamples: int, seed: int = 0) -> Difference:
        """Return a metric times 100 with its 95 % interval; `resamples` is at least 1."""
        outcome = self.outcomes[metric]
        return interval(outcome.value, resampled(outcome, resamples, seed))


@dataclass(frozen=True, eq=False)
class IndexResults:
    """The quality of an index.

    Attributes:
        facts: The index, its model, and the numbers of documents, passages and queries.
        files: The SHA-256 of the queries' and the judgments' files.
        ways: The ways to search.
        missing: How many documents with a grade above 0 the index does not hold.
        resamples: The number of bootstrap samples of an interval; 0: no intervals.
    """

    facts: Mapping[str, Any]
    files: Mapping[str, str]
    ways: Sequence[WayResult]
    missing: int
    resamples: int


def read_judged(queries: str | os.PathLike[str], judgments: str | os.PathLike[str]) -> Judged:
    """Read queries and judgments.

    Args:
        queries: JSON lines with `_id` and `text`.
        judgments: Rows of a query's id, a document's id and a grade between tabs (BEIR's layout); a
            header row is skipped.

    Raises:
        EvaluationError: A file is missing or malformed.
    """
    paths = [Path(queries), Path(judgments)]
    for path in paths:
        if not path.is_file():
            raise EvaluationError(f"{path}: expected a file, found none")
    texts = read_queries(paths[:1])
    grades = read_judgments(paths[1], texts)
    ids = list(dict.fromkeys(query for query, _ in grades))
    files = {path.name: file_sha256(path) for path in paths}
    return Judged(ids, [texts[id_] for id_ in ids], grades, files)


def evaluate_index(
    index: Index,
    judged: Judged,
    *,
    rerank: Mapping[str, RerankFunction] | None = None,
    candidates: int = DEPTH,
    resamples: int = 1000,
    progress: Callable[[str], object] = lambda text: None,
) -> IndexResults:
    """Measure the ways to search an index.

    A query that is a document itself (the same id, and its text in the passage) does not find
    itself. Judged documents that the index does not hold count as not found.

    Args:
        index: The index.
        judged: Queries with judgments.
        rerank: Scorers of a second stage, by name.
        candidates: How many documents a scorer reads.
        resamples: As for `IndexResults`.
        progress: Called with the step.

    Raises:
        SearchIndexError: The index cannot be read, or its model cannot be found.
    """
    info = index.info()
    relevant = {document for (_, document), grade in judged.grades.items() if grade > 0}
    plans: list[tuple[str, dict[str, Any]]] = [
        (name, {"method": method})
        for name, method in WAYS.items()
        if method == "vector" or info.words is not None
    ]
    plans += [
        (f"together, then {name}", {"rerank": scorer, "candidates": candidates})
        for name, scorer in (rerank or {}).items()
    ]
    ways = []
    for name, options in plans:
        progress(f"Searching: {name}")
        rankings, milliseconds = _rankings(index, judged, options)
        ways.append(WayResult(name, _outcomes(judged, rankings), milliseconds))
    facts = {
        "index": Path(info.path).name,
        "model": Path(info.model).name,
        "vectors_digest": info.vectors_digest,
        "vectors_from": info.teacher if info.vectors_from == "teacher" else "model",
        "documents": info.documents,
        "passages": info.passages,
        "dimension": info.dimension,
        "precision": info.precision,
        "queries": len(judged.ids),
    }
    missing = sum(document not in index for document in relevant)
    return IndexResults(facts, judged.files, ways, missing, resamples)


def _rankings(
    index: Index, judged: Judged, options: Mapping[str, Any]
) -> tuple[list[list[str]], float]:
    """Return the ids of the best documents of each query, and the median of the milliseconds."""
    rankings, seconds = [], []
    index.search(judged.texts[0], **options)  # reads the vectors
    for id_, text in zip(judged.ids, judged.texts, strict=True):
        started = time.perf_counter()
        hits = index.search(text, DEPTH + 1, **options)
        seconds.append(time.perf_counter() - started)
        rankings.append([hit.id for hit in hits if not _itself(hit, id_, text)][:DEPTH])
    return rankings, 1000 * statistics.median(seconds)


def _itself(hit: Hit, id_: str, text: str) -> bool:
    return hit.id == id_ and text.strip() in hit.text


def _outcomes(judged: Judged, rankings: Sequence[Sequence[str]]) -> dict[str, Outcome]:
    ranked, relevance = arrays(judged, rankings)
    values = {
        "NDCG@10": metrics.ndcg(ranked, relevance),
        "recall@100": metrics.recall(ranked, relevance, DEPTH),
        "MRR@10": metrics.reciprocal_rank(ranked, relevance),
    }
    return {
        name: Outcome(name, 100 * float(each.mean()), "mean", np.zeros(0), each)
        for name, each in values.items()
    }


def arrays(
    judged: Judged, rankings: Sequence[Sequence[str]]
) -> tuple[NDArray[np.int64], csr_matrix]:
    """Number the documents; a missing rank holds a document without a grade.

    Returns:
        (Q, DEPTH) the ranked documents, and (Q, N) their grades.

    Example:
        >>> judged = Judged(["q"], ["a question"], {("q", "b"): 2}, {})
        >>> ranked, grades = arrays(judged, [["a", "b"]])
        >>> ranked[0, :3].tolist(), grades.toarray().tolist()
        ([1, 2, 0], [[0, 0, 2]])
    """
    documents = {document for ranking in rankings for document in ranking}
    documents.update(document for _, document in judged.grades)
    column = {document: number for number, document in enumerate(sorted(documents), start=1)}
    ranked = np.zeros((len(judged.ids), DEPTH), np.int64)
    for row, ranking in enumerate(rankings):
        ranked[row, : len(ranking)] = [column[document] for document in ranking]
    line = {query: number for number, query in enumerate(judged.ids)}
    cells = [(line[query], column[document]) for query, document in judged.grades]
    grades = np.array(list(judged.grades.values()), np.int64)
    places = np.array(cells, np.int64).reshape(-1, 2).T
    return ranked, csr_matrix((grades, (places[0], places[1])), (len(judged.ids), len(column) + 1))
