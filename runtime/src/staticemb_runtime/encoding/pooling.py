"""Pool the token rows of each text into one vector (SPEC section 8, stages 4 to 6).

The design makes numpy fast and keeps a text's bits independent of the other texts:

- A text of n tokens is cut into a first piece of n mod 256 tokens and pieces of 256. Texts are
  sorted by the size of the first piece, so that a block holds pieces of nearly equal size. Shorter
  pieces are padded with their last token. The padding gets weight 0, or is subtracted if sums of
  integers are exact. So any mix of lengths needs few numpy calls.
- A block is gathered token by token, not text by text, into a buffer that stays in the cache: the
  sum over the first axis has long inner loops. The sums of a group of texts stay in the cache until
  they are complete.
- Each piece is summed separately, token by token, and the pieces of a text are added in a fixed
  order. BLAS is not used (einsum without `optimize` does not call it): its threads and kernels may
  change the order of a sum.
- An int8 table without weights is summed in int16, which is exact for 256 tokens, and scaled
  afterward.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .table import EmbeddingTable, Gather, check_ids
from .vectors import check_dim, normalize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..format.metadata import Pooling
    from .table import Floats, Ints, Rows

_PIECE: Final = 256  # tokens; int16 holds the sum of 256 int8
_ROWS: Final = 1 << 19  # elements of gathered rows that should stay in the cache
_SUMS: Final = 1 << 19  # elements of sums that should stay in the cache
_LONG: Final = 4096  # tokens; longer texts are accumulated in float64


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
    counts: Ints = lengths.astype(np.intp, copy=False)
    starts = np.cumsum(counts) - counts
    out = np.empty((len(counts), prefix), np.float32)
    step = max(1, _SUMS // max(prefix, dims))
    for order, dtype in _orders(counts):
        for begin in range(0, len(order), step):
            group = order[begin : begin + step]
            texts = _Texts(ids, starts[group], counts[group])
            pooled = _pool(table, texts, beta, dims, prefix, dtype)
            vectors = pooled.astype(np.float32, copy=False)
            out[group] = normalize(vectors, in_place=True) if unit else vectors
    return out


def _orders(counts: Ints) -> Iterator[tuple[Ints, type[np.floating[Any]]]]:
    """Iterate over groups of text indices in processing order, with the dtype of their sums."""
    if len(counts) == 1:  # one query
        yield np.zeros(1, np.intp), np.float32 if counts[0] <= _LONG else np.float64
        return
    keys = (~counts % _PIECE).astype(np.uint8)  # numpy sorts bytes in linear time
    order = np.argsort(keys, kind="stable")
    if counts.max(initial=0) <= _LONG:
        yield order, np.float32
    else:
        long = counts[order] > _LONG
        yield order[~long], np.float32
        yield order[long], np.float64


def _pool(
    table: EmbeddingTable,
    texts: _Texts,
    beta: float,
    dims: int,
    prefix: int,
    dtype: type[np.floating[Any]],
) -> Rows:
    """Return the means of K texts, (K, prefix), accumulated in `dtype`; plain if `beta` is 0."""
    counts: Rows = np.maximum(texts.lengths, 1)
    if beta == 0:
        sums = _sums(table, texts, prefix, dtype)
    else:
        sums, counts = _damped_sums(table, texts, _sums(table, texts, dims, dtype), beta, prefix)
    sums /= counts.astype(dtype)[:, None]
    if table.scale is not None:
        sums *= table.scale[:prefix]
    return sums


class _Block(NamedTuple):
    """One piece of each of K texts, padded to one size.

    Attributes:
        texts: an index that selects the K texts.
        ids: (S, K) the token ids of the pieces.
        padding: (K,) the number of ids at a piece's end that repeat its last token; None: 0.
    """

    texts: Ints | slice
    ids: NDArray[Any]
    padding: Ints | None = None

    def mask(self) -> Floats | None:
        """Return (S, K), 1 for a token and 0 for padding; None without padding."""
        if self.padding is None:
            return None
        size = len(self.ids)
        return (np.arange(size)[:, None] < size - self.padding).astype(np.float32)


class _Texts(NamedTuple):
    """The token ids of a group of texts: text j has `ids[starts[j] : starts[j] + lengths[j]]`.

    The texts are sorted by their length modulo 256, descending.
    """

    ids: NDArray[np.integer[Any]]
    starts: Ints
    lengths: Ints

    def blocks(self, tokens: int) -> Iterator[_Block]:
        """Iterate over blocks of the texts' pieces.

        The pieces of a text and their order depend on its length alone.

        Args:
            tokens: the maximum number of tokens in a block (a larger piece is one block).
        """
        if len(self.lengths) == 1:  # one query: the same pieces, made faster
            begin = int(self.starts[0])
            end = begin + int(self.lengths[0])
            while begin < end:
                size = (end - begin) % _PIECE or _PIECE
                yield _Block(slice(0, 1), self.ids[begin : begin + size, None])
                begin += size
            return
        first_sizes = self.lengths % _PIECE
        yield from self._first_pieces(first_sizes, tokens)
        full_pieces = self.lengths // _PIECE
        step = max(1, tokens // _PIECE)
        within = np.arange(_PIECE)[:, None]
        for number in range(int(full_pieces.max(initial=0))):
            texts = np.flatnonzero(full_pieces > number)
            begins = (self.starts + first_sizes)[texts] + number * _PIECE
            for at in range(0, len(texts), step):
                part = slice(at, at + step)
                yield _Block(texts[part], self.ids.take(begins[part] + within))

    def _first_pieces(self, sizes: Ints, tokens: int) -> Iterator[_Block]:
        ascending = (-sizes).tolist()  # bisect needs ascending values
        within = np.arange(-ascending[0] if ascending else 0)[:, None]
        last = self.starts + (sizes - 1)
        at, end = 0, bisect_right(ascending, -1)
        while at < end:
            size = -ascending[at]
            # At most an eighth of a block is padding. Pieces below 8 tokens get none.
            most = min(end, at + max(1, tokens // size))
            stop = bisect_right(ascending, size // 8 - size, at, most)
            part = slice(at, stop)
            places = self.starts[part] + within[:size]
            if ascending[at] == ascending[stop - 1]:
                yield _Block(part, self.ids.take(places))
            else:
                np.minimum(places, last[part], out=places)
                yield _Block(part, self.ids.take(places), size - sizes[part])
            at = stop


def _sums(
    table: EmbeddingTable, texts: _Texts, columns: int, dtype: type[np.floating[Any]]
) -> Rows:
    """Return unscaled sums, (K, columns) of `dtype`: Σ weights[t] · embeddings[rows[t]]."""
    out = np.zeros((len(texts.lengths), columns), dtype)
    tokens = max(_PIECE, _ROWS // columns)
    gather = Gather(table, columns, min(tokens, 2 * texts.ids.size))
    exact = table.embeddings.dtype == np.int8 and table.weights is None
    for block in texts.blocks(tokens):
        if exact:
            stored = gather.stored(block.ids)[:, :, :columns]
            sums = np.add.reduce(stored, axis=0, dtype=np.int16)
            if block.padding is not None:
                sums -= stored[-1] * block.padding.astype(np.int16)[:, None]
            out[block.texts] += sums
            continue
        factors = block.mask()
        if table.weights is not None:
            weights = table.weights.take(block.ids)
            factors = weights if factors is None else weights * factors
        out[block.texts] += _weighted_sums(gather.floats(block.ids)[:, :, :columns], factors)
    return out


def _damped_sums(
    table: EmbeddingTable, texts: _Texts, means: Rows, beta: float, prefix: int
) -> tuple[Rows, Rows]:
    """Sum the damped rows of K texts.

    Args:
        table: the table.
        texts: the texts.
        means: (K, dims) the unscaled plain sums; only their directions matter. The results are
            accumulated in this dtype.
        beta: the damping.
        prefix: the number of columns to sum.

    Returns:
        (K, prefix) unscaled sums of damped rows, and (K,) sums of dampings (1 for an empty text).
    """
    dims = means.shape[1]
    scale = table.relative_scale[:dims]
    scaled = means * scale
    lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    lengths[lengths == 0] = 1
    # The rows below are unscaled, so the directions hold the scale of both sides of the cosine.
    directions = (scaled * scale / lengths[:, None]).astype(np.float32)

    out = np.zeros((len(texts.lengths), prefix), means.dtype)
    total = np.zeros(len(texts.lengths), means.dtype)
    columns = max(prefix, dims)
    tokens = max(_PIECE, _ROWS // columns)
    gather = Gather(table, columns, min(tokens, 2 * texts.ids.size))
    for block in texts.blocks(tokens):
        rows = gather.floats(block.ids)
        cosines = np.einsum("skd,kd->sk", rows[:, :, :dims], directions[block.texts])
        exponents = -beta * cosines / table.norms(block.ids, dims)
        damping = np.exp(exponents.astype(np.float32))
        mask = block.mask()
        if mask is not None:
            damping *= mask
        total[block.texts] += np.add.accumulate(damping, axis=0)[-1]
        if table.weights is not None:
            damping *= table.weights.take(block.ids)
        out[block.texts] += _weighted_sums(rows[:, :, :prefix], damping)
    total[texts.lengths == 0] = 1
    return out, total


def _weighted_sums(rows: Rows, factors: Floats | None) -> Rows:
    """Sum rows (S, K, d) times factors (S, K) over the first axis, in its order: (K, d)."""
    if rows.shape[2] == 1:  # numpy would sum a single column in an order that depends on K
        products = rows if factors is None else rows * factors[:, :, None]
        sums: Rows = np.add.accumulate(products, axis=0)[-1]
    elif factors is None:
        sums = np.add.reduce(rows, axis=0)
    else:
        sums = np.einsum("sk,skd->kd", factors, rows)
    return sums
