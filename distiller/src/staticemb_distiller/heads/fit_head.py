"""Fit a head to texts with labels or numbers: read, choose, fit, measure, write."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from staticemb_runtime import StaticModel
from staticemb_runtime.loading import locate, open_parts

from ..arguments import check_path, check_type
from ..corpus import input_files
from ..errors import TrainingError
from ..evaluation.record import save
from ..file.added_heads import with_heads
from ..file.head import Head, head_parts
from ..file.optional_names import optional_names
from ..output_file import check_distinct, check_output
from ..progress import Progress
from ..scratch_folder import scratch_folder
from . import baseline
from .alternatives import check_alternatives, with_hidden, with_tuning
from .examples import Data, LabeledTexts, places, read_examples
from .features import encode
from .fitting import FittedHead, fit_frozen
from .folds import fold_numbers
from .notes import duplicate_notes, empty_notes, few_notes
from .page import html as page
from .report import HeadReport
from .scores import Scores, score
from .targets import HeadTask, check_labels

if TYPE_CHECKING:
    from ..file.head import HeadPrecision
    from .class_weights import ClassWeight

_TASKS = get_args(HeadTask)


def fit_head(
    model: str | os.PathLike[str],
    data: Data,
    output: str | os.PathLike[str] = "model.staticemb",
    *,
    test: Data | None = None,
    task: HeadTask | None = None,
    separator: str | None = None,
    name: str = "default",
    class_weight: ClassWeight = None,
    hidden: int | None = None,
    tune: bool = False,
    strength: float | None = None,
    precision: HeadPrecision = "float32",
    replace: bool = False,
    with_baseline: bool = True,
    html: str | os.PathLike[str] | None = None,
    json: str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> HeadReport:
    """Fit a classifier or regressor to a model's vectors, and write the model with it.

    The vectors stay as they are: the file gives the same vectors, and other heads stay in it.
    Pooling and regularization are chosen by cross-validation, and probabilities are calibrated on
    held-out texts. torch is not used. The same inputs and machine give the same bytes.

    Args:
        model: A static embedding file, or an installed model's name.
        data: Texts with labels: a source, such as "train.tsv", "tickets.csv::text=subject+body,
            label=queue" or "hf:ID", several sources, or a pair of texts and their labels.
        output: The file to write; it may be the model. It is created or replaced only after it is
            complete and checked.
        test: Held-out texts with labels, to measure on; None: cross-validation on `data`.
        task: "classification" for one label a text, "multilabel" for several, "regression" for
            numbers; None: multilabel for lists of labels, or else classification.
        separator: A string between the labels of a text, such as ";"; then the task is multilabel.
        name: The head's name in the file.
        class_weight: How many times the texts of a label count: "balanced", or a weight by label.
        hidden: Outputs of a hidden layer to try: it is kept if it predicts held-out texts better.
        tune: Whether to try to fit the table with the head; kept if it predicts held-out texts
            better. Then the file gives other vectors, and other heads are dropped.
        strength: C, the inverse of the regularization; None: chosen.
        precision: The number format of the head's weights.
        replace: Whether to replace a head of this name.
        with_baseline: Whether to measure TF-IDF with the same kind of layer as well.
        html: A file for the report as a page.
        json: A file for the report as JSON.
        seed: The seed of the folds.
        progress: The progress display; None: no display.

    Returns:
        What was chosen and measured.

    Raises:
        TypeError: An argument has the wrong type.
        DistillerError: A step failed; each cause has a subclass.

    Example:
        >>> fit_head("minilm-en-small", "train.tsv", "tickets.staticemb")  # doctest: +SKIP
    """
    progress = progress or Progress(quiet=True)
    check_path("model", model)
    check_path("output", output)
    check_type("name", name, (str,), "a string")
    if task is not None and task not in _TASKS:
        raise TrainingError(f"task: expected one of {', '.join(_TASKS)}, found {task!r}")
    if strength is not None and not 0 < strength < float("inf"):
        raise TrainingError(f"strength: expected a number above 0, found {strength}")
    if seed < 0:
        raise TrainingError(f"seed: expected a number of at least 0, found {seed}")
    _check_name(name)
    check_alternatives(hidden, tune, class_weight is not None)
    path = model_file(model)
    inputs = [*places(data), *([] if test is None else places(test))]
    with_model = [*inputs, str(path)]
    for file, given in ((output, inputs), (html, with_model), (json, with_model)):
        if file is not None:
            files = chain.from_iterable(map(input_files.model_files, given))
            check_output(Path(file), files, text=file is not output)
    check_distinct(output, html, json)
    opened = StaticModel.load(path)
    if not replace and name in opened.heads:
        raise TrainingError(
            f"{path}: expected no head {name!r}, found one; replace it or give a name"
        )
    with scratch_folder(Path(output)) as folder:
        progress.status("Reading texts")
        examples = read_examples(data, folder / "texts", task=task, separator=separator)
        check_labels(examples.targets, examples.place)
        held_out = None
        if test is not None:
            held_out = read_examples(
                test,
                folder / "held-out",
                task=_task(examples),
                separator=separator,
                known=examples.targets,
            )
        warnings = (
            *examples.notes,
            *(() if held_out is None else held_out.notes),
            *duplicate_notes(examples, held_out),
            *few_notes(examples.targets, examples.place),
        )
        for line in warnings:
            progress.warn(f"warning: {line}")
        fitted = fit_frozen(
            opened,
            examples.texts,
            examples.targets,
            examples.digests,
            folder,
            progress,
            text_weights=examples.weights,
            class_weight=class_weight,
            strength=strength,
            seed=seed,
        )
        for line in empty_notes(examples, fitted.features.empty):
            warnings = (*warnings, line)
            progress.warn(f"warning: {line}")
        check_alternatives(hidden, tune, fitted.weights.texts is not None)
        choices = fitted.notes
        tuned_path = None
        if hidden is not None and len(fitted.choice.rows):
            fitted, note = with_hidden(fitted, examples, hidden, seed, progress)
            choices = (*choices, note)
        if tune and len(fitted.choice.rows):
            fitted, tuned_path, note = with_tuning(fitted, examples, path, folder, seed, progress)
            choices = (*choices, note)
        if tuned_path is not None:
            if dropped := optional_names(open_parts(path)):
                warnings = (*warnings, f"the tuned file has no {', '.join(dropped)}")
                progress.warn(f"warning: {warnings[-1]}")
            path = tuned_path
            opened = StaticModel.load(path)
        if with_baseline and len(examples.targets.labels) > baseline.MOST_LABELS:
            with_baseline = False
            choices = (*choices, f"TF-IDF is measured with up to {baseline.MOST_LABELS:,} labels")
        method, scores, compared = _measured(
            opened, fitted, examples, held_out, folder, progress, seed, with_baseline
        )
        head = fitted.head(name, examples.targets, opened)
        progress.status("Writing")
        with_heads(path, [head], output, precision=precision, replace=replace)
    report = HeadReport(
        Path(output),
        os.fspath(model),
        name,
        head.kind,
        head.labels,
        len(examples),
        fitted.choice.pooling,
        fitted.choice.strength,
        fitted.predictions.temperature,
        method,
        scores,
        hidden=0 if fitted.hidden is None else len(fitted.hidden.bias),
        tuned=tuned_path is not None,
        baseline=compared,
        choices=choices,
        warnings=warnings,
    )
    if html is not None:
        save(Path(html), page(report))
    if json is not None:
        save(Path(json), report.dumps())
    return report


def _check_name(name: str) -> None:
    """Refuse an invalid name before the work.

    Raises:
        OutputError: The name cannot be a head's name.
    """
    head_parts(Head(name, "softmax", ("a", "b"), np.zeros((2, 1)), np.zeros(2)), 1)


def model_file(model: str | os.PathLike[str]) -> Path:
    """Return the file of a model.

    Raises:
        TrainingError: It is a folder.
        ModelNotFoundError: There is no such model.
    """
    path = Path(locate(model))
    if path.is_dir():
        raise TrainingError(
            f"{path}: expected a static embedding file, found a folder; convert it first"
        )
    return path


def _task(examples: LabeledTexts) -> HeadTask:
    """Return the task of training texts, for texts held out."""
    kind = examples.targets.kind
    if kind == "linear":
        return "regression"
    return "multilabel" if kind == "sigmoid" else "classification"


def _measured(
    model: StaticModel,
    fitted: FittedHead,
    examples: LabeledTexts,
    held_out: LabeledTexts | None,
    folder: Path,
    progress: Progress,
    seed: int,
    with_baseline: bool,
) -> tuple[str, Scores, Scores | None]:
    """Return how it was measured, the head's scores and the baseline's scores."""
    if held_out is None:
        return _cross_validated(fitted, examples, progress, seed, with_baseline)
    with progress.track("Measuring", len(held_out), "texts") as advance:
        vectors = encode(
            model, held_out.texts, fitted.choice.pooling, folder / "test.npy", advance=advance
        )
    predictions = fitted.predicted(fitted.outputs(vectors))
    scores = score(predictions, held_out.targets)
    compared = None
    if with_baseline:
        progress.status("Measuring TF-IDF")
        words = [text for block in held_out.texts.blocks() for text in block]
        every = np.arange(len(examples))
        predicted = baseline.on_held_out(examples.texts, examples.targets, every, words, seed)
        compared = score(predicted, held_out.targets)
    return f"{len(held_out):,} held-out texts of {held_out.place}", scores, compared


def _cross_validated(
    fitted: FittedHead, examples: LabeledTexts, progress: Progress, seed: int, with_baseline: bool
) -> tuple[str, Scores, Scores | None]:
    rows = fitted.choice.rows
    if not len(rows):
        raise TrainingError(
            f"{examples.place}: expected texts that differ within a label, so that one can be held "
            f"out, found copies alone among {len(examples):,} texts"
        )
    targets = examples.targets.take(rows)
    scores = score(fitted.predictions, targets)
    if not with_baseline:
        return fitted.method, scores, None
    progress.status("Measuring TF-IDF")
    if fitted.trained_on is not None:
        held = examples.texts.take(rows)
        predicted = baseline.on_held_out(
            examples.texts, examples.targets, fitted.trained_on, held, seed
        )
        return fitted.method, scores, score(predicted, targets)
    if len(rows) > baseline.MOST_TEXTS:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[: baseline.MOST_TEXTS])
    folds = fold_numbers(examples.targets.take(rows), examples.digests[rows], seed)
    predicted, chosen = baseline.by_folds(examples.texts, examples.targets.take(rows), rows, folds)
    return fitted.method, scores, score(predicted, examples.targets.take(rows[chosen]))
