"""The scores of an evaluation: look-up, means, and differences between models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Difference, difference, interval, resampled
from .scoring import Outcome
from .tasks import KINDS


@dataclass(frozen=True, eq=False)
class Score:
    """One number of the report.

    Attributes:
        model: The name of the model.
        task: The name of the task, `KIND/NAME`.
        prefix: The length of the vectors; 0 for a model without vectors.
        metric: The name of the metric.
        value: The metric times 100.
        main: Whether the metric is the task's main metric, which means are computed from.
        outcome: The gold values and outputs that gave the score; None if the score was read from a
            report.
        reported: The value with the interval that a report had; None: measured in this run, or a
            report without intervals.
    """

    model: str
    task: str
    prefix: int
    metric: str
    value: float
    main: bool
    outcome: Outcome | None = field(default=None, repr=False)
    reported: Difference | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """The kind of the task."""
        return self.task.partition("/")[0]


@dataclass(eq=False)
class Results:
    """The scores of an evaluation, and facts about the models and the data.

    Attributes:
        scores: The scores in the order of models, prefixes (descending), tasks, metrics.
        facts: Name of the model -> dimension, bytes, precision, texts per second and other facts.
        files: Name of the task -> path -> SHA-256 of the file.
        baseline: The names of the models that others are compared with.
        note: A remark on the data for readers of a report; None: no remark.
        teacher: The name of the baseline that shares are taken of; None: no shares.
        resamples: The number of bootstrap samples of an interval; 0: no intervals.
        means: (model, prefix, kind or None) -> the mean that an earlier report had, with its
            interval: its tasks have no examples that could be drawn.
    """

    scores: list[Score]
    facts: dict[str, dict[str, Any]]
    files: dict[str, dict[str, str]]
    baseline: tuple[str, ...] = ()
    note: str | None = None
    teacher: str | None = None
    resamples: int = 1000
    means: dict[tuple[str, int, str | None], Difference] = field(default_factory=dict)
    _drawn: dict[tuple[Score, int, int], NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def models(self) -> list[str]:
        """The names of the models, in the order of the arguments."""
        return list(self.facts)

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks."""
        return list(self.files)

    @property
    def kinds(self) -> list[str]:
        """The kinds of the tasks, in the order of `KINDS`."""
        measured = {task.partition("/")[0] for task in self.tasks}
        return [kind for kind in KINDS if kind in measured]

    def tasks_of(self, kind: str) -> list[str]:
        """Return the names of a kind's tasks."""
        return [task for task in self.tasks if task.startswith(f"{kind}/")]

    def prefixes(self, model: str) -> list[int]:
        """Return the prefix lengths that a model was measured at, the longest first."""
        return sorted({s.prefix for s in self.scores if s.model == model}, reverse=True)

    def score(
        self, model: str, task: str, prefix: int | None = None, metric: str | None = None
    ) -> Score | None:
        """Return a score; None if it was not measured.

        Args:
            model: The name of the model.
            task: The full name of the task.
            prefix: The length of the vectors; None: the model's longest.
            metric: The name of the metric; None: the task's main metric.
        """
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
        """Return the value of a score; NaN if it was not measured. Arguments as for `score`."""
        score = self.score(model, task, prefix, metric)
        return math.nan if score is None else score.value

    def mean(self, model: str, kind: str | None = None, prefix: int | None = None) -> float:
        """Compute the mean of the main metrics over all tasks of a kind.

        Args:
            model: The name of the model.
            kind: The kind; None: the mean of the means of all kinds.
            prefix: The length of the vectors; None: the model's longest.

        Returns:
            The mean, or NaN if one of the tasks was not measured: means of different models are
            always over the same tasks.
        """
        if kind is None:
            return _mean(self.mean(model, each, prefix) for each in self.kinds)
        return self.mean_of(model, self.tasks_of(kind), prefix)

    def mean_of(self, model: str, tasks: Sequence[str], prefix: int | None = None) -> float:
        """Compute the mean of the main metrics of tasks; NaN if one was not measured."""
        return _mean(self.value(model, task, prefix) for task in tasks)

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
        """Compare the means of two models over tasks, with a 95 % bootstrap interval.

        Args:
            better: The name of one model.
            worse: The name of the other model, or the same name to compare two prefixes.
            tasks: Full names of tasks; None: every task.
            prefix: The length of the first model's vectors; None: its longest.
            worse_prefix: The length of the second model's vectors; None: its longest.
            resamples: The number of resamples of each task's examples.
            seed: The seed of the resamples.

        Returns:
            The mean of the first model minus the mean of the second, with its interval.

        Raises:
            ValueError: A model was not measured on one of the tasks in this run.
        """
        pairs: list[list[Outcome]] = [[], []]
        for model, length, outcomes in (
            (better, prefix, pairs[0]),
            (worse, worse_prefix, pairs[1]),
        ):
            for task in self.tasks if tasks is None else tasks:
                score = self.score(model, task, length)
                if score is None or score.outcome is None:
                    raise ValueError(f"{model} was not measured on {task} in this run")
                outcomes.append(score.outcome)
        return difference(pairs[0], pairs[1], resamples=resamples, seed=seed)

    def interval(
        self, model: str, of: str | None, prefix: int | None = None, metric: str | None = None
    ) -> Difference | None:
        """Compute the 95 % bootstrap interval of a score or of a mean.

        Each task is resampled by itself; a resample of a mean is the mean of one of each task.

        Args:
            model: The name of the model.
            of: The full name of a task; a kind, for the mean of its tasks; or None, for the mean of
                the means of all kinds.
            prefix: The length of the vectors; None: the model's longest.
            metric: The name of a task's metric; None: the main metric.

        Returns:
            The value with its interval, for an earlier report the one that it had; None without
            resamples, or where none is known.
        """
        if of is None and len(self.kinds) > 1:
            drawn = [self._mean_resamples(model, self.tasks_of(k), prefix) for k in self.kinds]
            known = [each for each in drawn if each is not None]
            if len(known) == len(drawn):
                return interval(self.mean(model, None, prefix), np.mean(known, axis=0))
        else:
            tasks = self.tasks if of is None else self._named(of)
            if measured := self.interval_of(model, tasks, prefix, metric):
                return measured
        longest = max(self.prefixes(model), default=0)
        read = self.means.get((model, longest if prefix is None else prefix, of))
        return read if self.resamples > 0 else None

    def interval_of(
        self,
        model: str,
        tasks: Sequence[str],
        prefix: int | None = None,
        metric: str | None = None,
    ) -> Difference | None:
        """Compute the interval of the mean of tasks; see `interval`."""
        drawn = self._mean_resamples(model, tasks, prefix, metric)
        if drawn is None:
            alone = self.score(model, tasks[0], prefix, metric) if len(tasks) == 1 else None
            return alone.reported if alone and self.resamples > 0 else None
        return interval(_mean(self.value(model, t, prefix, metric) for t in tasks), drawn)

    def share(
        self, model: str, teacher: str, of: str, prefix: int | None = None
    ) -> Difference | None:
        """Compute a figure of a model as a percentage of another model's, with its interval.

        Args:
            model: The name of the model.
            teacher: The name of the other model; its longest vectors are taken.
            of: The full name of a task, or a kind, of which the means are compared.
            prefix: The length of the model's vectors; None: its longest.

        Returns:
            The percentage; its interval is the value itself without resamples. None if one of the
            two was not measured in this run, or if the other's figure is not positive.
        """
        tasks = self._named(of)
        ours, theirs = self.mean_of(model, tasks, prefix), self.mean_of(teacher, tasks)
        if math.isnan(ours) or not theirs > 0:
            return None
        value = 100 * ours / theirs
        a = self._mean_resamples(model, tasks, prefix)
        b = self._mean_resamples(teacher, tasks)
        if a is None or b is None:
            return Difference(value, value, value, 0)
        positive = b > 0  # a resample of few examples may leave nothing to divide by
        return interval(value, 100 * a[positive] / b[positive])

    def _named(self, of: str) -> list[str]:
        return [of] if of in self.files else self.tasks_of(of)

    def _mean_resamples(
        self,
        model: str,
        tasks: Sequence[str],
        prefix: int | None = None,
        metric: str | None = None,
    ) -> NDArray[np.float64] | None:
        scores = [self.score(model, task, prefix, metric) for task in tasks]
        drawn = [self.resampled(score, self.resamples) for score in scores]
        known = [each for each in drawn if each is not None]
        if self.resamples < 1 or not known or len(known) < len(drawn):
            return None
        return np.asarray(np.mean(known, axis=0))

    def resampled(
        self, score: Score | None, resamples: int, seed: int = 0
    ) -> NDArray[np.float64] | None:
        """Return the metric of each resample: (resamples,) float64; each score is drawn once.

        None for a score that was not measured in this run.
        """
        if score is None or score.outcome is None or resamples < 1:
            return None
        key = (score, resamples, seed)
        if key not in self._drawn:
            self._drawn[key] = resampled(score.outcome, resamples, seed)
        return self._drawn[key]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else math.nan
