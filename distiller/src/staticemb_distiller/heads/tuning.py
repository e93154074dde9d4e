"""Tuning: table and head are fitted together by L-BFGS, held near the start; torch is not used.

A token's row moves by a displacement times its length at the start, and displacements are
regularized as the head's weights are: the objective is the frozen fit's plus their squares.
So rows of frequent tokens, which are short, move little, tokens that few texts have stay near the
start, and tokens that occur once stay there. The shares of damping are those of the start; the file
computes them from its own rows, and its vectors decide whether the fit is kept.

Two numbers are chosen on held-out texts: the strength, and the reach, a factor of displacements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from .bags import Bags, unit
from .choosing import held_out_loss
from .linear import Linear, outputs
from .logistic import Weights, loss_and_slope
from .targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = 30
_TOLERANCE = 1e-5
_PAIRS = 6  # of vectors that L-BFGS keeps
_MOST_MOVED = 16_000_000  # numbers in the rows that move: those of the most frequent tokens
_STRENGTH_STEP, _REACH_STEP = 10**0.5, 2.0
_REACH = 0.25
_MOST_STEPS = 4  # of each number to either side
_MOST_CHOOSING = 20_000  # texts

Float32s = NDArray[np.float32]


class TuningKnobs(NamedTuple):
    """What is chosen on held-out texts.

    Attributes:
        strength: C, the inverse of the regularization.
        reach: The length of a displacement of 1, relative to its row.
    """

    strength: float
    reach: float


class Tuned(NamedTuple):
    """A fit of table and head.

    Attributes:
        rows: (U, D) float32, the rows of the bags' tokens.
        layer: The layer for unit vectors less the mean.
    """

    rows: Float32s
    layer: Linear


def choose_knobs(
    bags: Bags,
    targets: Targets,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    layer: Linear,
    mean: Float32s,
    strength: float,
    *,
    seed: int,
    status: Callable[[str], object],
) -> TuningKnobs:
    """Choose strength and reach by the loss of held-out texts.

    Args:
        bags: N texts.
        targets: Their targets.
        train: The texts to fit to; many are sampled.
        held_out: The texts held out.
        layer: The layer of the frozen fit to the texts in `train`.
        mean: As for `tune`.
        strength: The strength of the frozen fit.
        seed: The seed of the sample.
        status: Shows what is tried.
    """
    if len(train) > _MOST_CHOOSING:
        train = np.sort(np.random.default_rng(seed).permutation(train)[:_MOST_CHOOSING])
    part, wanted = bags.take(train), targets.take(train)
    others, right = bags.take(held_out), targets.take(held_out)
    losses: dict[TuningKnobs, float] = {}

    def loss(knobs: TuningKnobs) -> float:
        if knobs not in losses:
            status(f"Tuning: strength {knobs.strength:.3g}, reach {knobs.reach:.3g}")
            tuned = tune(part, wanted, layer, mean, knobs)
            logits = outputs(tuned.layer, others.vectors(tuned.rows) - mean)
            losses[knobs] = held_out_loss(logits, right)
        return losses[knobs]

    best = TuningKnobs(strength / _STRENGTH_STEP, _REACH)
    for name, step in (("reach", _REACH_STEP), ("strength", 1 / _STRENGTH_STEP)):
        start = best
        for factor in (step, 1 / step):
            for _ in range(_MOST_STEPS):
                next_one = best._replace(**{name: getattr(best, name) * factor})
                if loss(next_one) >= loss(best):
                    break
                best = next_one
            if best != start:
                break
    return best


def tune(bags: Bags, targets: Targets, layer: Linear, mean: Float32s, knobs: TuningKnobs) -> Tuned:
    """Fit table and head.

    Args:
        bags: N texts.
        targets: Their targets.
        layer: The layer to start from.
        mean: (D,) what is subtracted from unit vectors before the layer.
        knobs: Strength and reach.
    """
    classes, width = layer.weights.shape
    head, count = classes * (width + 1), len(targets)
    moved = min(bags.repeated, _MOST_MOVED // width)
    sizes = np.float32(knobs.reach) * bags.lengths[:moved, None]
    penalty = 1.0 / (knobs.strength * count)
    # Numbers are fitted in units of their deviation, or the reach would depend on their scale.
    spread = np.ones(1)
    if targets.kind == "linear":
        spread = np.maximum(targets.values.std(axis=0), 1e-12)
        targets = Targets("linear", targets.labels, targets.values / spread)
    rows = bags.rows.copy()

    def split(flat: NDArray[np.float64]) -> Linear:
        """Set the rows, and return the layer."""
        rows[:moved] = bags.rows[:moved] + sizes * flat[head:].reshape(-1, width)
        matrix = flat[:head].reshape(classes, width + 1).astype(np.float32)
        return Linear(np.ascontiguousarray(matrix[:, :-1]), matrix[:, -1].copy())

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        now = split(flat)
        slope = np.zeros_like(flat)
        of_head = slope[:head].reshape(classes, width + 1)
        of_rows = np.zeros_like(bags.rows)
        loss = 0.0
        for part, shares in bags.blocks():
            vectors, lengths = unit(shares @ rows)
            inputs = vectors - mean
            logits = inputs @ now.weights.T + now.bias
            part_loss, error = loss_and_slope(logits, targets, part, Weights())
            loss += part_loss
            of_head[:, :-1] += error.T @ inputs
            of_head[:, -1] += error.sum(axis=0)
            # A unit vector does not change along itself.
            change = error @ now.weights
            change -= vectors * np.einsum("nd,nd->n", vectors, change)[:, None]
            of_rows += shares.T @ (change / lengths)
        slope[head:] = (of_rows[:moved] * sizes).ravel()
        slope /= count
        weights = flat.copy()
        weights[:head].reshape(classes, width + 1)[:, -1] = 0  # the bias is free
        slope += penalty * weights
        return loss / count + penalty / 2 * float(weights @ weights), slope

    first = np.zeros(head + moved * width)
    matrix = first[:head].reshape(classes, width + 1)
    matrix[:, :-1] = layer.weights / spread[:, None]
    matrix[:, -1] = layer.bias / spread
    solved = minimize(
        objective,
        first,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "ftol": _TOLERANCE, "gtol": 1e-7, "maxcor": _PAIRS},
    )
    fitted = split(solved.x)
    weights = fitted.weights * spread[:, None].astype(np.float32)
    return Tuned(rows, Linear(weights, fitted.bias * spread.astype(np.float32)))
