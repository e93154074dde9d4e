"""Scores of a task from the vectors of its texts.

The settings are the same for every model. Vectors are truncated to the prefix and scaled to unit
length; their cosine is the similarity. The classifier is multinomial logistic regression. k-means
makes as many clusters as there are classes; the score is the mean over fixed seeds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from . import metrics
from .hybrid import DEPTH, VECTOR_WEIGHT, mixed
from .tasks import (
    BitextTask,
    ClassificationTask,
    ClusteringTask,
    PairTask,
    RetrievalTask,
    Task,
)

SETTINGS: Mapping[str, Any] = {
    "probe": "multinomial logistic regression, L2",
    "probe_C": 10.0,
    "probe_max_iter": 200,
    "kmeans_seeds": (0, 1, 2, 3, 4),
    "kmeans_max_iter": 100,
    "retrieval_depth": DEPTH,
    "vector_weight": VECTOR_WEIGHT,
}
"""The settings that scores depend on."""

WITH_BM25 = "ndcg@10, with BM25"
"""The metric of a retrieval task's vectors and BM25 together."""

Statistic = Literal["spearman", "average_precision", "v_measure", "mean"]

ProbeFeatures = Any
"""(N, d) float32 array, or a scipy sparse matrix of that shape."""

PairScorer = Callable[[int, int], NDArray[np.floating[Any]]]
"""Returns the (stop - start, documents) scores of the queries from start to stop."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One metric of one task, with the data that it was computed from.

    Attributes:
        metric: The metric's name.
        value: The metric times 100.
        statistic: The function of gold and output that computes the metric.
        gold: (N,) the correct values; unused by `mean`.
        output: (N,) or (repetitions, N) the model's values for each example.
        data_set: The name of the examples' data set; its translations share the name.
    """

    metric: str
    value: float
    statistic: Statistic
    gold: NDArray[Any]
    output: NDArray[Any]
    data_set: str = ""


def score(
    task: Task, features: Mapping[str, ProbeFeatures], words: PairScorer | None = None
) -> list[Outcome]:
    """Compute the task's metrics, the main metric first.

    Args:
        task: The task.
        features: Unit vectors (N, d), dense or sparse, for each part of `task.texts`.
        words: BM25's scores of a retrieval task, for the metric of both rankings together.
    """
    if isinstance(task, PairTask):
        return [_pairs(task, features["first"], features["second"])]
    if isinstance(task, ClassificationTask):
        return [_classification(task, features["train"], features["test"])]
    if isinstance(task, ClusteringTask):
        return [_clustering(task, features["texts"])]
    if isinstance(task, BitextTask):
        return _bitext(task, features["first"], features["second"])
    assert isinstance(task, RetrievalTask)
    queries, documents = features["queries"], features["documents"]

    def scores(start: int, stop: int) -> NDArray[np.floating[Any]]:
        block = queries[start:stop] @ documents.T
        return np.asarray(block.toarray() if issparse(block) else block)

    return score_ranking(task, scores) + (_together(task, scores, words) if words else [])


def score_ranking(task: RetrievalTask, scores: PairScorer) -> list[Outcome]:
    """Compute NDCG@10 and recall@100 of documents ranked by scores."""
    depth = SETTINGS["retrieval_depth"]
    ranked = metrics.best_documents(scores, task.relevance.shape, depth, task.excluded)
    by_query = {
        "ndcg@10": metrics.ndcg(ranked, task.relevance, 10),
        "recall@100": metrics.recall(ranked, task.relevance, 100),
    }
    nothing = np.zeros(0)
    return [
        Outcome(name, 100 * float(each.mean()), "mean", nothing, each)
        for name, each in by_query.items()
    ]


