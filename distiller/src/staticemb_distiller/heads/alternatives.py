"""Alternatives to the frozen fit: a hidden layer, or a tuned table. Used if they predict better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from staticemb_runtime import StaticModel

from ..errors import TrainingError
from .features import encode
from .hidden import MOST_HIDDEN, fit_hidden
from .linear import Linear, outputs
from .trials import Split, TrialOutcome, compare, split

if TYPE_CHECKING:
    from ..progress import Progress
    from .examples import LabeledTexts
    from .fitting import FittedHead


def check_alternatives(hidden: int | None, tune: bool, weighted: bool) -> None:
    """Check the options of a fit beyond the frozen linear layer.

    Raises:
        TrainingError: The hidden layer has no or too many outputs, both are asked for, or either
            with weights of texts.
    """
    if hidden is not None and not 1 <= hidden <= MOST_HIDDEN:
        raise TrainingError(f"hidden: expected 1 to {MOST_HIDDEN:,} outputs, found {hidden}")
    if hidden is not None and tune:
        raise TrainingError("hidden, tune: expected one of them, found both")
    if (hidden is not None or tune) and weighted:
        name = "tune" if tune else "hidden"
        raise TrainingError(f"{name}: expected no weights of labels or sources, found some")


def with_hidden(
    fitted: FittedHead, examples: LabeledTexts, width: int, seed: int, progress: Progress
) -> tuple[FittedHead, str]:
    """Try a hidden layer; return the better fit, and the comparison in words."""
    targets, vectors = examples.targets, fitted.features.vectors
    part = split(fitted, targets)
    progress.status("Fitting a hidden layer")
    trial = fit_hidden(vectors[part.train], targets.take(part.train), width, seed)
    outcome = compare(
        f"Hidden layer of {width}", part, trial.logits(vectors[part.held_out]), targets
    )
    if not outcome.wins:
        return fitted, outcome.note
    whole = fit_hidden(vectors, targets, width, seed).around(fitted.features.mean)
    better = _replaced(fitted, part, outcome, whole.output)
    return replace(better, hidden=whole.hidden), outcome.note


def with_tuning(
    fitted: FittedHead,
    examples: LabeledTexts,
    model: Path,
    folder: Path,
    seed: int,
    progress: Progress,
) -> tuple[FittedHead, Path | None, str]:
    """Try to fit the table with the head.

    The tuned table is compared as its file has it, rounded. If it is better, it is fitted to all
    texts.

    Returns:
        The better fit; the file of the tuned table, or None if the frozen fit is better; and the
        comparison in words.
    """
    from ..training.recipe import TrainingRecipe
    from ..training.start import open_start
    from .bags import read_bags
    from .tuned_file import write_tuned
    from .tuning import choose_knobs, tune

    targets, mean = examples.targets, fitted.features.mean
    part = split(fitted, targets)
    start = open_start(str(model), TrainingRecipe(pairs=(examples.place,)), progress=progress)
    pooling, strength = fitted.choice.pooling, fitted.choice.strength
    bags = read_bags(start, start.damping if pooling == "damped_mean" else None, examples.texts)
    knobs = choose_knobs(
        bags,
        targets,
        part.train,
        part.held_out,
        part.frozen,
        mean,
        strength,
        seed=seed,
        status=progress.status,
    )
    progress.status("Tuning on the texts not held out")
    tuned = tune(bags.take(part.train), targets.take(part.train), part.frozen, mean, knobs)
    path = folder / "tuned.staticemb"
    write_tuned(path, bags.table(start.rows, tuned.rows), start, model)
    vectors = encode(
        StaticModel.load(path), examples.texts, pooling, folder / "tuned.npy", part.held_out
    )
    outcome = compare("Tuned table", part, outputs(tuned.layer.around(mean), vectors), targets)
    if not outcome.wins:
        return fitted, None, outcome.note
    progress.status("Tuning on all texts")
    whole = tune(bags, targets, part.frozen, mean, knobs)
    write_tuned(path, bags.table(start.rows, whole.rows), start, model)
    better = _replaced(fitted, part, outcome, whole.layer.around(mean))
    choice = replace(better.choice, strength=float(f"{knobs.strength:.4g}"))
    return replace(better, choice=choice), path, outcome.note


def _replaced(fitted: FittedHead, part: Split, outcome: TrialOutcome, layer: Linear) -> FittedHead:
    choice = replace(fitted.choice, logits=outcome.predictions.logits, rows=part.held_out)
    count = len(part.held_out)
    return replace(
        fitted,
        layer=layer,
        choice=choice,
        predictions=outcome.predictions,
        trained_on=part.train,
        method=f"{count:,} training texts held out, by which the better fit was chosen",
    )
