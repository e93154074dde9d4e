"""The tensors of a file, made from token vectors: rotate, weight, merge rows, round.

token vectors -> rotation -> weights -> clusters -> number format
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import TableError
from . import quantization as quantize
from . import rotation as rotate
from . import weights as zipf
from .parts import Parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ..fitting.fit_texts import Fitted
    from ..recipe.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Table:
    """A static model's table before rounding.

    Attributes:
        rows: (V, D) float32, the tokens' rows, without weights.
        weights: (V,) float64, the tokens' weights.
        variances: (H,) the variance along each dimension, including dropped dimensions, without
            kernel columns.
        projection: (H, D) float32, the matrix from the vectors that the table was made from to its
            rows.
        offset: (H,) float32, subtracted from those vectors, scaled to unit length, first; None:
            zeros.
    """

    rows: NDArray[np.float32]
    weights: NDArray[np.float64]
    variances: NDArray[np.float64]
    projection: NDArray[np.float32]
    offset: NDArray[np.float32] | None = None

    def weighted(self, tokens: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Return the rows of tokens times their weights, float64, shape (N, D)."""
        weighted: NDArray[np.float64] = self.rows[tokens] * self.weights[tokens, None]
        return weighted


def classical_table(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], recipe: Recipe
) -> Table:
    """Make Model2Vec's table: principal components of the token vectors, and token weights.

    Args:
        vectors: (V, H) token vectors.
        weights: (V,) token weights.
        recipe: The knob `dims`.

    Returns:
        The table of V rows.

    Raises:
        TableError: The recipe asks for more dimensions than H or V allow.
    """
    if recipe.dims == "none":
        variances = vectors.var(axis=0, dtype=np.float64)
        return Table(vectors, weights, variances, np.eye(vectors.shape[1], dtype=np.float32))
    rotation = rotate.principal_components(vectors, recipe.dims)
    length = float(np.sqrt(np.square(vectors, dtype=np.float64).sum() / len(vectors)))
    return Table(
        rotation.apply(vectors),
        weights,
        rotation.variances,
        rotation.axes.astype(np.float32),
        (rotation.origin / length).astype(np.float32),
    )


def fitted_table(fitted: Fitted, recipe: Recipe) -> Table:
    """Make a table from fitted rows, rotated to the second-moment axes of texts and tokens.

    A row's length becomes its weight. So rows that are merged, or rounded with separate weights,
    are unit vectors.

    Args:
        fitted: (V, H) rows, and vectors to rotate by.
        recipe: The knob `dims`.

    Returns:
        The table of V rows.

    Raises:
        TableError: The recipe asks for more dimensions than H or the number of vectors allow.
    """
    whitening, projection = fitted.whitening, np.eye(fitted.rows.shape[1], dtype=np.float32)
    if recipe.dims == "none":
        rows, variances = fitted.rows, np.mean(np.square(fitted.vectors, dtype=np.float64), axis=0)
    else:
        rotation = rotate.second_moment_axes(fitted.vectors, recipe.dims)
        rows, variances = rotation.apply(fitted.rows), rotation.variances
        projection = rotation.axes.astype(np.float32)
    if whitening is not None:
        projection = whitening @ projection
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    lengths[lengths == 0.0] = 1.0
    unit_rows = (rows / lengths[:, None]).astype(np.float32)
    return Table(unit_rows, lengths, variances, projection, fitted.offset)


def token_weights(
    tokens: int, counts: NDArray[np.int64] | None, recipe: Recipe
) -> NDArray[np.float64]:
    """Compute token weights by the recipe's knobs `weighting` and `sif_coefficient`.

    Args:
        tokens: The number of tokens, V.
        counts: (V,) the tokens' counts, for weighting by counts.
        recipe: The knobs.

    Returns:
        (V,) weights.

    Raises:
        TableError: All counts are 0.
    """
    if recipe.weighting == "none":
        return np.ones(tokens)
    assert recipe.sif_coefficient is not None  # resolved
    if counts is None:
        return zipf.sif_weights(zipf.rank_probabilities(tokens), recipe.sif_coefficient)
    return zipf.sif_weights(zipf.count_probabilities(counts), recipe.sif_coefficient)


def prefixes(table: Table, recipe: Recipe) -> tuple[int, ...]:
    """Return the prefix lengths to recommend, the full length last.

    Raises:
        TableError: A prefix of the recipe is longer than the table's rows.
    """
    width = table.rows.shape[1]
    if recipe.prefixes:
        check_prefixes(recipe.prefixes, width)
        return tuple(sorted({*recipe.prefixes, width}))
    ladder = () if recipe.dims == "none" else rotate.prefix_ladder(width)
    return tuple(sorted({*ladder, width - recipe.kernel_dims, width}))


def check_prefixes(lengths: Sequence[int], width: int) -> None:
    """Check that ascending prefix lengths are at most the length of rows.

    Raises:
        TableError: A prefix is longer.
    """
    if lengths and lengths[-1] > width:
        raise TableError(f"prefixes: expected lengths of at most {width}, found {lengths[-1]}")


def to_parts(table: Table, tokenizer: bytes, recipe: Recipe) -> Parts:
    """Convert a table to the recipe's number format.

    A merged row has no single weight, so the weights of merged rows are stored separately.

    Args:
        table: The table of V rows.
        tokenizer: The tokenizer's JSON.
        recipe: The knobs `clusters`, `store_weights`, `dtype`, `clip`, `coarse_step` and
            `normalize`.

    Returns:
        The tensors for `write`.

    Raises:
        TableError: The table cannot be stored in this format.
    """
    token_rows: NDArray[Any] | None = None
    weights: NDArray[np.float64] | None = None
    if recipe.clusters is not None:
        rows, labels = quantize.cluster_rows(table.rows, recipe.clusters, seed=recipe.seed)
        token_rows = labels.astype(np.uint16 if len(rows) <= 1 << 16 else np.uint32)
        weights = table.weights
    elif recipe.store_weights and (table.weights != 1.0).any():
        rows, weights = table.rows, table.weights
    else:
        rows = table.rows * table.weights[:, None].astype(np.float32)

    embeddings: NDArray[Any] = rows
    scale: NDArray[np.float32] | None = None
    if recipe.dtype == "int8":
        embeddings, scale = quantize.to_int8(rows, clip=recipe.clip, step=recipe.coarse_step)
    elif recipe.dtype == "float16":
        embeddings, exponent = quantize.to_float16(rows)
        if exponent and not recipe.normalize:
            # Normalization cancels the factor 2**exponent; without it the weights must.
            factors = np.ones(len(table.rows)) if weights is None else weights
            weights = np.ldexp(factors, -exponent)
    return Parts(
        embeddings=embeddings,
        tokenizer=tokenizer,
        scale=scale,
        weights=None if weights is None else weights.astype(np.float32),
        rows=token_rows,
    )


def lost_rows(table: Table, parts: Parts) -> int:
    """Count the nonzero rows that rounding made zero.

    Args:
        table: The table before rounding.
        parts: The output of `to_parts`.
    """
    if parts.rows is not None:
        return 0
    return int(np.count_nonzero(table.rows.any(axis=1) & ~parts.embeddings.any(axis=1)))
