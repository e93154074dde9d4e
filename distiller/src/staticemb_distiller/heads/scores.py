"""Scores of predictions: accuracy, F1 by label, confusions, calibration; errors of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ..file.head import HeadKind
from . import calibration
from .calibration import Reliability
from .targets import Targets

MOST_CONFUSED = 64  # labels up to which all confusions are kept
_CONFUSIONS = 20
_POINTS = 2_000


@dataclass(frozen=True, eq=False)
class Predictions:
    """The logits of texts, and what the head makes of them.

    Attributes:
        logits: (N, K) float32.
        temperature: What logits are divided by.
        thresholds: The probability above which each label is given; None: not of the kind sigmoid.
    """

    logits: NDArray[np.float32]
    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of N held-out texts.

    Attributes:
        kind: The kind of the head.
        texts: N.
        main: The scores by name, the main one first; shares from 0 to 1, errors as they are.
        by_label: A row for each label: its name, the number of its texts, precision, recall and F1;
            for numbers: the name, R² and the mean absolute error.
        confusions: (K, K) int64, right labels by predicted labels; None: another kind, or too many
            labels.
        most_confused: The right label, the predicted label and the number of texts of the most
            frequent confusions.
        reliability: The calibration; None for numbers.
        points: (n, 2) right and predicted numbers of the first column; None: not of the kind
            linear.
    """

    kind: HeadKind
    texts: int
    main: Mapping[str, float]
    by_label: tuple[tuple[Any, ...], ...]
    confusions: NDArray[np.int64] | None = None
    most_confused: tuple[tuple[str, str, int], ...] = ()
    reliability: Reliability | None = None
    points: NDArray[np.float64] | None = None

    @property
    def error(self) -> float:
        """The standard error of the first score, if it is a share of right texts."""
        value = next(iter(self.main.values()))
        return float(np.sqrt(max(value * (1 - value), 0) / max(self.texts, 1)))


def score(predictions: Predictions, targets: Targets) -> Scores:
    """Compute the scores of predictions of N texts with N targets."""
    if targets.kind == "softmax":
        return _one_label(predictions, targets)
    if targets.kind == "sigmoid":
        return _several_labels(predictions, targets)
    return _numbers(predictions.logits, targets)


def _f1(
    hits: NDArray[np.float64], right: NDArray[np.float64], given: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision, recall and F1 by label; 0 where nothing is given."""
    precision = hits / np.maximum(given, 1)
    recall = hits / np.maximum(right, 1)
    return precision, recall, 2 * hits / np.maximum(right + given, 1)


def _rows(labels: tuple[str, ...], right: NDArray[Any], *columns: NDArray[np.float64]) -> Any:  # noqa: ANN401
    whole = zip(labels, right.astype(int).tolist(), *(c.tolist() for c in columns), strict=True)
    return tuple(whole)


def _one_label(predictions: Predictions, targets: Targets) -> Scores:
    wanted = np.asarray(targets.values, np.int64)
    chances = calibration.probabilities(predictions.logits, "softmax", predictions.temperature)
    given = predictions.logits.argmax(axis=1)
    count = len(targets.labels)
    known = wanted >= 0
    right = given == wanted
    hits = np.bincount(wanted[right], minlength=count).astype(np.float64)
    texts = np.bincount(wanted[known], minlength=count).astype(np.float64)
    precision, recall, f1 = _f1(hits, texts, np.bincount(given, minlength=count).astype(np.float64))
    # As scikit-learn: labels that are neither right nor given do not count.
    present = (texts > 0) | np.isin(np.arange(count), given)
    confident = chances[np.arange(len(given)), given]
    squares = np.einsum("nk,nk->n", chances, chances, dtype=np.float64)
    truth = np.where(known, chances[np.arange(len(given)), wanted], 0.0)
    bins = calibration.reliability(confident, right)
    wrong = wanted[known & ~right] * count + given[known & ~right]
    pairs, counts = np.unique(wrong, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_CONFUSIONS]
    confused = tuple(
        (targets.labels[pairs[at] // count], targets.labels[pairs[at] % count], int(counts[at]))
        for at in order
    )
    matrix = None
    if count <= MOST_CONFUSED:
        cells = wanted[known] * count + given[known]
        matrix = np.bincount(cells, minlength=count * count).reshape(count, count)
    return Scores(
        "softmax",
        len(targets),
        {
            "accuracy": float(right.mean()),
            "macro F1": float(f1[present].mean()),
            "calibration error": bins.error,
            "Brier score": float((squares - 2 * truth + 1).mean()),
        },
        _rows(targets.labels, texts, precision, recall, f1),
        matrix,
        confused,
        bins,
    )


def _several_labels(predictions: Predictions, targets: Targets) -> Scores:
    chances = calibration.probabilities(predictions.logits, "sigmoid", predictions.temperature)
    thresholds = predictions.thresholds or (0.5,) * len(targets.labels)
    given = chances > np.asarray(thresholds, np.float32)
    wanted = targets.dense(slice(None)).astype(bool)
    hits = (given & wanted).sum(axis=0).astype(np.float64)
    texts, named = (each.sum(axis=0).astype(np.float64) for each in (wanted, given))
    precision, recall, f1 = _f1(hits, texts, named)
    bins = calibration.reliability(chances.ravel(), wanted.ravel())
    present = (texts > 0) | (named > 0)
    return Scores(
        "sigmoid",
        len(targets),
        {
            "all labels right": float((given == wanted).all(axis=1).mean()),
            "micro F1": float(2 * hits.sum() / max(texts.sum() + named.sum(), 1)),
            "macro F1": float(f1[present].mean()) if present.any() else 0.0,
            "calibration error": bins.error,
            "Brier score": float(((chances - wanted) ** 2).mean()),
        },
        _rows(targets.labels, texts, precision, recall, f1),
        reliability=bins,
    )


def _numbers(outputs: NDArray[np.float32], targets: Targets) -> Scores:
    wanted = targets.values
    errors = np.abs(outputs - wanted)
    # As scikit-learn: where the right numbers are all equal, R² is 0, or 1 for the right number.
    squares, spread = (errors**2).mean(axis=0), wanted.var(axis=0)
    alike = spread == 0
    explained = np.where(alike, squares == 0, 1 - squares / np.where(alike, 1, spread))
    ranks = [
        float(np.nan_to_num(spearmanr(wanted[:, at], outputs[:, at]).statistic))
        if np.ptp(outputs[:, at]) > 0 and np.ptp(wanted[:, at]) > 0
        else 0.0
        for at in range(wanted.shape[1])
    ]
    rows = zip(targets.labels, explained.tolist(), errors.mean(axis=0).tolist(), strict=True)
    chosen = np.linspace(0, len(wanted) - 1, min(_POINTS, len(wanted))).astype(np.int64)
    return Scores(
        "linear",
        len(targets),
        {
            "R²": float(explained.mean()),
            "Spearman": float(np.mean(ranks)),
            "mean absolute error": float(errors.mean()),
            "root mean squared error": float(np.sqrt((errors**2).mean())),
        },
        tuple(rows),
        points=np.column_stack([wanted[chosen, 0], outputs[chosen, 0]]),
    )