def _together(task: RetrievalTask, vectors: PairScorer, words: PairScorer) -> list[Outcome]:
    """Compute NDCG@10 of vectors and BM25 together."""

    def scores(start: int, stop: int) -> NDArray[np.floating[Any]]:
        near, lexical = (np.array(part(start, stop), np.float32) for part in (vectors, words))
        if task.excluded is not None:
            # A query's own text would be the best of both rankings, and set their scale.
            excluded = task.excluded[start:stop]
            rows = np.flatnonzero(excluded >= 0)
            for block in (near, lexical):
                block[rows, excluded[rows]] = block[rows].min(axis=1)
        return mixed(near, lexical)

    return [replace(score_ranking(task, scores)[0], metric=WITH_BM25)]


def _pairs(task: PairTask, first: ProbeFeatures, second: ProbeFeatures) -> Outcome:
    if issparse(first):
        cosines = np.asarray(first.multiply(second).sum(axis=1), np.float64).ravel()
    else:
        cosines = np.einsum("nd,nd->n", first, second, dtype=np.float64)
    if task.kind == "pairs":
        value = metrics.average_precision(task.gold, cosines)
        return Outcome("average_precision", 100 * value, "average_precision", task.gold, cosines)
    value = metrics.spearman(task.gold, cosines)
    return Outcome("spearman", 100 * value, "spearman", task.gold, cosines)


def _bitext(task: BitextTask, first: ProbeFeatures, second: ProbeFeatures) -> list[Outcome]:
    """Compute the share of texts whose nearest text of the other language is their translation.

    The main metric is the mean of both directions. F1 is computed as in MTEB: the labels are the
    rows (here: groups of rows that share a text), weighted by their number of rows.
    """
    right, f1 = [], []
    for texts, others in ((first, second), (second, first)):
        nearest = _nearest(texts, others)
        answers = np.where(nearest < 0, -1, task.groups[nearest])
        hits = (answers == task.groups).astype(np.float64)
        count = int(task.groups.max()) + 1
        both = np.bincount(task.groups, minlength=count)
        both += np.bincount(answers[answers >= 0], minlength=count)
        hits_by_group = np.bincount(task.groups, hits, minlength=count)
        right.append(hits)
        f1.append((2 * hits_by_group / both)[task.groups])
    outputs = {
        "accuracy": np.stack(right),
        "accuracy, forward": right[0],
        "accuracy, backward": right[1],
        "f1": np.stack(f1),
    }
    nothing = np.zeros(0)
    return [
        Outcome(name, 100 * float(each.mean()), "mean", nothing, each)
        for name, each in outputs.items()
    ]


def _nearest(texts: ProbeFeatures, others: ProbeFeatures) -> NDArray[np.int64]:
    """Return the row (N,) of the other text with the highest cosine, the first if several have.

    A text without a positive cosine, such as one without a known token, has no nearest text: -1.
    """
    block = max(1, metrics.BLOCK // others.shape[0])
    parts = []
    for start in range(0, texts.shape[0], block):
        scores = texts[start : start + block] @ others.T
        scores = np.asarray(scores.toarray() if issparse(scores) else scores)
        best = scores.argmax(axis=1)
        highest = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
        parts.append(np.where(highest > 0, best, -1))
    return np.concatenate(parts).astype(np.int64)


def _classification(task: ClassificationTask, train: ProbeFeatures, test: ProbeFeatures) -> Outcome:
    probe = LogisticRegression(C=SETTINGS["probe_C"], max_iter=SETTINGS["probe_max_iter"])
    with warnings.catch_warnings():
        # The limit on iterations is a setting, the same for every model.
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train, task.train_labels)
    right = (probe.predict(test) == task.test_labels).astype(np.float64)
    return Outcome("accuracy", 100 * float(right.mean()), "mean", np.zeros(0), right)


def _clustering(task: ClusteringTask, vectors: ProbeFeatures) -> Outcome:
    count = len(np.unique(task.labels))
    runs = []
    for seed in SETTINGS["kmeans_seeds"]:
        means = KMeans(count, n_init=1, max_iter=SETTINGS["kmeans_max_iter"], random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            runs.append(means.fit_predict(vectors).astype(np.int64))
    value = float(np.mean([metrics.v_measure(task.labels, run) for run in runs]))
    return Outcome("v_measure", 100 * value, "v_measure", task.labels, np.stack(runs))
