"""What is done to all rows alike before training: what no pair can teach a token it does not hold.

Row lengths are raised to a power, and the directions that texts use most are softly evened out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .bag import Bag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset
    from .recipe import TrainingRecipe
    from .start import Start

_SAMPLE = 50_000  # texts
_BLOCK = 8_192


def shaped(start: Start, examples: Dataset, recipe: TrainingRecipe) -> Start:
    """The start with its rows' lengths and directions as the recipe wants them.

    Args:
        start: A table of V rows.
        examples: Those to train on; their texts say which directions are in use.
        recipe: Its knobs `length_power`, `whiten` and `seed`.

    Returns:
        The same start if both knobs leave the rows as they are.
    """
    rows = start.rows
    if recipe.length_power != 1.0:
        rows = with_length_power(rows, recipe.length_power)
    if recipe.whiten > 0.0:
        texts = text_vectors(Bag(rows, damping=start.damping), examples, recipe.seed)
        rows = whitened(rows, texts, recipe.whiten)
    return start if rows is start.rows else replace(start, rows=rows)


def with_length_power(rows: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Raise the lengths of rows to a power, and keep their directions.

    A row's length is its token's weight: above 1, rare tokens count more beside frequent ones.

    Args:
        rows: (V, D).
        power: 1 leaves them as they are.

    Returns:
        (V, D), of the same median length; rows of zeros stay zeros.

    Example:
        >>> with_length_power(np.array([[0, 1], [2, 0], [0, 4]], np.float32), 2.0)
        array([[0. , 0.5],
               [2. , 0. ],
               [0. , 8. ]], dtype=float32)
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    used = lengths > 0
    if not used.any():
        return rows
    factors = np.power(lengths / np.median(lengths[used]), power - 1.0, where=used, out=lengths * 0)
    return np.asarray(rows * factors, np.float32)


def whitened(
    rows: NDArray[np.float32], texts: NDArray[np.float32], exponent: float
) -> NDArray[np.float32]:
    """Multiply rows by a negative power of the second-moment matrix of texts.

    The directions that all texts share shrink, the others grow; axes stay about where they are, as
    the matrix is symmetric. One half is whitening whole (in its ZCA form), less is softer (Su et
    al. 2021 whiten whole, which costs static tables what they know of similarity). Each axis
    counts as one more text, so that few texts do little.

    Args:
        rows: (V, D).
        texts: (n, D) vectors of texts; those of length zero do not count.
        exponent: From 0, as they are, to 0.5.

    Returns:
        (V, D).

    Example:
        >>> rows = np.array([[1, 0], [0, 1]], np.float32)
        >>> whitened(rows, np.array([[1, 0], [2, 0], [3, 0]], np.float32), 0.5).round(3)
        array([[0.791, 0.   ],
               [0.   , 1.581]], dtype=float32)
    """
    lengths = np.linalg.norm(texts, axis=1)
    unit = (texts[lengths > 0] / lengths[lengths > 0, None]).astype(np.float64)
    moments = unit.T @ unit + np.eye(rows.shape[1])
    variances, axes = np.linalg.eigh(moments)
    # Eigenvalues are at least 1 but for rounding: of texts nothing is taken away.
    powers = (variances / variances.mean()) ** -exponent
    return np.asarray(rows @ ((axes * powers) @ axes.T).astype(np.float32), np.float32)


def text_vectors(bag: Bag, examples: Dataset, seed: int) -> NDArray[np.float32]:
    """(n, D) pooled vectors of texts of the examples, at most 50,000 drawn by the seed."""
    named = np.unique(np.concatenate([part.columns.ravel() for part in examples.examples]))
    if len(named) > _SAMPLE:
        named = np.sort(np.random.default_rng(seed).choice(named, _SAMPLE, replace=False))
    vectors = [
        bag.vectors(*examples.texts.take(named[first : first + _BLOCK].astype(np.int64))).numpy()
        for first in range(0, len(named), _BLOCK)
    ]
    return np.concatenate(vectors)
