"""Every model on every task at every prefix: `evaluate`, and the `Results` it gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import EvaluationError
from . import scoring
from .bootstrap import Difference, difference
from .load import load_model
from .metrics import unit
from .models import Embedder, FunctionModel, LexicalModel, Vectors
from .scoring import Outcome
from .speed import sample, texts_per_second
from .tasks import KINDS, SAMPLE, Task, discover

Prefixes = Sequence[int] | Literal["full", "ladder"]


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


SAMPLE_NOTE = (
    "Measured on the sample that comes with staticemb-distiller, a few dozen rows of each kind: "
    "this shows that evaluating works; differences of several points mean nothing."
)

Model = str | Path | Embedder | LexicalModel | Callable[[list[str]], Any]


def evaluate(
    models: Model | Sequence[Model],
    folder: str | Path | None = None,
    *,
    tasks: Sequence[str] | None = None,
    prefixes: Prefixes = "full",
    baseline: Model | Sequence[Model] = (),
    speed: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Results:
    """Measure models on the tasks of a folder.

    Args:
        models: One or several: what `load_model` opens, an `Embedder`, or a function from a list
            of texts to an array of vectors.
        folder: Plain files, laid out as `tasks` says; None: `SAMPLE`, whose figures mean little.
        tasks: Kinds, names or wildcards; None for everything.
        prefixes: Lengths to cut the vectors to; those beyond a model's dimension are left out,
            and a model with none left is measured whole. "full": the whole vectors. "ladder":
            the model's own prefixes.
        baseline: Models to compare with, always measured whole. One that is among `models`, too, by
            the same name or as the same object, has that row once.
        speed: Whether to take each model's texts per second too, a few seconds each.
        progress: Called with a line for each step.

    Returns:
        Scores of each model on each task that it can do; a word-count model such as BM25 does
        retrieval only.

    Example:
        >>> results = evaluate(["model.staticemb", "bm25"], "eval")  # doctest: +SKIP
        >>> results.mean("model", "retrieval")  # doctest: +SKIP
        25.5
    """
    if not isinstance(prefixes, str) and any(p < 1 for p in prefixes):
        raise EvaluationError(f"prefix lengths: expected positive numbers, found {min(prefixes)}")
    found = discover(SAMPLE if folder is None else folder, tasks)
    results = Results([], {}, {task.name: dict(task.files) for task in found})
    results.note = SAMPLE_NOTE if folder is None else None
    opened: dict[object, Embedder | LexicalModel] = {}
    measured = _distinct(_opened(model, opened) for model in _listed(models))
    compared = _distinct(_opened(model, opened) for model in _listed(baseline))
    # A model that is compared with itself has one row of whole vectors: the baseline's.
    both = [model for model in measured if model in compared]
    if prefixes == "full":
        measured = [model for model in measured if model not in both]
    measured = [m for m in measured if not (isinstance(m, LexicalModel) and m in both)]
    compared = [copy(model) if model in measured else model for model in compared]
    _rename([*measured, *compared])
    for model in (*measured, *compared):
        results.facts[model.name] = {**model.facts, "bytes": model.bytes}
        wanted: Prefixes = "full" if model in compared else prefixes
        for task in found:
            if progress:
                progress(f"{model.name}: {task.name}")
            results.scores += _scores(
                model, task, wanted, whole=model in compared or model not in both
            )
        if not results.prefixes(model.name) and model in both:  # it had whole vectors alone
            del results.facts[model.name]
            continue
        if not isinstance(model, LexicalModel):
            results.facts[model.name].setdefault("dimension", max(results.prefixes(model.name)))
        if speed and not isinstance(model, LexicalModel):
            results.facts[model.name]["texts_per_second"] = texts_per_second(model, sample(found))
    results.baseline = tuple(model.name for model in compared)
    return results


def _listed(models: Model | Sequence[Model]) -> Sequence[Model]:
    if isinstance(models, Sequence) and not isinstance(models, str):
        return models
    return [models]


def _distinct(models: Iterable[Embedder | LexicalModel]) -> list[Embedder | LexicalModel]:
    return list({id(model): model for model in models}.values())


def _opened(model: Model, opened: dict[object, Embedder | LexicalModel]) -> Embedder | LexicalModel:
    """A model; the same one for a name that was opened before."""
    if isinstance(model, (str, Path)):
        if str(model) not in opened:
            opened[str(model)] = load_model(model)
        return opened[str(model)]
    if isinstance(model, (Embedder, LexicalModel)):
        return model
    return FunctionModel(getattr(model, "__name__", type(model).__name__), model)


def _rename(models: Sequence[Embedder | LexicalModel]) -> None:
    """Give models of one name different ones: `name`, `name-2`, ..."""
    seen: dict[str, int] = {}
    for model in models:
        count = seen[model.name] = seen.get(model.name, 0) + 1
        if count > 1:
            model.name = f"{model.name}-{count}"


def _scores(
    model: Embedder | LexicalModel, task: Task, prefixes: Prefixes, *, whole: bool
) -> list[Score]:
    """Scores at each prefix; `whole`: at the model's full length, too, if it is among them."""
    if isinstance(model, LexicalModel):
        return _named(model.name, task, 0, model.outcomes(task))
    vectors = {part: _encoded(model, part, texts) for part, texts in task.texts.items()}
    dim = next(iter(vectors.values())).shape[1]
    scores = []
    for prefix in _lengths(prefixes, dim, model.prefixes):
        if prefix == dim and not whole:
            continue
        cut = {part: unit(array[:, :prefix]) for part, array in vectors.items()}
        scores += _named(model.name, task, prefix, scoring.score(task, cut))
    return scores


def _named(model: str, task: Task, prefix: int, outcomes: Sequence[Outcome]) -> list[Score]:
    return [
        Score(model, task.name, prefix, outcome.metric, outcome.value, index == 0, outcome)
        for index, outcome in enumerate(outcomes)
    ]


def _lengths(prefixes: Prefixes, dim: int, ladder: Sequence[int]) -> list[int]:
    if prefixes == "full":
        return [dim]
    wanted = ladder if prefixes == "ladder" else prefixes
    lengths = sorted({int(p) for p in wanted if int(p) <= dim}, reverse=True)
    return lengths or [dim]


def _encoded(model: Embedder, part: str, texts: Sequence[str]) -> Vectors:
    """Vectors of a part's texts, each distinct text encoded once."""
    function = {"queries": model.encode_query, "documents": model.encode_document}.get(
        part, model.encode
    )
    distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    vectors = function(list(distinct))
    return np.asarray(vectors[np.array([distinct[text] for text in texts])], np.float32)
