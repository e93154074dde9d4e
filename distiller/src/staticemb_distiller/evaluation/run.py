"""Measure every model on every task at every prefix: `evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import EvaluationError
from . import scoring
from .load import load_model
from .metrics import unit
from .models import Embedder, FunctionModel, LexicalModel, Vectors
from .results import Results, Score
from .scoring import Outcome
from .speed import sample, texts_per_second
from .tasks import SAMPLE, Task, discover

Prefixes = Sequence[int] | Literal["full", "ladder"]

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
