"""Collections with judged queries: rankings by vectors and by BM25, and their NDCG@10."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_matrix

from staticemb_distiller.evaluation import discover, metrics
from staticemb_distiller.evaluation.tasks import RetrievalTask

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Collection:
    """Documents and judged queries.

    Attributes:
        name: Its name.
        documents: N whole documents, title first.
        queries: Q queries.
        relevance: (Q, N) grades.
        document_vectors: (N, H) the teacher's unit vectors.
        query_vectors: (Q, H) the teacher's unit vectors.
    """

    name: str
    documents: tuple[str, ...]
    queries: tuple[str, ...]
    relevance: csr_matrix
    document_vectors: Floats
    query_vectors: Floats

    def by_query(self, scores: Floats) -> NDArray[np.float64]:
        """Return the NDCG@10 (Q,) of the ranking of each row of scores (Q, N)."""
        return metrics.ndcg(metrics.top_columns(scores, 10), self.relevance)


def read(folder: Path, name: str, encode: Callable[[Sequence[str]], Floats]) -> Collection:
    """Read FOLDER/retrieval/NAME; `encode(texts)` returns the teacher's unit vectors."""
    (task,) = discover(folder, [f"retrieval/{name}"])
    assert isinstance(task, RetrievalTask)
    documents = tuple(text.strip() for text in task.texts["documents"])
    queries = tuple(task.texts["queries"])
    return Collection(name, documents, queries, task.relevance, encode(documents), encode(queries))


def union(collections: list[Collection]) -> Collection:
    """Put collections into one index. Each query is judged by its own collection's judgments."""
    return Collection(
        " + ".join(collection.name for collection in collections),
        tuple(text for collection in collections for text in collection.documents),
        tuple(text for collection in collections for text in collection.queries),
        csr_matrix(block_diag([collection.relevance for collection in collections])),
        np.concatenate([collection.document_vectors for collection in collections]),
        np.concatenate([collection.query_vectors for collection in collections]),
    )


def bm25(collection: Collection) -> Floats:
    """Return the scores (Q, N) of bm25s with its defaults, English stop words and stemming."""
    import bm25s
    import Stemmer

    settings = {"stopwords": "en", "stemmer": Stemmer.Stemmer("english"), "show_progress": False}
    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(collection.documents), **settings), show_progress=False)
    queries = bm25s.tokenize(list(collection.queries), return_ids=False, **settings)
    empty = np.zeros(len(collection.documents), np.float32)
    return np.stack([index.get_scores(query) if query else empty for query in queries])
