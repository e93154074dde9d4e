"""The scores of an evaluation: look-up, means, and differences between models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .bootstrap import Difference, difference
from .scoring import Outcome
from .tasks import KINDS


@dataclass(frozen=True, eq=False)
class Score:
    """One number of the report.

    Attributes:
        model: Name of the model.
        task: `KIND/NAME`.
        prefix: Length of the vectors; 0 for a model without vectors.
        metric: Its name.
        value: The metric times 100.
        main: Whether it is the task's main metric, the one that means are taken of.
        outcome: What it was computed from; None if the score was read from a report.
    """

    model: str
    task: str
    prefix: int
    metric: str
    value: float
    main: bool
    outcome: Outcome | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """The kind of the task."""
        return self.task.partition("/")[0]


@dataclass(eq=False)
class Results:
    """Scores, and what they were measured on.

    Attributes:
        scores: In the order of models, prefixes (descending), tasks, metrics.
        facts: For each model's name: dimension, bytes, precision, texts per second, ...
        files: SHA-256 of the files of each task.
        baseline: Names of the models that others are compared with.
        note: What a reader must know of the data, if there is something.
    """

    scores: list[Score]
    facts: dict[str, dict[str, Any]]
    files: dict[str, dict[str, str]]
    baseline: tuple[str, ...] = ()
    note: str | None = None

    @property
    def models(self) -> list[str]:
        """Names in the order they were given."""
        return list(self.facts)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks."""
        return list(self.files)

    @property
    def kinds(self) -> list[str]:
        """The kinds that occur among the tasks."""
        found = {task.partition("/")[0] for task in self.tasks}
        return [kind for kind in KINDS if kind in found]

    def prefixes(self, model: str) -> list[int]:
        """The prefix lengths that a model was measured at, the longest first."""
        return sorted({s.prefix for s in self.scores if s.model == model}, reverse=True)

    def score(
        self, model: str, task: str, prefix: int | None = None, metric: str | None = None
    ) -> Score | None:
        """One score: by default of the longest prefix, and of the main metric; None if absent."""
        if prefix is None:
            prefix = max(self.prefixes(model), default=0)
        for s in self.scores:
            if (s.model, s.task, s.prefix) == (model, task, prefix) and (
                s.main if metric is None else s.metric == metric
            ):
                return s
        return None

    def value(
        self, model: str, task: str, prefix: int | None = None, metric: str | None = None
    ) -> float:
        """One score's value; NaN if it was not measured."""
        found = self.score(model, task, prefix, metric)
        return math.nan if found is None else found.value

    def mean(self, model: str, kind: str | None = None, prefix: int | None = None) -> float:
        """Mean of a kind's main metrics; without a kind, the mean of the kinds' means.

        NaN where a task of it was not measured, so that means are always over the same tasks.
        """
        if kind is None:
            return _mean(self.mean(model, each, prefix) for each in self.kinds)
        return _mean(
            self.value(model, task, prefix) for task in self.tasks if task.startswith(f"{kind}/")
        )

    def difference(
        self,
        better: str,
        worse: str,
        tasks: Sequence[str] | None = None,
        *,
        prefix: int | None = None,
        worse_prefix: int | None = None,
        resamples: int = 1000,
        seed: int = 0,
    ) -> Difference:
        """Two models' difference in the mean of some tasks, with its 95 % bootstrap interval.

        Args:
            better: Name of one model.
            worse: Name of the other; the same name compares two prefixes.
            tasks: Full names; by default every task.
            prefix: Of the first model; by default its longest.
            worse_prefix: Of the second model; by default its longest.
            resamples: Of each task's examples.
            seed: Of the draw.

        Raises:
            ValueError: one of them was not measured in this run on one of the tasks.
        """
        pairs: list[list[Outcome]] = [[], []]
        for model, length, outcomes in (
            (better, prefix, pairs[0]),
            (worse, worse_prefix, pairs[1]),
        ):
            for task in self.tasks if tasks is None else tasks:
                found = self.score(model, task, length)
                if found is None or found.outcome is None:
                    raise ValueError(f"{model} was not measured on {task} in this run")
                outcomes.append(found.outcome)
        return difference(pairs[0], pairs[1], resamples=resamples, seed=seed)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else math.nan
