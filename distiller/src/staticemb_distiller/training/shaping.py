"""Shaping of a start: all rows change by the same rule before the first step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..fitting.row_shape import shaped
from .bag import Bag
from .ranking import text_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset
    from .recipe import TrainingRecipe
    from .start import Start

_SAMPLE = 50_000  # texts


def shaped_start(start: Start, examples: Dataset, recipe: TrainingRecipe) -> Start:
    """Adjust the lengths and directions of a start's rows by the recipe.

    Args:
        start: A table of V rows.
        examples: The training examples; whitening uses the directions of their texts.
        recipe: The knobs `length_power`, `whiten` and `seed`.

    Returns:
        The shaped start; the same object if both knobs leave the rows unchanged.
    """
    rows, _ = shaped(
        start.rows,
        recipe.length_power,
        recipe.whiten,
        lambda rows: sampled_vectors(Bag(rows, damping=start.damping), examples, recipe.seed),
    )
    return start if rows is start.rows else replace(start, rows=rows, file=None)


def sampled_vectors(bag: Bag, examples: Dataset, seed: int) -> NDArray[np.float32]:
    """Return (n, D) pooled vectors of the examples' texts, a random sample of at most 50,000."""
    named = examples.named()
    if len(named) > _SAMPLE:
        named = np.sort(np.random.default_rng(seed).choice(named, _SAMPLE, replace=False))
    return text_vectors(bag, examples.texts, named).numpy()
