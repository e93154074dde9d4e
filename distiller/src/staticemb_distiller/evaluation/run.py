"""Evaluation of models: each model on each task at each prefix length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import EvaluationError
from ..teacher.open_teacher import is_server
from . import scoring
from .baselines import BM25
from .discovery import discover
from .load import load_model
from .memory import added_memory
from .metrics import unit
from .models import Embedder, FunctionModel, LexicalModel, VectorArray
from .results import Results, Score
from .scoring import Outcome
from .speed import sample, texts_per_second
from .tasks import SAMPLE, RetrievalTask, Task, data_set

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
    teacher: Model | None = None,
    speed: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Results:
    """Measure models on the tasks of a folder.

    Args:
        models: One or several models: a name or path for `load_model`, an `Embedder`, or a function
            from a list of texts to an array of vectors.
        folder: The folder of the data, with the layout in the module `tasks`; None: `SAMPLE`, which
            is too small for meaningful figures.
        tasks: Kinds, names or wildcards; None: all tasks.
        prefixes: Lengths to truncate the vectors to. Lengths above a model's dimension are left
            out; if none is left, the whole vectors are measured. "full": the whole vectors.
            "ladder": the prefixes that the model recommends.
        baseline: Models to compare with; their whole vectors are measured. A model that is also in
            `models`, by the same name or as the same object, has only one row of whole vectors.
        teacher: A further baseline; the figures of the others are also given as shares of its own.
        speed: Whether to measure each model's seconds, texts per second and memory, too; it takes a
            few seconds each. Memory is measured in a new process, of models given by name on Linux.
        progress: Called with a line for each step.

    Returns:
        The scores of each model on each task that it can do. BM25 can only do retrieval; where it
        is among the models, each of the others is also measured together with it.

    Raises:
        EvaluationError: A prefix, a model or the data is invalid.
        MissingPackageError: A model needs a package that is not installed.

    Example:
        >>> results = evaluate(["model.staticemb", "bm25"], "eval")  # doctest: +SKIP
        >>> results.mean("model", "retrieval")  # doctest: +SKIP
        25.5
    """
    if not isinstance(prefixes, str) and any(p < 1 for p in prefixes):
        raise EvaluationError(f"prefix lengths: expected positive numbers, found {min(prefixes)}")
    discovered = discover(SAMPLE if folder is None else folder, tasks)
    results = Results([], {}, {task.name: dict(task.files) for task in discovered})
    results.note = SAMPLE_NOTE if folder is None else None
    teachers = [] if teacher is None else [teacher]
    compared_with = [*teachers, *_listed(baseline)]
    measured, compared = _rows(models, compared_with, prefixes)
    models_of_rows = [row.model for row in (*measured, *compared)]
    _rename(models_of_rows)
    bm25 = next((model for model in models_of_rows if isinstance(model, BM25)), None)
    for row in (*measured, *compared):
        model = row.model
        facts = {**model.facts, "bytes": model.bytes}
        results.facts[model.name] = facts
        for task in discovered:
            if progress:
                progress(f"{model.name}: {task.name}")
            scores, seconds, zeros = _scores(row, task, bm25)
            results.scores += scores
            if speed:
                facts["seconds"] = facts.get("seconds", 0.0) + seconds
            if zeros:  # texts in another language, most often
                facts["zero_vectors"] = facts.get("zero_vectors", 0) + zeros
        lengths = results.prefixes(model.name)
        if not lengths and not row.whole:  # the model has no prefix below its dimension
            del results.facts[model.name]
            continue
        if not isinstance(model, LexicalModel):
            facts.setdefault("dimension", max(lengths))
        if speed:
            done = {score.task for score in results.scores if score.model == model.name}
            facts |= _speed(model, [task for task in discovered if task.name in done])
    results.baseline = tuple(row.model.name for row in compared)
    results.teacher = results.baseline[0] if teachers else None
    return results


@dataclass(frozen=True, eq=False)
class _Row:
    """A row of the report.

    Attributes:
        model: The model.
        prefixes: The lengths to measure, as for `evaluate`.
        whole: Whether to measure the whole vectors, if `prefixes` has them.
    """

    model: Embedder | LexicalModel
    prefixes: Prefixes
    whole: bool = True


def _rows(
    models: Model | Sequence[Model], baseline: Model | Sequence[Model], prefixes: Prefixes
) -> tuple[list[_Row], list[_Row]]:
    """Open the models, and choose the rows of `models` and the rows of `baseline`."""
    opened: dict[object, Embedder | LexicalModel] = {}
    measured = _distinct(_opened(model, opened) for model in _listed(models))
    compared = _distinct(_opened(model, opened) for model in _listed(baseline))
    rows = []
    for model in measured:
        if model not in compared:
            rows.append(_Row(model, prefixes))
        elif prefixes != "full" and not isinstance(model, LexicalModel):
            # The model's row in the baseline has its whole vectors.
            rows.append(_Row(model, prefixes, whole=False))
    named = [row.model for row in rows]
    # A model with two rows needs two objects, since each row has its own name.
    compared = [copy(model) if model in named else model for model in compared]
    return rows, [_Row(model, "full") for model in compared]


def _listed(models: Model | Sequence[Model]) -> Sequence[Model]:
    if isinstance(models, Sequence) and not isinstance(models, str):
        return models
    return [models]


def _distinct(models: Iterable[Embedder | LexicalModel]) -> list[Embedder | LexicalModel]:
    return list({id(model): model for model in models}.values())


def _opened(model: Model, opened: dict[object, Embedder | LexicalModel]) -> Embedder | LexicalModel:
    """Open a model, or return the model that was opened by this name before."""
    if isinstance(model, (str, Path)):
        if str(model) not in opened:
            opened[str(model)] = load_model(model)
        return opened[str(model)]
    if isinstance(model, (Embedder, LexicalModel)):
        return model
    return FunctionModel(getattr(model, "__name__", type(model).__name__), model)


def _rename(models: Sequence[Embedder | LexicalModel]) -> None:
    """Give models of the same name different names: `name`, `name-2`, ..."""
    seen: dict[str, int] = {}
    for model in models:
        count = seen[model.name] = seen.get(model.name, 0) + 1
        if count > 1:
            model.name = f"{model.name}-{count}"


def _speed(model: Embedder | LexicalModel, tasks: Sequence[Task]) -> dict[str, Any]:
    """Measure a model's memory on tasks that it can do, and its texts per second."""
    facts: dict[str, Any] = {}
    texts: Mapping[str, Sequence[str]] = {}
    if isinstance(model, LexicalModel):
        if tasks:
            texts = max((task.texts for task in tasks), key=lambda of: sum(map(len, of.values())))
    else:
        texts = {"sample": sample(tasks)}
        facts["texts_per_second"] = texts_per_second(model, texts["sample"])
    source = getattr(model, "source", None)  # an Embedder of one's own may lack it
    if texts and source is not None and not is_server(source):
        facts["memory"] = added_memory(source, texts)
    return facts


