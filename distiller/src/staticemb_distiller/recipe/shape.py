"""The row shape and damping of a fitted table: presets, limits, and the mix with the user's text.

Measurements: docs/benchmarks/research/presets.md, and docs/benchmarks/research/fit.md, "Text on top
of generated sequences".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from .knobs import refuse

if TYPE_CHECKING:
    from .recipe import Recipe

Purpose = Literal["similarity", "search"]


@dataclass(frozen=True)
class Preset:
    """The defaults of the knobs that depend on what a table is for.

    Attributes:
        generated: Length power and whitening of a table fitted to generated sequences alone.
        text: Length power and whitening of a table fitted to text alone.
        damping_beta: The strength of damping.
    """

    generated: tuple[float, float]
    text: tuple[float, float]
    damping_beta: float


PRESETS: dict[Purpose | None, Preset] = {
    None: Preset(generated=(1.5, 0.1), text=(1.0, 0.0), damping_beta=1.0),
    "similarity": Preset(generated=(1.25, 0.1), text=(1.25, 0.1), damping_beta=0.75),
    "search": Preset(generated=(1.5, 0.2), text=(1.5, 0.2), damping_beta=1.25),
}
"""The presets by purpose; None: for both alike."""

PRESET_KNOBS = ("length_power", "whiten", "damping_beta")
"""The knobs whose defaults depend on the purpose."""


def check_shape(length_power: float | None, whiten: float | None) -> None:
    """Check the arguments of `with_length_power` and `whitened`; None is valid.

    Raises:
        RecipeError: A value is out of range.
    """
    if length_power is not None and not 0.0 < length_power <= 4.0:
        refuse("length_power", "a number above 0 and at most 4", length_power)
    if whiten is not None and not 0.0 <= whiten <= 0.5:
        refuse("whiten", "a number from 0 to 0.5", whiten)


def row_shape(share: float, purpose: Purpose | None = None) -> tuple[float, float]:
    """Return the length power and whitening for a mix of text and generated sequences.

    Args:
        share: The share of text, from 0 (sequences alone) to 1 (text alone).
        purpose: What the table is for; None: for similarity and search alike.

    Example:
        >>> row_shape(0.5)
        (1.25, 0.05)
    """
    preset = PRESETS[purpose]
    mixed = (1.0 - share) * np.array(preset.generated) + share * np.array(preset.text)
    power, whiten = mixed.round(4).tolist()
    return power, whiten


def with_shape(recipe: Recipe, share: float) -> Recipe:
    """Return the recipe with `row_shape` where its shape is not given.

    Args:
        recipe: A recipe.
        share: The share of text, as in `row_shape`.
    """
    power, whiten = row_shape(share, recipe.purpose)
    return replace(
        recipe,
        length_power=power if recipe.length_power is None else recipe.length_power,
        whiten=whiten if recipe.whiten is None else recipe.whiten,
    )


def settled(recipe: Recipe, share: float) -> Recipe:
    """Return the recipe with values for the knobs whose default depends on the amount of text.

    Args:
        recipe: A resolved recipe.
        share: The weight of `text` as a share of the weight of all texts, before any budget.
    """
    return with_shape(recipe, share) if recipe.text else recipe
