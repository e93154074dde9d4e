"""The start of a training, all its rows shaped alike before the first step."""

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
    """The start with its rows' lengths and directions as the recipe wants them.

    Args:
        start: A table of V rows.
        examples: Those to train on; their texts say which directions are in use.
        recipe: Its knobs `length_power`, `whiten` and `seed`.

    Returns:
        The same start if both knobs leave the rows as they are.
    """
    rows = shaped(
        start.rows,
        recipe.length_power,
        recipe.whiten,
        lambda rows: sampled_vectors(Bag(rows, damping=start.damping), examples, recipe.seed),
    )
    return start if rows is start.rows else replace(start, rows=rows)


def sampled_vectors(bag: Bag, examples: Dataset, seed: int) -> NDArray[np.float32]:
    """(n, D) pooled vectors of texts of the examples, at most 50,000 drawn by the seed."""
    named = examples.named()
    if len(named) > _SAMPLE:
        named = np.sort(np.random.default_rng(seed).choice(named, _SAMPLE, replace=False))
    return text_vectors(bag, examples.texts, named).numpy()
