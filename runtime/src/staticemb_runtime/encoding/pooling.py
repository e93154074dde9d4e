"""Pool the token rows of each text into one vector (SPEC section 8, stages 4 to 7).

The design makes numpy fast and keeps a text's bits independent of the other texts:

- Texts of nearly equal length are summed together (see `blocks`). The rows of padding are
  set to 0 after the gathering.
- A block is gathered token by token, not text by text, into a buffer that stays in the cache: the
  sum over the first axis has long inner loops. Both passes of damping use the gathered rows.
- A text is summed token by token, in its own order, in float32. Texts of more than 1,024 tokens are
  pooled alone, by pieces whose sums are added in float64.
- An int8 table without weights is summed in int16, which is exact for 256 tokens, and scaled
  afterward.
- One query, `Pooler.one`, takes the same steps as a block with as few calls of numpy as possible.
- Numbers whose squares are too small or too large for float32 are rare. A text with such numbers is
  computed once more in float64.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .blocks import Block, blocks
from .table import EmbeddingTable, Gather, as_floats, check_ids, row_lengths
from .vectors import SAFE_SQUARES, check_dim, normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..format.metadata import Pooling
    from .table import Floats, Ints, Rows

_LONG: Final = 1024  # tokens; longer texts are pooled alone
_EXACT: Final = 256  # int16 holds the sum of so many int8
_FOLD: Final = 8  # tokens
_ROWS: Final = 1 << 18  # elements of gathered rows that should stay in the cache
_SUMS: Final = 1 << 18  # elements of sums that should stay in the cache
_LEAST, _MOST = SAFE_SQUARES

_add: Final = np.add.reduce
# Without the search for arguments of other libraries, which takes longer than a query's sum.
_einsum: Final[Any] = getattr(np.einsum, "__wrapped__", np.einsum)


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
    pooler = Pooler(table, beta=beta, dims=dims, prefix=prefix, unit=unit)
    return pooler.many(ids, lengths)


class Pooler:
    """Pools texts with the same parameters; safe to use from several threads.

    The parameters are those of `pool`, already checked. Token ids are not checked.
    """

    def __init__(
        self, table: EmbeddingTable, *, beta: float, dims: int, prefix: int, unit: bool
    ) -> None:
        self._table = table
        self._local = threading.local()
        self._beta = np.float32(-beta)
        self._damped = beta != 0
        self._dims = dims
        self._prefix = prefix
        self._unit = unit
        self._columns = max(prefix, dims) if self._damped else prefix
        self._cut = self._columns < table.dim
        self._narrow = min(prefix, dims if self._damped else prefix) == 1  # see _weighted_sums
        self._type = table.embeddings.dtype.type
        self._integers = table.embeddings.dtype == np.int8 and table.weights is None
        self._scale = None if table.scale is None else table.scale[:prefix].copy()
        self._squared_scale: Floats | None = None
        if self._damped:
            self._inverse = table.inverse_lengths(dims)
            if table.scale is not None:
                self._squared_scale = (table.relative_scale[:dims] ** 2).astype(np.float32)

    def one(self, ids: NDArray[np.integer[Any]]) -> Floats:
        """Pool one text, with the bits that `many` gives it.

        Args:
            ids: (n,) token ids.

        Returns:
            (prefix,) float32.

        Raises:
            InvalidTokenIdError: an id is at least V.
        """
        count = len(ids)
        table = self._table
        if self._narrow or not 0 < count <= _LONG:
            check_ids(ids, table.vocab_size)
            return self.many(ids, np.array([count]))[0]
        index = ids.astype(np.intp)
        try:
            rows = table.embeddings.take(index if table.rows is None else table.rows.take(index), 0)
        except IndexError:
            check_ids(ids, table.vocab_size)
            raise
        if self._cut:
            rows = rows[:, : self._columns]
        weights = None if table.weights is None else table.weights.take(index)
        total: Any = count
        if self._damped:
            floats = self._to_floats(rows)
            head = floats[:, : self._dims]
            mean = _add(head, 0) if weights is None else _einsum("s,sd->d", weights, head)
            direction = mean if self._squared_scale is None else mean * self._squared_scale
            square = _einsum("d,d->", mean, direction)
            if not _LEAST < square < _MOST:
                return self._alone(ids, in_float64=True)
            direction *= self._beta / np.sqrt(square)
            damping = _einsum("sd,d->s", head, direction)
            damping *= self._inverse.values.take(index)
            np.exp(damping, damping)
            if not self._unit:
                total = np.add.accumulate(damping)[-1]
            if weights is not None:
                damping *= weights
            sums = _einsum("s,sd->d", damping, floats[:, : self._prefix])
        elif self._integers:
            sums = _add(rows, 0, np.float32)  # exact, too, and faster for few tokens
        elif weights is None:
            sums = _add(self._to_floats(rows), 0, None, None, False, 0.0)
        else:
            sums = _einsum("s,sd->d", weights, self._to_floats(rows))
        if self._scale is not None:
            sums *= self._scale
        square = _einsum("d,d->", sums, sums)
        if square != square and self._damped:  # an inverse length is not computed yet, or unusable
            if self._inverse.compute(ids):
                return self.one(ids)
            return self._alone(ids, in_float64=True)
        if not self._unit:
            sums /= np.float32(total)
            return sums
        if not _LEAST < square < _MOST:
            return normalize(sums, in_place=True)
        sums /= np.sqrt(square)
        return sums

    def _to_floats(self, rows: Rows) -> Floats:
        if self._type == np.float32:
            return rows
        return rows.astype(np.float32) if self._type == np.int8 else as_floats(rows)

    def many(
        self, ids: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]]
    ) -> Floats:
        """Pool texts.

        Args:
            ids: (N,) the concatenated token ids of all texts.
            lengths: (B,) the number of ids of each text.

        Returns:
            (B, prefix) float32.
        """
        counts: Ints = lengths.astype(np.intp, copy=False)
        starts = np.cumsum(counts) - counts
        out = np.empty((len(counts), self._prefix), np.float32)
        # numpy sorts 16-bit integers in linear time
        keys = (_LONG - np.minimum(counts, _LONG + 1)).astype(np.int16)
        order = np.argsort(keys, kind="stable")
        begin, end = np.searchsorted(keys[order], (0, _LONG)).tolist()
        tokens = max(_LONG, _ROWS // self._columns)
        gather = self._gather(tokens)
        for text in (*order[:begin].tolist(), *order[end:].tolist()):
            out[text] = self._alone(ids[starts[text] : starts[text] + counts[text]], gather)
        step = max(1, _SUMS // self._columns)
        with np.errstate(all="ignore"):  # texts with extreme numbers are computed once more
            for at in range(begin, end, step):
                group = order[at : min(at + step, end)]
                out[group] = self._group(ids, starts[group], counts[group], gather, tokens)
        return out

    def _gather(self, tokens: int) -> Gather:
        """Return the buffer of this thread: a new one costs more than its use for few texts."""
        found: Gather | None = getattr(self._local, "gather", None)
        if found is None:
            found = self._local.gather = Gather(self._table, self._columns, tokens)
        return found

    def _group(
        self,
        ids: NDArray[np.integer[Any]],
        starts: Ints,
        counts: Ints,
        gather: Gather,
        tokens: int,
    ) -> Floats:
        """Pool texts of 1 to 1,024 tokens, sorted by length, descending."""
        sums = np.empty((len(counts), self._prefix), np.float32)
        totals = counts.astype(np.float32)
        squares = np.ones(len(counts), np.float32)
        for block in blocks(ids, starts, counts, tokens):
            part = block.part
            if self._damped:
                sums[part], totals[part], squares[part] = self._damped_sums(block, gather)
            else:
                sums[part] = self._sums(block, gather)
        redone: list[int] = []
        if self._damped:
            is_safe = (squares > _LEAST) & (squares < _MOST) & (sums[:, 0] == sums[:, 0])
            redone = np.flatnonzero(~is_safe).tolist()
        texts = [ids[starts[text] : starts[text] + counts[text]] for text in redone]
        if texts and self._inverse.compute(np.concatenate(texts)):
            return self._group(ids, starts, counts, gather, tokens)
        if self._scale is not None:
            sums *= self._scale
        if self._unit:
            normalize(sums, in_place=True)
        else:
            sums /= totals[:, None]
        for text, its_ids in zip(redone, texts, strict=True):
            sums[text] = self._alone(its_ids, gather, in_float64=True)
        return sums

    def _sums(self, block: Block, gather: Gather) -> Rows:
        """Return the unscaled sums of a block's rows, (K, prefix)."""
        if self._integers:
            return _integer_sums(block.clear(gather.stored(block.ids))[..., : self._prefix])
        rows = block.clear(gather.floats(block.ids))[..., : self._prefix]
        weights = self._table.weights
        return _weighted_sums(rows, None if weights is None else weights.take(block.ids))

    def _damped_sums(self, block: Block, gather: Gather) -> tuple[Rows, Rows, Rows]:
        """Return unscaled sums of damped rows, the sums of dampings, and the means' squares.

        The shapes are (K, prefix), (K,) and (K,). A text whose square is not safe, or whose sums
        are NaN, must be computed in float64.
        """
        rows = block.clear(gather.floats(block.ids))
        head = rows[..., : self._dims]
        weights = None if self._table.weights is None else self._table.weights.take(block.ids)
        means = _weighted_sums(head, weights)
        directions = means if self._squared_scale is None else means * self._squared_scale
        squares = np.einsum("kd,kd->k", means, directions)
        directions *= (self._beta / np.sqrt(squares))[:, None]
        damping = np.einsum("skd,kd->sk", head, directions)
        damping *= self._inverse.values.take(block.ids)
        np.exp(damping, damping)
        totals = np.add.accumulate(block.clear(damping))[-1]
        if weights is not None:
            damping *= weights
        return _weighted_sums(rows[..., : self._prefix], damping), totals, squares

    def _alone(
        self,
        ids: NDArray[np.integer[Any]],
        gather: Gather | None = None,
        *,
        in_float64: bool = False,
    ) -> Floats:
        """Pool a text of any length by pieces, or a text with extreme numbers in float64."""
        if not len(ids):
            return np.zeros(self._prefix, np.float32)
        table, dims = self._table, self._dims
        gather = gather or Gather(table, self._columns, min(_LONG, len(ids)))
        dtype = np.float64 if in_float64 else np.float32
        pieces = [ids[at : at + _LONG] for at in range(0, len(ids), _LONG)]
        sums = np.zeros(self._columns)
        for piece in pieces:
            if self._integers and not in_float64:
                sums += _integer_sums(gather.stored(piece)[:, : self._columns])
                continue
            rows = gather.floats(piece)[:, : self._columns].astype(dtype, copy=False)
            weights = None if table.weights is None else table.weights.take(piece)
            sums += _weighted_sums(rows, weights)
        total: Any = len(ids)
        if self._damped:
            scale = table.relative_scale[:dims]
            mean = sums[:dims] * scale
            length = np.sqrt(_add(mean * mean))
            direction = mean * scale * (self._beta / length if length else 0.0)
            sums, total = np.zeros(self._prefix), 0.0
            for piece in pieces:
                rows = gather.floats(piece).astype(dtype, copy=False)
                weights = None if table.weights is None else table.weights.take(piece)
                damping = np.einsum("sd,d->s", rows[:, :dims], direction.astype(dtype))
                if in_float64:
                    lengths = row_lengths(table, rows[:, :dims])
                    if weights is not None:
                        lengths *= np.sign(weights)
                    damping /= np.where(lengths == 0, np.inf, lengths)
                else:
                    damping *= self._inverse.values.take(piece)
                np.exp(damping, damping)
                total += damping.sum(dtype=np.float64)
                if weights is not None:
                    damping *= weights
                sums += _weighted_sums(rows[:, : self._prefix], damping)
            if not in_float64 and not np.isfinite(sums).all():
                return self._alone(ids, gather, in_float64=not self._inverse.compute(ids))
        if self._scale is not None:
            sums *= self._scale
        if self._unit:
            total = np.sqrt(_add(sums * sums)) or 1.0
        return (sums / total).astype(np.float32)


