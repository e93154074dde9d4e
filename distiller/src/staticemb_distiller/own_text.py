"""Text of the user's own on top of generated sequences: the means made one, and the rows' shape.

The figures behind both: docs/benchmarks/research/fit.md, "Text on top of generated sequences".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .shape import GENERATED_SHAPE, TEXT_SHAPE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .recipe import Recipe


def row_shape(share: float) -> tuple[float, float]:
    """The length power and the whitening for a share of text beside generated sequences.

    Args:
        share: From 0, sequences alone, to 1, text alone; between them in proportion.

    Example:
        >>> row_shape(0.5)
        (1.25, 0.05)
    """
    mixed = (1.0 - share) * np.array(GENERATED_SHAPE) + share * np.array(TEXT_SHAPE)
    power, whiten = mixed.round(4).tolist()
    return power, whiten


def settled(recipe: Recipe, share: float) -> Recipe:
    """The same recipe with values for what depends on the amount of text.

    Args:
        recipe: Resolved.
        share: What its `text` weighs of all that it is fitted to, before any budget.
    """
    if not recipe.text:
        return recipe
    power, whiten = row_shape(share)
    return replace(
        recipe,
        length_power=power if recipe.length_power is None else recipe.length_power,
        whiten=whiten if recipe.whiten is None else recipe.whiten,
    )


def level_means(targets: NDArray[Any], own: NDArray[np.bool_]) -> None:
    """Move the vectors of one's own texts, in place, so that their mean is that of the others.

    A teacher's vectors of sequences without sense share a direction that those of sentences do not
    have. A table could tell the two kinds apart by their words alone, and would spend the rows of
    the commonest on it.

    Args:
        targets: (N, D) the teacher's vectors, float16 or float32.
        own: (N,) which are of one's own texts. Nothing moves if all are, or none.

    Example:
        >>> targets = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]], np.float32)
        >>> level_means(targets, np.array([True, True, False]))
        >>> targets
        array([[ 0.75,  0.25],
               [ 1.25, -0.25],
               [ 1.  ,  0.  ]], dtype=float32)
    """
    if own.any() and not own.all():
        others = targets[~own].mean(0, dtype=np.float64)
        shift = others - targets[own].mean(0, dtype=np.float64)
        targets[own] += shift.astype(targets.dtype)
