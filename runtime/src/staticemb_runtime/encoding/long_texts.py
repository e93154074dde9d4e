"""Pool one text by pieces: a long text, or a text whose numbers are extreme for float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .sums import add, einsum, integer_sums, weighted_sums
from .table import inverse_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .table import EmbeddingTable, Floats, Gather, Rows

PIECE: Final = 1024  # tokens


class Parameters(NamedTuple):
    """The checked parameters of pooling.

    Attributes:
        beta: the damping; 0 gives the plain mean.
        dims: the number of first columns in the cosine.
        prefix: the number of first columns to return.
        unit: whether to normalize the vectors.
    """

    beta: float
    dims: int
    prefix: int
    unit: bool

    @property
    def columns(self) -> int:
        """The number of first columns that pooling reads."""
        return max(self.prefix, self.dims) if self.beta else self.prefix


def pool_pieces(
    table: EmbeddingTable,
    ids: NDArray[np.integer[Any]],
    parameters: Parameters,
    gather: Gather,
    *,
    in_float64: bool = False,
) -> Floats:
    """Pool one text. Each piece is summed in float32, and all pieces together in float64.

    Args:
        table: the table.
        ids: (n,) the token ids, at least one.
        parameters: the parameters.
        gather: a buffer for the rows of a piece.
        in_float64: whether the sums of pieces are in float64, too.

    Returns:
        (prefix,) float32.
    """
    beta, dims, prefix, unit = parameters
    pieces = [ids[at : at + PIECE] for at in range(0, len(ids), PIECE)]
    sums = np.zeros(dims if beta else prefix)
    for piece in pieces:
        sums += _plain_sums(table, piece, len(sums), gather, in_float64)
    total: Any = len(ids)
    if beta:
        scale = table.relative_scale[:dims]
        mean = sums * scale
        length = np.sqrt(add(mean * mean))
        direction = mean * scale * (-beta / length if length else 0.0)
        inverse = table.inverse_lengths(dims)
        inverse.compute(ids)
        sums, total = np.zeros(prefix), 0.0
        for piece in pieces:
            rows = gather.floats(piece)
            rows = rows.astype(np.float64) if in_float64 else rows
            damping = einsum("sd,d->s", rows[:, :dims], direction.astype(rows.dtype))
            if in_float64:
                damping *= inverse_lengths(table, piece, rows[:, :dims])
            else:
                damping *= inverse.values.take(piece)
            np.exp(damping, damping)
            total += damping.sum(dtype=np.float64)
            if table.weights is not None:
                damping *= table.weights.take(piece)
            sums += weighted_sums(rows[:, :prefix], damping)
        if not in_float64 and not np.isfinite(sums).all():
            return pool_pieces(table, ids, parameters, gather, in_float64=True)
    if table.scale is not None:
        sums *= table.scale[:prefix]
    if unit:
        total = np.sqrt(add(sums * sums)) or 1.0
    vector: Floats = (sums / total).astype(np.float32)
    return vector


def _plain_sums(
    table: EmbeddingTable,
    piece: NDArray[np.integer[Any]],
    columns: int,
    gather: Gather,
    in_float64: bool,
) -> Rows:
    """Return the sums of a piece's weighted rows, (columns,)."""
    if table.sums_integers:
        return integer_sums(gather.stored(piece))[:columns]
    rows = gather.floats(piece)[:, :columns]
    weights = None if table.weights is None else table.weights.take(piece)
    return weighted_sums(rows.astype(np.float64) if in_float64 else rows, weights)
