"""The columns of the quality tables: which tasks they show, and which metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from staticemb_distiller.evaluation.scoring import WITH_BM25


class Column(NamedTuple):
    """The mean of one metric over tasks.

    Attributes:
        tasks: A pattern of the tasks' names, for `fnmatch`.
        metric: The metric; None: the main metric of the tasks.
    """

    tasks: str
    metric: str | None = None

    def shows(self, task: str, metric: str, *, main: bool) -> bool:
        """Return whether a score is in the column."""
        right = main if self.metric is None else metric == self.metric
        return right and fnmatchcase(task, self.tasks)

    def mean(self, scores: Sequence[Mapping[str, Any]], model: str) -> float | None:
        """Return a model's mean over the tasks; None if it was not measured on all of them.

        Args:
            scores: The scores of a report of `evaluate`.
            model: The name of the model.
        """
        values = [
            score["value"]
            for score in scores
            if score["model"] == model
            and self.shows(score["task"], score["metric"], main=score["main"])
        ]
        tasks = {score["task"] for score in scores if fnmatchcase(score["task"], self.tasks)}
        return sum(values) / len(tasks) if values and len(values) == len(tasks) else None


COLUMNS: Mapping[str, Column] = {
    "STS-B": Column("sts/stsb-en-test"),
    "SICK": Column("sts/sick-test"),
    "words": Column("wordsim/*"),
    "NFCorpus": Column("retrieval/nfcorpus"),
    "NFCorpus + BM25": Column("retrieval/nfcorpus", WITH_BM25),
    "Cranfield": Column("retrieval/cranfield"),
    "Cranfield + BM25": Column("retrieval/cranfield", WITH_BM25),
    "Banking77": Column("classification/banking77"),
    "SST-2": Column("classification/sst2"),
}
