"""Logistic regression by L-BFGS, in blocks of rows: softmax, or a sigmoid for each label.

The objective is that of scikit-learn's `LogisticRegression`: C times the sum of the losses, plus
half the squared weights; the bias is free. It is divided by C and the sum of the sample weights,
so that the tolerance has one meaning for all C. The tolerance is loose: held-out texts are
predicted as well as by the minimum. scikit-learn holds all logits of all texts in
float64; here float32 blocks of them are in memory at a time, so that a million texts of 200
labels take no more than some thousand. L-BFGS keeps 10 pairs of vectors of the layer's size.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from .linear import Linear, blocks
from .targets import Targets


class Weights(NamedTuple):
    """How many times texts and labels count.

    Attributes:
        texts: (N,) float32; None: each text once.
        positive: (K,) float32, for the kind sigmoid: how many times a text counts for a label that
            it has; None: once.
    """

    texts: NDArray[np.float32] | None = None
    positive: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.int64]) -> Weights:
        """Select the weights of some texts."""
        return self if self.texts is None else self._replace(texts=self.texts[rows])


_ITERATIONS = 300
_TOLERANCE = 1e-2  # the largest slope of a weight, times the number of labels
_LOOSEST = 1e-3


def fit_logistic(
    vectors: Any,  # noqa: ANN401 - an array or a sparse matrix
    targets: Targets,
    strength: float,
    *,
    weights: Weights | None = None,
    start: Linear | None = None,
) -> Linear:
    """Fit a layer.

    Args:
        vectors: (N, D) float32, dense or sparse.
        targets: N targets of the kind softmax or sigmoid.
        strength: C, the inverse of the regularization.
        weights: How many times texts and labels count; None: once.
        start: The layer to start from; None: zeros.

    Returns:
        The layer, (K, D) and (K,).
    """
    count, width = vectors.shape
    classes = len(targets.labels)
    weights = weights or Weights()
    total = float(count if weights.texts is None else weights.texts.sum(dtype=np.float64))
    penalty = 1.0 / (strength * total)

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        layer = _layer(flat, classes, width)
        loss = 0.0
        slope = np.zeros((classes, width + 1), np.float64)
        for part in blocks(count, classes):
            block = vectors[part]
            logits = np.asarray(block @ layer.weights.T + layer.bias)
            losses, error = _losses(logits, targets, part, weights)
            loss += losses
            slope[:, :-1] += error.T @ block
            slope[:, -1] += error.sum(axis=0, dtype=np.float64)
        slope /= total
        slope[:, :-1] += penalty * flat.reshape(classes, width + 1)[:, :-1]
        squares = float((flat.reshape(classes, width + 1)[:, :-1] ** 2).sum())
        return loss / total + penalty / 2 * squares, slope.ravel()

    first = np.zeros((classes, width + 1), np.float64)
    if start is not None:
        first[:, :-1], first[:, -1] = start.weights, start.bias
    solved = minimize(
        objective,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _ITERATIONS, "gtol": min(_LOOSEST, _TOLERANCE / classes), "ftol": 1e-9},
    )
    return _layer(solved.x, classes, width)


def _layer(flat: NDArray[np.float64], classes: int, width: int) -> Linear:
    matrix = flat.reshape(classes, width + 1).astype(np.float32)
    return Linear(np.ascontiguousarray(matrix[:, :-1]), matrix[:, -1].copy())


def _losses(
    logits: NDArray[np.float32],
    targets: Targets,
    part: slice,
    weights: Weights,
) -> tuple[float, NDArray[np.float32]]:
    """Return the sum of the losses, and their slopes (n, K); the logits are overwritten."""
    if targets.kind == "softmax":
        columns = targets.dense(part)
        rows = np.arange(len(logits))
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[rows, columns]
        np.exp(logits, out=logits)
        sums = logits.sum(axis=1, keepdims=True)
        losses = np.log(sums[:, 0]) - right
        logits /= sums
        logits[rows, columns] -= 1
    else:
        wanted = targets.dense(part).astype(np.float32)
        each = np.logaddexp(0, logits) - wanted * logits
        logits = expit(logits) - wanted
        if weights.positive is not None:
            factors = 1 + (weights.positive - 1) * wanted
            each *= factors
            logits *= factors
        losses = each.sum(axis=1)
    if weights.texts is not None:
        losses = losses * weights.texts[part]
        logits *= weights.texts[part, None]
    return float(losses.sum(dtype=np.float64)), logits
