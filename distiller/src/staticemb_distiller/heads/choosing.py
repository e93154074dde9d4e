"""The choice of pooling and strength by cross-validation, and the logits of held-out texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from . import calibration
from .features import Features, Pooling
from .folds import fold_count
from .linear import Linear, outputs
from .logistic import Weights, fit_logistic
from .ridge import Moments, fit_ridge, moments
from .targets import Targets

MIDDLE = 10.0
"""The strength to begin with: C of logistic regression on unit vectors."""
_STEP = 10**0.5
_MOST_STEPS = 6  # from a thousandth to a thousand times the middle
_FEW = 4_000  # texts up to which all folds take part in the choice
_ALL = -2  # in place of a fold: all texts
_CHOOSING_FOLDS = 2  # of many texts, two folds hold out enough


@dataclass(frozen=True, eq=False)
class HeadChoice:
    """What cross-validation chose.

    Attributes:
        pooling: The pooling of the vectors.
        strength: The inverse of the regularization.
        logits: (n, K) outputs for texts that the layer was not fitted to.
        rows: (n,) the texts that were held out, ascending.
        start: The mean of the folds' layers: a good start for the fit to all texts.
    """

    pooling: Pooling
    strength: float
    logits: NDArray[np.float32]
    rows: NDArray[np.int64]
    start: Linear


def choose(
    features: Mapping[Pooling, Features],
    targets: Targets,
    folds: NDArray[np.int8],
    weights: Weights,
    *,
    strength: float | None = None,
    status: Callable[[str], object] = lambda text: None,
) -> HeadChoice:
    """Choose pooling and strength, and predict each text by layers that were fitted to others.

    The strength climbs from `MIDDLE` by factors of √10 while the loss of held-out texts falls: the
    negative log likelihood at the best temperature, or the squared error.

    Args:
        features: The texts' vectors by pooling.
        targets: The targets.
        folds: The fold of each text, from `fold_numbers`.
        weights: As for `fit_logistic`.
        strength: The strength if it is given; None: chosen.
        status: Shows what is done.
    """
    every = [fold for fold in range(fold_count(len(targets))) if (folds == fold).any()]
    chosen = every if len(targets) <= _FEW else every[:_CHOOSING_FOLDS]
    runs: dict[Pooling, _Folds] = {}
    earlier = None
    for name, each in features.items():
        earlier = runs[name] = _Folds(each, targets, folds, weights, earlier)
    middle = MIDDLE if strength is None else strength
    if not every or (folds == every[0]).all():  # each label has one text, or all texts are one
        name = next(iter(features))
        shape = (len(targets.labels), features[name].vectors.shape[1])
        nothing = Linear(np.zeros(shape, np.float32), np.zeros(shape[0], np.float32))
        empty = np.empty((0, shape[0]), np.float32)
        return HeadChoice(name, middle, empty, np.empty(0, np.int64), nothing)
    if len(runs) > 1:
        for name, run in runs.items():
            status(f"Choosing the pooling: {name}")
            run.loss(chosen, middle)
    pooling = min(runs, key=lambda name: runs[name].loss(chosen, middle))
    run = runs[pooling]
    best = middle
    if strength is None:
        best = _climbed(lambda value: run.loss(chosen, value), status)
    status(f"Predicting held-out texts: strength {best:.3g}")
    logits, rows = run.held_out(every, best)
    layers = [run.layer(fold, best) for fold in every]
    start = Linear(
        np.mean([layer.weights for layer in layers], axis=0, dtype=np.float32),
        np.mean([layer.bias for layer in layers], axis=0, dtype=np.float32),
    )
    return HeadChoice(pooling, best, logits, rows, start)


def _climbed(loss: Callable[[float], float], status: Callable[[str], object]) -> float:
    """Go from the middle to the side where the loss falls, as long as it does."""

    def at(step: int) -> float:
        value = _value(step)
        status(f"Choosing the strength: {value:.3g}")
        return loss(value)

    best = 0
    for direction in (1, -1):
        step = best + direction
        while abs(step) <= _MOST_STEPS and at(step) < at(best):
            best, step = step, step + direction
        if best:
            break
    return _value(best)


def _value(step: int) -> float:
    return float(f"{MIDDLE * _STEP**step:.4g}")


class _Folds:
    """The layers and losses of each fold and strength for one kind of vectors.

    Args:
        features: The vectors.
        targets: The targets.
        folds: The fold of each text.
        weights: The weights of texts and labels.
        earlier: The layers for another pooling, whose vectors are much alike: a fit starts there.
    """

    def __init__(
        self,
        features: Features,
        targets: Targets,
        folds: NDArray[np.int8],
        weights: Weights,
        earlier: _Folds | None = None,
    ) -> None:
        self._earlier = earlier
        self._features, self._targets, self._weights = features, targets, weights
        self._folds = folds
        self._layers: dict[tuple[int, float], Linear] = {}
        self._losses: dict[tuple[tuple[int, ...], float], float] = {}
        self._moments: dict[int, Moments] = {}

    def layer(self, fold: int, strength: float) -> Linear:
        """Return the layer fitted to all folds but one."""
        key = (fold, strength)
        if key not in self._layers:
            if self._targets.kind == "linear":
                sums = self._sums(_ALL) - self._sums(fold)
                self._layers[key] = fit_ridge(sums, strength)
            else:
                rows = np.flatnonzero(self._folds != fold)
                start = self._near(fold, strength)
                if start is None and self._earlier is not None:
                    start = self._earlier._near(fold, strength)
                self._layers[key] = fit_logistic(
                    self._features.vectors[rows],
                    self._targets.take(rows),
                    strength,
                    weights=self._weights.take(rows),
                    start=start,
                )
        return self._layers[key]

    def _near(self, fold: int, strength: float) -> Linear | None:
        """Return the fold's layer of the nearest strength; None: there is none yet."""
        known = [other for at, other in tuple(self._layers) if at == fold]
        nearest = min(known, key=lambda other: abs(np.log(other / strength)), default=None)
        return None if nearest is None else self._layers[fold, nearest]

    def _fit(self, folds: Sequence[int], strength: float) -> None:
        """Fit the layers of some folds, each in its own thread.

        Each thread's products take one thread: a fold's products are small, and threads of BLAS
        would wait for each other.
        """
        missing = [f for f in folds if (f, strength) not in self._layers]
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda fold: self.layer(fold, strength), missing))

    def _sums(self, fold: int) -> Moments:
        """Return the sums of a fold, or of `_ALL`."""
        if fold not in self._moments:
            rows = np.flatnonzero(self._folds == fold) if fold != _ALL else slice(None)
            self._moments[fold] = moments(
                self._features.vectors[rows],
                self._targets.dense(rows),
                None if self._weights.texts is None else self._weights.texts[rows],
            )
        return self._moments[fold]

    def held_out(
        self, folds: Sequence[int], strength: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the logits of the texts of some folds, and the texts' numbers."""
        rows = np.flatnonzero(np.isin(self._folds, folds))
        logits = np.empty((len(rows), len(self._targets.labels)), np.float32)
        self._fit(folds, strength)
        for fold in folds:
            inside = np.flatnonzero(self._folds[rows] == fold)
            if len(inside):
                vectors = self._features.vectors[rows[inside]]
                logits[inside] = outputs(self.layer(fold, strength), vectors)
        return logits, rows

    def loss(self, folds: Sequence[int], strength: float) -> float:
        """Return the loss of the texts of some folds, at the best temperature."""
        key = (tuple(folds), strength)
        if key not in self._losses:
            logits, rows = self.held_out(folds, strength)
            self._losses[key] = held_out_loss(logits, self._targets.take(rows))
        return self._losses[key]


def cores() -> int:
    """Return the number of processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def held_out_loss(logits: NDArray[np.float32], targets: Targets) -> float:
    """Return the mean loss of held-out texts: at the best temperature, or the squared error.

    Squared errors are relative to the variance of each target.
    """
    if targets.kind == "linear":
        errors = (logits - targets.values) ** 2
        return float((errors.mean(axis=0) / np.maximum(targets.values.var(axis=0), 1e-30)).mean())
    temperature = calibration.best_temperature(logits, targets)
    return float(calibration.losses(logits, targets, temperature).mean())