def _integer_sums(stored: Rows) -> Floats:
    """Sum int8 rows (S, ..., d) over the first axis exactly: (..., d) float32."""
    size = len(stored)
    texts = stored[0].size // stored.shape[-1]
    # The order of an exact sum is free: several tokens side by side make a few texts' loop longer.
    fold = max(-(-size // _EXACT), min(_FOLD // texts, size // _FOLD), 1)
    end = size - size % fold
    sums: Rows = _add(stored[:end].reshape(-1, fold, *stored.shape[1:]), 0, np.int16)
    total: Floats = sums[0].astype(np.float32) if fold == 1 else _add(sums, 0, np.float32)
    if end < size:
        total += _add(stored[end:], 0, np.int16)
    return total


def _weighted_sums(rows: Rows, factors: Rows | None) -> Rows:
    """Sum rows (S, ..., d) times factors (S, ...) over the first axis, in its order: (..., d)."""
    if rows.shape[-1] == 1:  # numpy would sum a single column in an order that depends on K
        products = rows if factors is None else rows * factors[..., None]
        sums: Rows = np.add.accumulate(products, axis=0)[-1] + np.float32(0)
        return sums
    if factors is None:
        return _add(rows, 0, None, None, False, 0.0)  # from 0, as einsum: the sum is not -0
    if rows.ndim == 2:
        return _einsum("s,sd->d", factors, rows)
    return _einsum("sk,skd->kd", factors, rows)
