"""Trials: a hidden layer or a tuned table must predict held-out texts better than a frozen fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import calibration
from .linear import Linear, outputs
from .logistic import fit_logistic
from .ridge import fit_ridge, moments
from .scores import Predictions

if TYPE_CHECKING:
    from .fitting import FittedHead
    from .targets import Targets

_TRIAL_FOLD = 0


@dataclass(frozen=True, eq=False)
class Split:
    """One fold held out, and the frozen fit to all other texts.

    Attributes:
        train: The training texts of the trial.
        held_out: The texts held out.
        frozen: The layer for centered vectors, fitted to the training texts.
        logits: What it gives for the texts held out.
    """

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    frozen: Linear
    logits: NDArray[np.float32]


def split(fitted: FittedHead, targets: Targets) -> Split:
    """Hold one fold out, and fit the layer to the other texts by the chosen strength."""
    held_out = fitted.choice.rows[fitted.folds == _TRIAL_FOLD]
    train = np.setdiff1d(np.arange(len(targets)), held_out)
    vectors, strength = fitted.features.vectors, fitted.choice.strength
    weights = fitted.weights.take(train)
    if targets.kind == "linear":
        sums = moments(vectors[train], targets.values[train], weights.texts)
        layer = fit_ridge(sums, strength)
    else:
        layer = fit_logistic(vectors[train], targets.take(train), strength, weights=weights)
    return Split(train, held_out, layer, outputs(layer, vectors[held_out]))


@dataclass(frozen=True, eq=False)
class TrialOutcome:
    """The comparison with the frozen fit on held-out texts.

    Attributes:
        wins: Whether the loss is lower by more than its standard error.
        predictions: The predictions of the other fit, calibrated on these texts.
        note: The comparison in words.
    """

    wins: bool
    predictions: Predictions
    note: str


def compare(name: str, part: Split, logits: NDArray[np.float32], targets: Targets) -> TrialOutcome:
    """Compare another fit's logits for the held-out texts with the frozen fit's.

    Each has its own best temperature, so that only the order and the distances count.
    """
    held_out = targets.take(part.held_out)
    frozen, other = (calibrated(each, held_out) for each in (part.logits, logits))
    before, after = (_losses(each, held_out) for each in (frozen, other))
    gain = before - after
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else np.inf
    mean = float(gain.mean()) if len(gain) else 0.0
    wins = mean > error
    note = (
        f"{name}: loss {after.mean():.4f} on {len(gain):,} held-out texts, {before.mean():.4f} "
        f"without it; {'kept' if wins else 'not kept, since it is not lower by its standard error'}"
    )
    return TrialOutcome(wins, other, note)


def calibrated(logits: NDArray[np.float32], targets: Targets) -> Predictions:
    """Choose temperature and thresholds of logits on held-out texts."""
    if targets.kind == "linear" or not len(logits):
        return Predictions(logits)
    temperature = round(calibration.best_temperature(logits, targets), 4)
    thresholds = None
    if targets.kind == "sigmoid":
        chances = calibration.probabilities(logits, "sigmoid", temperature)
        thresholds = calibration.best_thresholds(chances, targets)
    return Predictions(logits, temperature, thresholds)


def _losses(predictions: Predictions, targets: Targets) -> NDArray[np.float64]:
    if targets.kind == "linear":
        spread = np.maximum(targets.values.var(axis=0), 1e-30)
        errors: NDArray[np.float64] = (predictions.logits - targets.values) ** 2 / spread
        return np.asarray(errors.mean(axis=1))
    return calibration.losses(predictions.logits, targets, predictions.temperature)
