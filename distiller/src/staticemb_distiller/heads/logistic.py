"""Logistic regression by L-BFGS, in blocks of rows: softmax, or a sigmoid for each label.

The objective is as in scikit-learn's `LogisticRegression`: C times the sum of the losses, plus
half the squared weights; the bias is free. It is divided by C and the sum of the sample weights,
so that the tolerance has one meaning for all C. The tolerance is loose: held-out texts are
predicted as well as by the minimum. scikit-learn holds all logits of all texts in
float64; here float32 blocks of them are in memory at a time, so that a million texts of 200
labels take no more than some thousand. L-BFGS keeps 3 to 10 pairs of vectors of the layer's size.

The steps are taken in weights that are divided by a scale for each dimension. Dimensions differ in
variance a hundredfold, and so would the curvature; with the scale, half as many steps suffice.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from .linear import Linear
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
_TOLERANCE = 1e-4  # of the loss: the fall in one step with which it ends
_SLOPE = 1e-5  # of a scaled weight, with which it ends as well
_CONFIDENCE = 0.2  # of p (1 - p) under equal chances of all labels: what is left in the end
_LOGITS = 1 << 17  # in a block: they stay in the cache of a core
_LEAST_ROWS = 256
_PAIRS = 10  # of vectors that L-BFGS keeps
_LEAST_PAIRS = 3
_MOST_KEPT = 40_000_000  # numbers in the pairs
_SAMPLED = 10_000  # rows that the scale is taken from


def fit_logistic(
    vectors: Any,  # noqa: ANN401 - an array or a sparse matrix
    targets: Targets,
    strength: float,
    *,
    weights: Weights | None = None,
    start: Linear | None = None,
    threads: int = 1,
) -> Linear:
    """Fit a layer.

    Args:
        vectors: (N, D) float32, dense or sparse.
        targets: N targets of the kind softmax or sigmoid.
        strength: C, the inverse of the regularization.
        weights: How many times texts and labels count; None: once.
        start: The layer to start from; None: zeros.
        threads: How many threads share the rows; BLAS should have one thread in each.

    Returns:
        The layer, (K, D) and (K,).
    """
    count, width = vectors.shape
    classes = len(targets.labels)
    weights = weights or Weights()
    total = float(count if weights.texts is None else weights.texts.sum(dtype=np.float64))
    penalty = 1.0 / (strength * total)
    rows = max(_LEAST_ROWS, _LOGITS // classes)
    scale = _scale(vectors, classes, penalty)

    def summed(part: range, layer: Linear) -> tuple[float, NDArray[np.float64]]:
        """Return the loss of some rows and its slope, block by block."""
        transposed = np.ascontiguousarray(layer.weights.T)
        loss = 0.0
        slope = np.zeros((classes, width + 1), np.float64)
        for first in range(part.start, part.stop, rows):
            taken = slice(first, min(first + rows, part.stop))
            block = vectors[taken]
            logits = np.asarray(block @ transposed)
            logits += layer.bias
            losses, error = loss_and_slope(logits, targets, taken, weights)
            loss += losses
            slope[:, :-1] += error.T @ block
            slope[:, -1] += error.sum(axis=0)
        return loss, slope

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weighted = flat.reshape(classes, width + 1) * scale
        layer = _layer(weighted)
        if pool is None:
            loss, slope = summed(range(count), layer)
        else:
            sums = list(pool.map(lambda part: summed(part, layer), parts))
            loss, slope = sum(part_loss for part_loss, _ in sums), sums[0][1]
            for _, other in sums[1:]:
                slope += other
        slope /= total
        slope[:, :-1] += penalty * weighted[:, :-1]
        slope *= scale
        squares = float(np.square(weighted[:, :-1]).sum())
        return loss / total + penalty / 2 * squares, slope.ravel()

    first = np.zeros((classes, width + 1), np.float64)
    if start is not None:
        first[:, :-1], first[:, -1] = start.weights, start.bias
        first /= scale
    bounds = np.linspace(0, count, threads + 1).astype(int).tolist()
    parts = list(map(range, bounds[:-1], bounds[1:]))
    with contextlib.ExitStack() as stack:
        # A thread has its own rows, and its products take one thread: those of BLAS would wait
        # for each other in each block.
        pool = stack.enter_context(ThreadPoolExecutor(threads)) if threads > 1 else None
        solved = minimize(
            objective,
            first.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": _ITERATIONS,
                "gtol": _SLOPE,
                "ftol": _TOLERANCE,
                "maxcor": min(_PAIRS, max(_LEAST_PAIRS, _MOST_KEPT // first.size)),
            },
        )
    return _layer(solved.x.reshape(classes, width + 1) * scale)


def _scale(vectors: Any, classes: int, penalty: float) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the factors (D + 1,) of weights and bias under which the curvature is about 1.

    The curvature in a weight is about p (1 - p) times the mean square of its dimension, plus the
    penalty.
    """
    chance = max(1 / max(classes, 2), 1e-4)
    curvature = _CONFIDENCE * chance * (1 - chance)
    squares = np.ones(vectors.shape[1] + 1)
    squares[:-1] = _mean_squares(vectors)
    squares *= curvature
    squares[:-1] += penalty
    return np.asarray(1 / np.sqrt(np.maximum(squares, 1e-30)))


def _mean_squares(vectors: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the mean square of each column of N rows, dense or sparse, from some thousand."""
    block = vectors[:: max(1, vectors.shape[0] // _SAMPLED)]
    squared = block.multiply(block) if hasattr(block, "multiply") else np.square(block)
    return np.asarray(squared.mean(axis=0), np.float64).ravel()


def _layer(matrix: NDArray[np.float64]) -> Linear:
    return Linear(
        np.ascontiguousarray(matrix[:, :-1], np.float32), matrix[:, -1].astype(np.float32)
    )


def loss_and_slope(
    logits: NDArray[np.float32],
    targets: Targets,
    part: slice,
    weights: Weights,
) -> tuple[float, NDArray[np.float32]]:
    """Return the sum of the losses of some texts, and their slopes (n, K).

    The loss of numbers is half of the squared error.

    Args:
        logits: (n, K), which are overwritten.
        targets: The targets of all texts.
        part: Which of them the n texts are.
        weights: How many times texts and labels count.
    """
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
    elif targets.kind == "linear":
        logits -= targets.values[part]
        losses = np.square(logits).sum(axis=1) / 2
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
