"""The fit of a head on frozen vectors: choose, calibrate, fit to all texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..file.head import Head
from .choosing import HeadChoice, choose
from .class_weights import ClassWeight, combined, label_weights
from .features import Features, Pooling, centered, encode, poolings
from .folds import fold_numbers
from .linear import Linear, outputs
from .logistic import fit_logistic
from .ridge import fit_ridge, moments
from .scores import Predictions
from .trials import calibrated

if TYPE_CHECKING:
    from staticemb_runtime import StaticModel

    from ..progress import Progress
    from .logistic import Weights
    from .targets import Targets
    from .text_store import TextStore

MOST_CHOOSING = 50_000
"""The texts that pooling, strength and calibration are chosen by: a sample of more texts."""
_MOST_LOGITS = 100_000_000  # of held-out texts, in memory
_LEAST_CHOOSING = 2_000
_SMALL = 1_000_000_000  # products a step, up to which threads of BLAS wait more than they work


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head, and how it was chosen.

    Attributes:
        layer: The layer for unit vectors of the pooling.
        choice: The choice by cross-validation; its rows are numbers of training texts.
        predictions: What the layers of the folds predict for those rows, calibrated.
        features: The vectors of all training texts.
        weights: The weights of all training texts.
        folds: The fold of each of the choice's rows.
        hidden: The layer before `layer`, which ends with max(0, x); None: there is none.
        trained_on: The texts that the layers were fitted to in a trial, whose held-out texts the
            choice has; None: the choice is by cross-validation.
        sampled: Whether the choice is by a sample of the texts.
    """

    layer: Linear
    choice: HeadChoice
    predictions: Predictions
    features: Features
    weights: Weights
    folds: NDArray[np.int8]
    hidden: Linear | None = None
    trained_on: NDArray[np.int64] | None = None
    sampled: bool = False

    def outputs(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs (N, K) of unit vectors (N, D)."""
        if self.hidden is not None:
            vectors = np.maximum(outputs(self.hidden, vectors), 0)
        return outputs(self.layer, vectors)

    def predicted(self, logits: NDArray[np.float32]) -> Predictions:
        """Return what the head makes of the logits of other texts."""
        return Predictions(logits, self.predictions.temperature, self.predictions.thresholds)

    def head(self, name: str, targets: Targets, model: StaticModel) -> Head:
        """Return the head for a file."""
        own = model.metadata.pooling == self.choice.pooling
        return Head(
            name,
            targets.kind,
            targets.labels,
            self.layer.weights,
            self.layer.bias,
            None if self.hidden is None else (self.hidden.weights, self.hidden.bias),
            self.predictions.temperature,
            self.predictions.thresholds,
            None,
            normalize=True,
            pooling=None if own else self.choice.pooling,
        )


def fit_frozen(
    model: StaticModel,
    texts: TextStore,
    targets: Targets,
    digests: NDArray[np.uint64],
    folder: Path,
    progress: Progress,
    *,
    text_weights: NDArray[np.float32] | None = None,
    class_weight: ClassWeight = None,
    strength: float | None = None,
    pooling: Pooling | None = None,
    seed: int = 0,
) -> FittedHead:
    """Fit a head to texts and targets.

    Memory holds the held-out logits of at most `MOST_CHOOSING` texts and some blocks; the vectors
    lie in files. Two poolings are compared on the sample alone.

    Args:
        model: The model.
        texts: N texts.
        targets: N targets.
        digests: (N,) the digests of the texts.
        folder: A folder for vectors.
        progress: Shows the steps.
        text_weights: (N,) how many times each text counts; None: once.
        class_weight: As for `label_weights`.
        strength: The inverse of the regularization; None: chosen.
        pooling: The pooling; None: chosen, where the model can do two.
        seed: The seed of folds and samples.
    """
    weights = combined(targets, text_weights, label_weights(targets, class_weight))
    rows = _sample(targets, seed)
    whole = len(rows) == len(targets)
    names = poolings(model) if pooling is None else (pooling,)
    features = {}
    for name in names:
        with progress.track(f"Encoding ({name})", len(rows), "texts") as advance:
            path = folder / f"{name}.npy"
            picked = None if whole else rows
            features[name] = centered(encode(model, texts, name, path, picked, advance))
    picked_targets = targets if whole else targets.take(rows)
    folds = fold_numbers(picked_targets, digests[rows], seed)
    choice = choose(
        features,
        picked_targets,
        folds,
        weights if whole else weights.take(rows),
        strength=strength,
        status=progress.status,
    )
    held_out = folds[choice.rows]
    predictions = calibrated(choice.logits, picked_targets.take(choice.rows))
    used = features[choice.pooling]
    if not whole:
        with progress.track("Encoding all texts", len(targets), "texts") as advance:
            path = folder / "all.npy"
            used = centered(encode(model, texts, choice.pooling, path, advance=advance))
        choice = HeadChoice(
            choice.pooling, choice.strength, choice.logits, rows[choice.rows], choice.start
        )
    progress.status("Fitting to all texts")
    if targets.kind == "linear":
        sums = moments(used.vectors, targets.values, weights.texts)
        layer = fit_ridge(sums, choice.strength)
    else:
        small = used.vectors.size * len(targets.labels) < _SMALL
        with threadpool_limits(1 if small else None, "blas"):
            layer = fit_logistic(
                used.vectors, targets, choice.strength, weights=weights, start=choice.start
            )
    layer = layer.around(used.mean)
    return FittedHead(layer, choice, predictions, used, weights, held_out, sampled=not whole)


def _sample(targets: Targets, seed: int) -> NDArray[np.int64]:
    """Return the texts to choose by, ascending: all, or as many as memory allows."""
    labels = max(len(targets.labels), 1)
    most = min(MOST_CHOOSING, max(_LEAST_CHOOSING, _MOST_LOGITS // labels))
    if len(targets) <= most:
        return np.arange(len(targets))
    return np.sort(np.random.default_rng(seed).permutation(len(targets))[:most])
