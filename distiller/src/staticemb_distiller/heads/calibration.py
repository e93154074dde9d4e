"""Calibration: temperatures of logits, thresholds of labels, and how right probabilities are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from ..file.head import HeadKind
from .linear import blocks
from .targets import Targets

TEMPERATURES = (0.01, 100.0)
BINS = 10
_LEAST_POSITIVES = 10  # held-out texts of a label from which a threshold is chosen
_SPAN = (0.05, 0.95)  # thresholds beyond these follow from few texts

Logits = NDArray[np.float32]
Float64s = NDArray[np.float64]


def losses(
    logits: Logits, targets: Targets, temperature: float = 1.0, *, doubt: float = 0.0
) -> Float64s:
    """Return the negative log likelihood of each text, (N,): of its label, or of all its labels.

    A text with a label that the head does not know has the loss of the least likely label.

    Args:
        logits: (N, K).
        targets: N targets of the kind softmax or sigmoid.
        temperature: What the logits are divided by.
        doubt: The share of each target that is spread evenly over all labels.
    """
    result = np.empty(len(logits))
    for part in blocks(len(logits), logits.shape[1]):
        block = logits[part] / np.float32(temperature)
        wanted = targets.dense(part)
        if targets.kind == "softmax":
            block -= block.max(axis=1, keepdims=True)
            known = np.where(wanted >= 0, block[np.arange(len(block)), wanted], block.min(axis=1))
            average = block.mean(axis=1, dtype=np.float64)
            total = np.log(np.exp(block, out=block).sum(axis=1, dtype=np.float64))
            result[part] = total - (1 - doubt) * known - doubt * average
        else:
            wanted = ((1 - doubt) * wanted + doubt / 2).astype(np.float32)
            each = np.logaddexp(0, block) - wanted * block
            result[part] = each.mean(axis=1, dtype=np.float64)
    return result


def best_temperature(logits: Logits, targets: Targets) -> float:
    """Return the temperature under which held-out labels are most likely (Guo et al. 2017).

    Where all of few held-out texts are right, the likeliest probability of a label would be 1. So
    one text in N + 2 is taken to be wrong (the rule of succession, as in Platt 1999).
    """
    doubt = 1 / (len(logits) + 2)
    minimum = minimize_scalar(
        lambda exponent: float(
            losses(logits, targets, float(np.exp(exponent)), doubt=doubt).mean()
        ),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
        options={"xatol": 0.01},
    )
    return float(np.exp(minimum.x))


def probabilities(logits: Logits, kind: HeadKind, temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the probabilities (N, K) of logits."""
    scaled = logits / np.float32(temperature)
    return np.asarray(softmax(scaled, axis=1) if kind == "softmax" else expit(scaled), np.float32)


def best_thresholds(chances: NDArray[np.float32], targets: Targets) -> tuple[float, ...]:
    """Return for each label the probability above which F1 on held-out texts is best.

    A label with few texts keeps 0.5.

    Args:
        chances: (N, K) probabilities of held-out texts.
        targets: Their targets, of the kind sigmoid.
    """
    thresholds = []
    matrix = targets.values.tocsc()
    for column in range(chances.shape[1]):
        right = np.zeros(len(chances), bool)
        right[matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]]] = True
        if right.sum() < _LEAST_POSITIVES:
            thresholds.append(0.5)
            continue
        order = np.argsort(-chances[:, column], kind="stable")
        hits = np.cumsum(right[order])
        scores = 2 * hits / (np.arange(1, len(order) + 1) + right.sum())
        sorted_chances = chances[order, column]
        # A threshold lies between two different probabilities.
        scores[:-1][sorted_chances[:-1] == sorted_chances[1:]] = -1
        best = int(np.argmax(scores))
        below = sorted_chances[best + 1] if best + 1 < len(order) else 0.0
        middle = (float(sorted_chances[best]) + float(below)) / 2
        thresholds.append(round(float(np.clip(middle, *_SPAN)), 4))
    return tuple(thresholds)


class Reliability(NamedTuple):
    """Probabilities in bins of equal width.

    Attributes:
        counts: (B,) the number of predictions in each bin.
        confidence: (B,) their mean probability; 0 in an empty bin.
        right: (B,) the share of them that is right.
    """

    counts: NDArray[np.int64]
    confidence: Float64s
    right: Float64s

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of probability and share right."""
        total = max(int(self.counts.sum()), 1)
        return float((self.counts * np.abs(self.confidence - self.right)).sum() / total)


def reliability(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> Reliability:
    """Sort predictions (M,) and whether they are right (M,) into bins (Naeini et al. 2015).

    >>> reliability(np.array([0.9, 0.9], np.float32), np.array([True, False])).error
    0.4
    """
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    filled = np.maximum(counts, 1)
    mean = np.bincount(bins, np.round(confidence.astype(np.float64), 6), BINS) / filled
    return Reliability(counts, mean, np.bincount(bins, right.astype(np.float64), BINS) / filled)
