"""The row shape of a fitted table: defaults, limits, and its dependence on the amount of text.

Measurements: docs/benchmarks/research/fit.md, "Text on top of generated sequences".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .knobs import refuse

if TYPE_CHECKING:
    from .recipe import Recipe

GENERATED_SHAPE = (1.5, 0.1)
TEXT_SHAPE = (1.0, 0.0)
"""Length power and whitening of a table fitted to generated sequences alone, or to text alone."""


def check_shape(length_power: float | None, whiten: float | None) -> None:
    """Check the arguments of `with_length_power` and `whitened`; None is valid.

    Raises:
        RecipeError: A value is out of range.
    """
    if length_power is not None and not 0.0 < length_power <= 4.0:
        refuse("length_power", "a number above 0 and at most 4", length_power)
    if whiten is not None and not 0.0 <= whiten <= 0.5:
        refuse("whiten", "a number from 0 to 0.5", whiten)


def row_shape(share: float) -> tuple[float, float]:
    """Return the length power and whitening for a mix of text and generated sequences.

    Args:
        share: The share of text, from 0 (sequences alone) to 1 (text alone).

    Example:
        >>> row_shape(0.5)
        (1.25, 0.05)
    """
    mixed = (1.0 - share) * np.array(GENERATED_SHAPE) + share * np.array(TEXT_SHAPE)
    power, whiten = mixed.round(4).tolist()
    return power, whiten


def settled(recipe: Recipe, share: float) -> Recipe:
    """Return the recipe with values for the knobs whose default depends on the amount of text.

    Args:
        recipe: A resolved recipe.
        share: The weight of `text` as a share of the weight of all texts, before any budget.
    """
    if not recipe.text:
        return recipe
    power, whiten = row_shape(share)
    return replace(
        recipe,
        length_power=power if recipe.length_power is None else recipe.length_power,
        whiten=whiten if recipe.whiten is None else recipe.whiten,
    )
