"""TF-IDF with a linear model on the same texts: what word counts alone can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..evaluation.baselines import tfidf_vectorizer
from ..evaluation.scoring import SETTINGS
from . import calibration
from .linear import outputs
from .logistic import fit_logistic
from .scores import Predictions
from .targets import Targets

if TYPE_CHECKING:
    from .text_store import TextStore

NAME = "TF-IDF"
MOST_TEXTS = 20_000
"""The texts that the baseline is fitted to: a sample of more texts."""
MOST_LABELS = 1_000
"""With more labels it is not measured: a weight for each label and word is too much memory."""


def by_folds(
    texts: TextStore, targets: Targets, rows: NDArray[np.int64], folds: NDArray[np.int8]
) -> tuple[Predictions, NDArray[np.int64]]:
    """Predict held-out texts from the folds that they are not in.

    Args:
        texts: The texts.
        targets: The targets of the rows.
        rows: (n,) the numbers of the texts.
        folds: (n,) their folds.

    Returns:
        The predictions, and which of the n rows they are for.
    """
    chosen = np.flatnonzero(folds >= 0)
    logits = np.empty((len(chosen), len(targets.labels)), np.float32)
    words = texts.take(rows)
    for fold in np.unique(folds[chosen]):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        predicted = _fitted(
            [words[row] for row in outside.tolist()],
            targets.take(outside),
            [words[row] for row in inside.tolist()],
        )
        logits[np.searchsorted(chosen, inside)] = predicted
    return _calibrated(logits, targets.take(chosen)), chosen


def on_held_out(
    texts: TextStore, targets: Targets, train: NDArray[np.int64], held_out: list[str], seed: int
) -> Predictions:
    """Fit to training texts, or a sample of them, and predict held-out texts.

    Args:
        texts: The texts.
        targets: Their targets.
        train: Which of them to fit to.
        held_out: The texts held out.
        seed: The seed of the sample.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(train)[:MOST_TEXTS])
    return Predictions(_fitted(texts.take(rows), targets.take(rows), held_out))


def _fitted(texts: list[str], targets: Targets, held_out: list[str]) -> NDArray[np.float32]:
    """Return the logits of held-out texts."""
    vectorizer = tfidf_vectorizer()
    try:
        features = vectorizer.fit_transform(texts).astype(np.float32)
    except ValueError:  # no text has a word
        return np.zeros((len(held_out), len(targets.labels)), np.float32)
    others = vectorizer.transform(held_out).astype(np.float32)
    if targets.kind == "linear":
        from sklearn.linear_model import Ridge

        ridge = Ridge(alpha=1.0, solver="sparse_cg").fit(features, targets.values)
        return np.asarray(ridge.predict(others), np.float32).reshape(len(held_out), -1)
    layer = fit_logistic(features, targets, SETTINGS["probe_C"])
    return outputs(layer, others)


def _calibrated(logits: NDArray[np.float32], targets: Targets) -> Predictions:
    if targets.kind == "linear":
        return Predictions(logits)
    return Predictions(logits, calibration.best_temperature(logits, targets))