def _scores(row: _Row, task: Task, bm25: BM25 | None) -> tuple[list[Score], float, int]:
    """Measure the scores of a row's model at each of the row's prefixes, and with BM25.

    Returns:
        The scores; the seconds of embedding, and of a model of word counts of ranking, too; and
        how many texts have a zero vector.
    """
    model = row.model
    started = time.perf_counter()
    if isinstance(model, LexicalModel):
        scores = _named(model.name, task, 0, model.outcomes(task))
        return scores, time.perf_counter() - started, 0
    vectors = {part: _encoded(model, part, texts) for part, texts in task.texts.items()}
    seconds = time.perf_counter() - started
    zeros = sum(int((~array.any(axis=1)).sum()) for array in vectors.values())
    dim = next(iter(vectors.values())).shape[1]
    words = bm25.scores(task) if bm25 and isinstance(task, RetrievalTask) else None
    scores = []
    for prefix in _lengths(row.prefixes, dim, model.prefixes):
        if prefix == dim and not row.whole:
            continue
        cut = {part: unit(array[:, :prefix]) for part, array in vectors.items()}
        scores += _named(model.name, task, prefix, scoring.score(task, cut, words))
    return scores, seconds, zeros


def _named(model: str, task: Task, prefix: int, outcomes: Sequence[Outcome]) -> list[Score]:
    examples = data_set(task.name)
    return [
        Score(
            *(model, task.name, prefix, outcome.metric, outcome.value, index == 0),
            replace(outcome, data_set=examples),
        )
        for index, outcome in enumerate(outcomes)
    ]


def _lengths(prefixes: Prefixes, dim: int, ladder: Sequence[int]) -> list[int]:
    """Return the lengths to measure, the longest first; `ladder` has the model's own prefixes."""
    if prefixes == "full":
        return [dim]
    wanted = ladder if prefixes == "ladder" else prefixes
    lengths = sorted({int(p) for p in wanted if int(p) <= dim}, reverse=True)
    return lengths or [dim]


def _encoded(model: Embedder, part: str, texts: Sequence[str]) -> VectorArray:
    """Return the vectors of a part's texts; each distinct text is encoded once."""
    function = {"queries": model.encode_query, "documents": model.encode_document}.get(
        part, model.encode
    )
    distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    vectors = function(list(distinct))
    return np.asarray(vectors[np.array([distinct[text] for text in texts])], np.float32)
