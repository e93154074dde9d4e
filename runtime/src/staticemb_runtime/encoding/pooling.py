"""Pool the token rows of each text into one vector (SPEC section 8, stages 4 to 7).

The design makes numpy fast and keeps a text's bits independent of the other texts:

- Texts of nearly equal length are summed together (see `blocks`). The rows of padding are set to 0
  after they are gathered.
- A block is gathered token by token, not text by text, into a buffer that stays in the cache: the
  sum over the first axis has long inner loops. Both passes of damping use the gathered rows.
- A text is summed token by token, in its own order, in float32. A text of more than 1,024 tokens is
  pooled alone, by pieces whose sums are added in float64.
- An int8 table without weights is summed in int16, which is exact for 256 tokens, and scaled
  afterward.
- One query, `Pooler.one`, takes the same steps as a block with as few calls of numpy as possible.
- Numbers whose squares are too small or too large for float32 are rare. A text with such numbers is
  computed once more in float64.

What was measured and did not pay, for 29,525 rows of 256 columns:

- `np.add.reduceat` over texts of any length: 4 to 9 times the time.
- BLAS, a matrix of counts times the distinct rows of 16 or 64 texts: twice the time for texts of 12
  or 50 tokens, 0.9 times for texts of 500 tokens in float32. Its bits depend on the neighbors.
- Sums of int8 in two 16-bit lanes by masks and shifts: 6 times the time of numpy's cast and sum.
- einsum of float32 factors and int8 rows: twice the time of a conversion and einsum.
- The mean of damping from int8 instead of the converted rows: no gain.
- Blocks of half and of twice the size: no gain; of four times: 1.2 times the time.
- Weights of 0 for padding instead of rows of 0: einsum takes 1.3 times the time of a sum.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .blocks import PaddedBlock, blocks
from .long_texts import PIECE, Parameters, pool_pieces
from .sums import add, einsum, integer_sums, weighted_sums
from .table import EmbeddingTable, Gather, as_floats, check_ids, gathered_columns
from .vectors import SAFE_SQUARES, check_dim, normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..format.metadata import Pooling
    from .table import Floats, Ints, Rows

_ROWS: Final = 1 << 20  # bytes of a block's elements that should stay in the cache
_SUMS: Final = 1 << 18  # elements of sums that should stay in the cache
# With several threads blocks are so many times larger. A thread that waits for the interpreter's
# lock takes as long to wake up as a small block takes: two threads then gain nothing.
_SHARED: Final = 4
_LEAST, _MOST = SAFE_SQUARES


def pool(
    table: EmbeddingTable,
    ids: NDArray[np.integer[Any]],
    lengths: NDArray[np.integer[Any]],
    *,
    pooling: Pooling = "mean",
    beta: float = 0.0,
    dims: int = 0,
    prefix: int | None = None,
    unit: bool = False,
) -> Floats:
    """Pool the rows of each text's tokens into one vector.

    The bits of a text's vector do not depend on the other texts in the call.

    Args:
        table: the table.
        ids: (N,) the concatenated token ids of all texts.
        lengths: (B,) the number of ids of each text; a text without tokens gets a zero vector.
        pooling: `mean`: the sum divided by the number of tokens; `damped_mean`: the mean weighted
            by exp(−beta · cosine of the token's row with the plain mean).
        beta: the damping; 0 gives the plain mean.
        dims: the number of first columns in the cosine; may exceed `prefix`.
        prefix: the number of first columns to return; None: all.
        unit: whether to normalize the vectors, as `vectors.normalize`.

    Returns:
        (B, prefix) float32.

    Raises:
        InvalidDimensionError: `prefix` is below 1 or above D.
        InvalidTokenIdError: an id is negative, or at least V.

    Example:
        >>> table = EmbeddingTable(np.array([[1, 0], [0, 2]], np.float32))
        >>> pool(table, np.array([0, 1, 1]), np.array([2, 1, 0]))
        array([[0.5, 1. ],
               [0. , 2. ],
               [0. , 0. ]], dtype=float32)
    """
    prefix = check_dim(prefix, table.dim)
    check_ids(ids, table.vocab_size)
    beta = beta if pooling == "damped_mean" else 0.0
    return Pooler(table, Parameters(beta, dims, prefix, unit)).many(ids, lengths)


class Pooler:
    """Pools texts with the same parameters; safe to use from several threads.

    Token ids and parameters are not checked, except where it says so.

    Args:
        table: the table.
        parameters: the parameters.
        shared: whether several threads share the work. It does not change the results.
    """

    def __init__(
        self, table: EmbeddingTable, parameters: Parameters, *, shared: bool = False
    ) -> None:
        factor = _SHARED if shared else 1
        self._group_elements = factor * _SUMS
        self._table = table
        self._parameters = parameters
        self._beta = np.float32(-parameters.beta)
        self._damped = parameters.beta != 0
        self._dims = dims = parameters.dims
        self._prefix = prefix = parameters.prefix
        self._unit = parameters.unit
        self._columns = parameters.columns
        self._cut = self._columns < table.dim
        self._shorter = prefix < self._columns
        self._narrow = prefix == 1 or (self._damped and dims == 1)  # see weighted_sums
        self._type = table.embeddings.dtype.type
        self._integers = table.sums_integers
        self._scale = None if table.scale is None else table.scale[:prefix].copy()
        self._squared_scale: Floats | None = None
        if self._damped:
            self._inverse = table.inverse_lengths(dims)
            if table.scale is not None:
                self._squared_scale = (table.relative_scale[:dims] ** 2).astype(np.float32)
        bytes_each = 2 if self._integers and not self._damped else 4  # of an element in a sum
        width = gathered_columns(self._columns, table.dim)
        self._tokens = max(PIECE, factor * _ROWS // (width * bytes_each))
        self._local = threading.local()

    def one(self, ids: NDArray[np.integer[Any]], *, lengths_known: bool = False) -> Floats:
        """Pool one text, with the bits that `many` gives it.

        Args:
            ids: (n,) token ids.
            lengths_known: whether the inverse lengths of these tokens' rows are computed.

        Returns:
            (prefix,) float32.

        Raises:
            InvalidTokenIdError: an id is at least V.
        """
        count = len(ids)
        table = self._table
        if self._narrow or not 0 < count <= PIECE:
            check_ids(ids, table.vocab_size)
            alone: Floats = self.many(ids, np.array([count]))[0]
            return alone
        index = ids.astype(np.intp)
        try:
            row = index if table.rows is None else table.rows.take(index).astype(np.intp)
            rows = table.embeddings.take(row, 0)
        except IndexError:
            check_ids(ids, table.vocab_size)
            raise
        if self._cut:
            rows = rows[:, : self._columns]
        weights = None if table.weights is None else table.weights.take(index)
        sums: Floats
        total: Any = count
        if self._damped:
            floats = self._to_floats(rows)
            head = floats[:, : self._dims]
            mean = add(head, 0) if weights is None else einsum("s,sd->d", weights, head)
            direction = mean if self._squared_scale is None else mean * self._squared_scale
            # The square of the mean's length is the sum of its products with the rows.
            damping = einsum("sd,d->s", head, direction)
            products = damping if weights is None else damping * weights
            square = np.add.accumulate(products)[-1]
            if not _LEAST < square < _MOST:
                return self._pieces(ids, in_float64=True)
            damping *= self._inverse.values.take(index)
            damping *= self._beta / np.sqrt(square)
            np.exp(damping, damping)
            if not self._unit:
                total = np.add.accumulate(damping)[-1]
            if weights is not None:
                damping *= weights
            if self._shorter:
                floats = floats[:, : self._prefix]
            sums = einsum("s,sd->d", damping, floats)
        elif self._integers:
            sums = add(rows, 0, np.float32)  # exact, too, and faster for few tokens
        elif weights is None:
            sums = add(self._to_floats(rows), 0, None, None, False, 0.0)
        else:
            sums = einsum("s,sd->d", weights, self._to_floats(rows))
        if self._scale is not None:
            sums *= self._scale
        if self._unit:
            square = einsum("d,d->", sums, sums)
            if _LEAST < square < _MOST:
                sums /= np.sqrt(square)
                return sums
        if self._damped and sums[0] != sums[0]:  # NaN: see InverseLengths
            if lengths_known:
                return self._pieces(ids, in_float64=True)
            self._inverse.compute(ids)
            return self.one(ids, lengths_known=True)
        if self._unit:
            return normalize(sums, in_place=True)
        sums /= np.float32(total)
        return sums

    def _to_floats(self, rows: Rows) -> Floats:
        """Convert the few rows of a query."""
        if self._type == np.float32:
            return rows
        return rows.astype(np.float32) if self._type == np.int8 else as_floats(rows)

    def many(
        self,
        ids: NDArray[np.integer[Any]],
        lengths: NDArray[np.integer[Any]],
        out: Floats | None = None,
    ) -> Floats:
        """Pool texts.

        Args:
            ids: (N,) the concatenated token ids of all texts.
            lengths: (B,) the number of ids of each text.
            out: where to write the result; None: into a new array.

        Returns:
            (B, prefix) float32.
        """
        if self._damped:
            self._inverse.compute(ids)
        counts: Ints = lengths.astype(np.intp, copy=False)
        starts = np.cumsum(counts) - counts
        if out is None:
            out = np.empty((len(counts), self._prefix), np.float32)
        # numpy sorts 16-bit integers in linear time
        keys = (PIECE - np.minimum(counts, PIECE + 1)).astype(np.int16)
        order = np.argsort(keys, kind="stable")
        begin, end = np.searchsorted(keys[order], (0, PIECE)).tolist()
        for text in order[:begin].tolist():
            out[text] = self._pieces(ids[starts[text] : starts[text] + counts[text]])
        out[order[end:]] = 0
        step = max(1, self._group_elements // self._columns)
        with np.errstate(all="ignore"):  # texts with extreme numbers are computed once more
            for at in range(begin, end, step):
                group = order[at : min(at + step, end)]
                out[group] = self._group(ids, starts[group], counts[group])
        return out

    @property
    def _gather(self) -> Gather:
        """The buffer of this thread: a new one costs more than its use for few texts."""
        gather: Gather | None = getattr(self._local, "gather", None)
        if gather is None:
            gather = self._local.gather = Gather(self._table, self._columns, self._tokens)
        return gather

    def _pieces(self, ids: NDArray[np.integer[Any]], *, in_float64: bool = False) -> Floats:
        return pool_pieces(self._table, ids, self._parameters, self._gather, in_float64=in_float64)

    def _group(
        self,
        ids: NDArray[np.integer[Any]],
        starts: Ints,
        counts: Ints,
    ) -> Floats:
        """Pool texts of 1 to 1,024 tokens, sorted by length, descending."""
        gather = self._gather
        sums = np.empty((len(counts), self._prefix), np.float32)
        totals = counts.astype(np.float32)
        squares = np.ones(len(counts), np.float32)
        for block in blocks(ids, starts, counts, self._tokens):
            part = block.part
            if self._damped:
                sums[part], totals[part], squares[part] = self._damped_sums(block, gather)
            else:
                sums[part] = self._sums(block, gather)
        again: list[int] = []
        if self._damped:
            is_nan = sums[:, 0] != sums[:, 0]  # see InverseLengths
            again = np.flatnonzero(is_nan | ~((squares > _LEAST) & (squares < _MOST))).tolist()
        texts = [ids[starts[text] : starts[text] + counts[text]] for text in again]
        if self._scale is not None:
            sums *= self._scale
        if self._unit:
            normalize(sums, in_place=True)
        else:
            sums /= totals[:, None]
        for text, its_ids in zip(again, texts, strict=True):
            sums[text] = self._pieces(its_ids, in_float64=True)
        return sums

    def _sums(self, block: PaddedBlock, gather: Gather) -> Rows:
        """Return the unscaled sums of a block's rows, (K, prefix)."""
        if self._integers:
            return integer_sums(block.clear(gather.stored(block.ids)))[..., : self._prefix]
        rows = block.clear(gather.floats(block.ids))[..., : self._prefix]
        weights = self._table.weights
        return weighted_sums(rows, None if weights is None else weights.take(block.ids))

    def _damped_sums(self, block: PaddedBlock, gather: Gather) -> tuple[Rows, Rows, Rows]:
        """Return unscaled sums of damped rows, the sums of dampings, and the means' squares.

        The shapes are (K, prefix), (K,) and (K,). A text whose square is not safe, or whose sums
        are NaN, must be computed in float64.
        """
        rows = block.clear(gather.floats(block.ids))
        head = rows[..., : self._dims]
        weights = None if self._table.weights is None else self._table.weights.take(block.ids)
        means = weighted_sums(head, weights)
        directions = means if self._squared_scale is None else means * self._squared_scale
        damping = np.einsum("skd,kd->sk", head, directions)
        squares = np.add.accumulate(damping if weights is None else damping * weights)[-1]
        damping *= self._inverse.values.take(block.ids)
        damping *= self._beta / np.sqrt(squares)
        np.exp(damping, damping)
        totals = np.add.accumulate(block.clear(damping))[-1]
        if weights is not None:
            damping *= weights
        return weighted_sums(rows[..., : self._prefix], damping), totals, squares
