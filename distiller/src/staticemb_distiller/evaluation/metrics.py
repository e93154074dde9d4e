"""Metrics of quality, computed from arrays with scipy and scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, v_measure_score

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

BLOCK = 8_000_000
"""The most scores in memory while documents are ranked."""


def unit(vectors: Floats) -> NDArray[np.float32]:
    """Scale rows (N, d) to length 1, as float32; a row of zeros stays zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    out = np.zeros(vectors.shape, np.float32)
    np.divide(vectors, norms, out=out, where=norms > 0, casting="same_kind")
    return out


def spearman(gold: Floats, output: Floats) -> float:
    """Compute Spearman's rank correlation of two (N,) arrays; 0 if one of them is constant.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 25.0]))
    1.0
    """
    if np.ptp(gold) == 0 or np.ptp(output) == 0:
        return 0.0
    return float(spearmanr(gold, output).statistic)


def average_precision(gold: Floats, output: Floats) -> float:
    """Compute the average precision of scores (N,) for labels (N,) of 0 and 1."""
    return float(average_precision_score(gold, output))


def v_measure(gold: Ints, output: Ints) -> float:
    """Compute the V-measure of clusters (N,) and classes (N,) (Rosenberg and Hirschberg 2007)."""
    return float(v_measure_score(gold, output))


def top_columns(scores: Floats, k: int) -> NDArray[np.int64]:
    """Return the k columns with the highest scores in each row of (Q, N), best first.

    Of columns with equal scores the lower one comes first.

    Returns:
        (Q, min(k, N)) int64.

    >>> top_columns(np.array([[1.0, 3.0, 3.0, 2.0]], np.float32), 3)
    array([[1, 2, 3]])
    """
    count = scores.shape[1]
    k = min(k, count)
    # Each cell becomes an integer that sorts by score, descending, and then by column. There are no
    # ties, so the selection of k columns does not depend on the machine.
    bits = (np.ascontiguousarray(scores, np.float32) + np.float32(0)).view(np.int32)
    ordered = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
    keys = (~ordered << 32) | np.arange(count, dtype=np.int64)
    best = np.partition(keys, k - 1, axis=1)[:, :k] if k < count else keys
    best.sort(axis=1)
    return best & 0xFFFFFFFF


def best_documents(
    scores: Callable[[int, int], Floats],
    shape: tuple[int, int],
    k: int,
    excluded: Ints | None = None,
) -> NDArray[np.int64]:
    """Return the k documents with the highest scores for each query, best first.

    Args:
        scores: Returns the (stop - start, N) scores of the queries from start to stop. It is called
            block by block, so that memory stays bounded.
        shape: The number of queries Q and of documents N.
        k: The number of documents per query.
        excluded: (Q,) a document that gets the lowest score for the query, or -1.

    Returns:
        (Q, min(k, N)) int64.
    """
    queries, documents = shape
    block = max(1, BLOCK // max(1, documents))
    parts = [np.zeros((0, min(k, documents)), np.int64)]
    for start in range(0, queries, block):
        stop = min(start + block, queries)
        part = np.array(scores(start, stop), np.float32)
        if excluded is not None:
            which = excluded[start:stop]
            part[np.flatnonzero(which >= 0), which[which >= 0]] = -np.inf
        parts.append(top_columns(part, k))
    return np.concatenate(parts)


def _grades(ranked: Ints, relevance: csr_matrix) -> NDArray[np.float64]:
    rows = np.repeat(np.arange(ranked.shape[0]), ranked.shape[1])
    grades = np.asarray(relevance[rows, ranked.ravel()], np.float64)
    return np.maximum(grades.reshape(ranked.shape), 0)


def ratio(part: NDArray[np.float64], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Divide element by element; the quotient is 0 where the divisor is 0."""
    out = np.zeros_like(part)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def ndcg(ranked: Ints, relevance: csr_matrix, k: int = 10) -> NDArray[np.float64]:
    """Compute each query's normalized discounted cumulative gain at k, as trec_eval's ndcg_cut.

    The gain is the grade; the discount is log2(rank + 1) (Järvelin and Kekäläinen 2002).

    Args:
        ranked: (Q, K) documents, best first; K is at least k, or the number of documents.
        relevance: (Q, N) grades; negative grades count as 0.
        k: The number of ranks that count.

    Returns:
        (Q,) float64; 0 for a query without a relevant document.
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.zeros((ranked.shape[0], k))
    for row, grades in enumerate(np.split(relevance.data, relevance.indptr[1:-1])):
        best = np.sort(np.maximum(grades, 0))[::-1][:k]
        ideal[row, : len(best)] = best
    gained = _grades(ranked[:, :k], relevance)
    gain = gained @ discount[: gained.shape[1]]
    possible = ideal @ discount
    return ratio(gain, possible)


def recall(ranked: Ints, relevance: csr_matrix, k: int = 100) -> NDArray[np.float64]:
    """Compute the share of each query's relevant documents that are in its first k ranks.

    Args:
        ranked: As for `ndcg`.
        relevance: (Q, N) grades; documents with a grade above 0 are relevant.
        k: The number of ranks that count.

    Returns:
        (Q,) float64; 0 for a query without a relevant document.
    """
    retrieved = (_grades(ranked[:, :k], relevance) > 0).sum(axis=1).astype(np.float64)
    relevant = np.asarray((relevance > 0).sum(axis=1), np.float64).ravel()
    return ratio(retrieved, relevant)


def reciprocal_rank(ranked: Ints, relevance: csr_matrix, k: int = 10) -> NDArray[np.float64]:
    """Compute the reciprocal of the rank of each query's first relevant document.

    Args:
        ranked: As for `ndcg`.
        relevance: As for `recall`.
        k: The number of ranks that count.

    Returns:
        (Q,) float64; 0 for a query without a relevant document in its first k ranks.
    """
    hits = _grades(ranked[:, :k], relevance) > 0
    first = np.argmax(hits, axis=1) if hits.shape[1] else np.zeros(len(hits), np.int64)
    return np.where(hits.any(axis=1), 1 / (first + 1), 0.0)
