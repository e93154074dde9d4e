"""The fit of a head on frozen vectors: choose, calibrate, fit to all texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..file.head import Head
from .choosing import HeadChoice, choose, cores
from .class_weights import ClassWeight, combined, label_weights
from .features import Features, Pooling, centered, encode, poolings
from .folds import fold_count, fold_numbers
from .linear import Linear, outputs
from .logistic import Weights, fit_logistic
from .ridge import fit_ridge, moments
from .sampling import MOST_PRODUCTS, held_out, sample
from .scores import Predictions
from .trials import calibrated

if TYPE_CHECKING:
    from staticemb_runtime import StaticModel

    from ..progress import Progress
    from .targets import Targets
    from .text_store import TextStore

_SMALL = 100_000_000  # products a step, up to which threads cost more than they gain


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
        method: How the scores of `predictions` were measured, in words.
        notes: What the user should know about the choice.
    """

    layer: Linear
    choice: HeadChoice
    predictions: Predictions
    features: Features
    weights: Weights
    folds: NDArray[np.int8]
    hidden: Linear | None = None
    trained_on: NDArray[np.int64] | None = None
    method: str = ""
    notes: tuple[str, ...] = ()

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

    Memory holds the held-out logits of a sample of the texts and some blocks; the vectors lie in
    files. Pooling and strength are chosen by the sample, as `sampling` describes.

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
    drawn = sample(targets, model.dim, seed)
    rows, whole = drawn.rows, len(drawn.rows) == len(targets)
    names = poolings(model) if pooling is None else (pooling,)
    features = {}
    for name in names:
        with progress.track(f"Encoding ({name})", len(rows), "texts") as advance:
            path = folder / f"{name}.npy"
            picked = None if whole else rows
            features[name] = centered(encode(model, texts, name, path, picked, advance))
    picked_targets = drawn.of(targets)
    folds = fold_numbers(picked_targets, digests[rows], seed)
    choice = choose(
        features,
        picked_targets,
        folds,
        drawn.weights(weights),
        strength=strength,
        status=progress.status,
    )
    used = features[choice.pooling]
    if not whole:
        with progress.track("Encoding all texts", len(targets), "texts") as advance:
            path = folder / "all.npy"
            used = centered(encode(model, texts, choice.pooling, path, advance=advance))
        choice = replace(choice, rows=rows[choice.rows])
    folds = folds[np.searchsorted(rows, choice.rows)]
    count = len(choice.rows)
    measured = f"{count:,} training texts, each held out once ({fold_count(count)} folds)"
    if not whole:
        measured = f"a sample of {measured}; the head is fitted to more texts than these fits were"
    notes: tuple[str, ...] = ()
    trained_on = None
    if drawn.labels is not None:
        notes = (
            f"Labels × texts × dimensions are more than {MOST_PRODUCTS:,}: pooling and strength "
            f"were chosen by {len(drawn.labels):,} of {len(targets.labels):,} labels and "
            f"{len(rows):,} texts",
        )
        progress.status("Fitting to texts of all labels but some held out")
        choice, trained_on = _held_out(choice, used, targets, weights, digests, seed)
        folds = np.zeros(len(choice.rows), np.int8)
        measured = f"{len(choice.rows):,} training texts held out of a fit to the others"
    predictions = calibrated(choice.logits, targets.take(choice.rows))
    progress.status("Fitting to all texts")
    layer = _fitted(used, targets, choice.strength, weights, choice.start)
    layer = layer.around(used.mean)
    return FittedHead(
        layer,
        choice,
        predictions,
        used,
        weights,
        folds,
        trained_on=trained_on,
        method=measured,
        notes=notes,
    )


def _fitted(
    features: Features,
    targets: Targets,
    strength: float,
    weights: Weights,
    start: Linear | None = None,
) -> Linear:
    """Fit the layer for centered vectors."""
    if targets.kind == "linear":
        return fit_ridge(moments(features.vectors, targets.values, weights.texts), strength)
    small = features.vectors.size * len(targets.labels) < _SMALL
    with threadpool_limits(1, "blas"):
        return fit_logistic(
            features.vectors,
            targets,
            strength,
            weights=weights,
            start=start,
            threads=1 if small else cores(),
        )


def _held_out(
    choice: HeadChoice,
    features: Features,
    targets: Targets,
    weights: Weights,
    digests: NDArray[np.uint64],
    seed: int,
) -> tuple[HeadChoice, NDArray[np.int64]]:
    """Predict some texts by a fit to the others; return the choice, and the numbers of the others.

    The others are not copied: the texts held out have the weight 0.
    """
    rows, left_out = held_out(targets, digests, seed)
    texts = np.ones(len(targets), np.float32) if weights.texts is None else weights.texts.copy()
    texts[left_out] = 0
    layer = _fitted(features, targets, choice.strength, weights._replace(texts=texts))
    logits = outputs(layer, features.vectors[rows])
    predicted = HeadChoice(choice.pooling, choice.strength, logits, rows, layer)
    return predicted, np.flatnonzero(~left_out)
