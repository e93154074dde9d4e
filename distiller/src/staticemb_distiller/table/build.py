"""From token vectors to the tensors of a file: rotate, weigh, merge rows, round.

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
    """A static model's numbers before they are rounded.

    Attributes:
        rows: One row for each token, without its weight, float32, shape (V, D).
        weights: Each token's factor, float64, shape (V,).
        variances: The variance along each dimension, those that were cut off included; shape (>=
            D,).
    """

    rows: NDArray[np.float32]
    weights: NDArray[np.float64]
    variances: NDArray[np.float64]

    def weighted(self, tokens: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """The rows of some tokens times their weights, float64, shape (N, D)."""
        weighted: NDArray[np.float64] = self.rows[tokens] * self.weights[tokens, None]
        return weighted


def classical_table(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], recipe: Recipe
) -> Table:
    """Principal components of the tokens' vectors, and the tokens' weights: Model2Vec's table.

    Args:
        vectors: One vector for each token, shape (V, H).
        weights: One factor for each token, shape (V,).
        recipe: Its knob `dims`.

    Returns:
        The table of V rows.

    Raises:
        TableError: More dimensions asked for than the vectors or their number allow.
    """
    if recipe.dims == "none":
        return Table(vectors, weights, vectors.var(axis=0, dtype=np.float64))
    rotation = rotate.principal_components(vectors, recipe.dims)
    return Table(rotation.apply(vectors), weights, rotation.variances)


def fitted_table(fitted: Fitted, recipe: Recipe) -> Table:
    """Fitted rows along the axes on which the vectors of texts have most of their length.

    A row's length is its weight, so that rows which are merged, or rounded with their weights kept
    apart, differ in direction alone.

    Args:
        fitted: Rows of shape (V, H), and vectors to rotate by.
        recipe: Its knob `dims`.

    Returns:
        The table of V rows.

    Raises:
        TableError: More dimensions asked for than the rows or the vectors' number allow.
    """
    if recipe.dims == "none":
        rows, variances = fitted.rows, np.mean(np.square(fitted.vectors, dtype=np.float64), axis=0)
    else:
        rotation = rotate.second_moment_axes(fitted.vectors, recipe.dims)
        rows, variances = rotation.apply(fitted.rows), rotation.variances
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    lengths[lengths == 0.0] = 1.0
    return Table((rows / lengths[:, None]).astype(np.float32), lengths, variances)


def token_weights(
    tokens: int, counts: NDArray[np.int64] | None, recipe: Recipe
) -> NDArray[np.float64]:
    """Each token's weight by the recipe's knobs `weighting` and `sif_coefficient`.

    Args:
        tokens: How many tokens there are, V.
        counts: How often each was counted, shape (V,), for weighting by counts.
        recipe: The knobs.

    Returns:
        Shape (V,).

    Raises:
        TableError: Nothing was counted.
    """
    if recipe.weighting == "none":
        return np.ones(tokens)
    assert recipe.sif_coefficient is not None  # resolved
    if counts is None:
        return zipf.sif_weights(zipf.rank_probabilities(tokens), recipe.sif_coefficient)
    return zipf.sif_weights(zipf.count_probabilities(counts), recipe.sif_coefficient)


def prefixes(table: Table, recipe: Recipe) -> tuple[int, ...]:
    """The prefix lengths to recommend, the full length last.

    Raises:
        TableError: The recipe names a prefix longer than the table's rows.
    """
    width = table.rows.shape[1]
    if recipe.prefixes:
        check_prefixes(recipe.prefixes, width)
        return tuple(sorted({*recipe.prefixes, width}))
    return (width,) if recipe.dims == "none" else rotate.prefix_ladder(width)


def check_prefixes(lengths: Sequence[int], width: int) -> None:
    """Make sure that ascending prefix lengths are at most as long as rows.

    Raises:
        TableError: The last is longer.
    """
    if lengths and lengths[-1] > width:
        raise TableError(f"prefixes: expected lengths of at most {width}, found {lengths[-1]}")


def to_parts(table: Table, tokenizer: bytes, recipe: Recipe) -> Parts:
    """Round a table as the recipe wants it stored.

    Merged rows cannot hold the weights of all their tokens, so these are then stored beside them.

    Args:
        table: V rows.
        tokenizer: The tokenizer's JSON.
        recipe: Its knobs `clusters`, `store_weights`, `dtype`, `clip`, `coarse_step` and
            `normalize`.

    Returns:
        What `write` takes.

    Raises:
        TableError: The table cannot be stored so.
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
            # Only a length of one hides the lift; otherwise the weights take it back.
            lifted = np.ones(len(table.rows)) if weights is None else weights
            weights = np.ldexp(lifted, -exponent)
    return Parts(
        embeddings=embeddings,
        tokenizer=tokenizer,
        scale=scale,
        weights=None if weights is None else weights.astype(np.float32),
        rows=token_rows,
    )


def lost_rows(table: Table, parts: Parts) -> int:
    """How many rows that were not zero became zero by rounding.

    Args:
        table: The table before.
        parts: What `to_parts` made of it.
    """
    if parts.rows is not None:
        return 0
    return int(np.count_nonzero(table.rows.any(axis=1) & ~parts.embeddings.any(axis=1)))
