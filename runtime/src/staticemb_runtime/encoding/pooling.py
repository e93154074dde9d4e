"""Token ids and a table in, one pooled vector for each text out (SPEC section 8, stages 4 to 6).

How it is fast in numpy alone, and why a text's bits never depend on its neighbors:

- A text of n tokens is cut into its first n mod 256, and pieces of 256. Texts are worked on in the
  order of the former, so that blocks of texts have nearly equal lengths; the shorter ones of a
  block are filled up with their own last token, whose share is 0 (or is taken off again, where
  sums of integers are exact). Few numpy calls thus do for any mix of lengths.
- A block is gathered token by token, not text by text, into a buffer that stays in the cache: the
  sum over the first axis has long inner loops. The sums of some texts stay in the cache too until
  they are finished.
- Each piece is summed by itself, token after token, and the pieces of a text are added in a fixed
  order. No BLAS takes part (einsum without `optimize` does not call it), as its threads and
  kernels may change the order of a sum.
- An int8 table without weights is summed in int16, which is exact for 256 tokens, and only then
  multiplied.
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
_SUMS: Final = 1 << 19  # elements of sums that are kept beside them until they are finished
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

    The vector of a text is the same bit for bit whatever other texts are in the call.

    Args:
        table: the table.
        ids: (N,) token ids of all texts, one text after the other.
        lengths: (B,) how many of them belong to each text; a text without tokens gives zeros.
        pooling: `mean`: the sum over the number of tokens; `damped_mean`: the mean weighted by
            exp(−beta · cosine of the token's row with the plain mean).
        beta: the damping; 0 is the plain mean.
        dims: how many first columns the cosine looks at; may exceed `prefix`.
        prefix: how many first columns are wanted; all if None.
        unit: whether vectors are divided by their lengths, as `vectors.normalize` does it.

    Returns:
        (B, prefix) float32.

    Raises:
        InvalidDimensionError: `prefix` is below 1 or above D.
        InvalidTokenIdError: an id is negative or not below V.

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
            some = order[begin : begin + step]
            texts = _Texts(ids, starts[some], counts[some])
            vectors = _pool(table, texts, beta, dims, prefix, dtype)
            found = vectors.astype(np.float32, copy=False)
            out[some] = normalize(found, in_place=True) if unit else found
    return out


def _orders(counts: Ints) -> Iterator[tuple[Ints, type[np.floating[Any]]]]:
    """The texts in the order in which they are worked on, and what their sums are kept in."""
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
    """(K, prefix) of `dtype`, with sums accumulated in it; the plain mean if `beta` is 0."""
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
    """Pieces of some texts, filled up to one size.

    Attributes:
        texts: an index for K texts, each at most once.
        ids: (S, K) the token ids of a piece of each.
        fill: (K,) how many ids at a piece's end only fill it up; None: none. All are its last one.
    """

    texts: Ints | slice
    ids: NDArray[Any]
    fill: Ints | None = None

    def shares(self) -> Floats | None:
        """(S, K) 1 for each token that counts and 0 for each that does not; None if all count."""
        if self.fill is None:
            return None
        size = len(self.ids)
        return (np.arange(size)[:, None] < size - self.fill).astype(np.float32)


class _Texts(NamedTuple):
    """The token ids of some texts: text j has `ids[starts[j] : starts[j] + lengths[j]]`.

    They are sorted by their lengths' remainders over 256, the largest first and 0 last.
    """

    ids: NDArray[np.integer[Any]]
    starts: Ints
    lengths: Ints

    def blocks(self, tokens: int) -> Iterator[_Block]:
        """The texts' pieces: which ones a text has, and their order, follow from its length alone.

        Args:
            tokens: how many a block may hold (a piece of more is a block by itself).
        """
        if len(self.lengths) == 1:  # one query: the same pieces without the bookkeeping
            begin = int(self.starts[0])
            end = begin + int(self.lengths[0])
            while begin < end:
                size = (end - begin) % _PIECE or _PIECE
                yield _Block(slice(0, 1), self.ids[begin : begin + size, None])
                begin += size
            return
        rests = self.lengths % _PIECE
        yield from self._first_pieces(rests, tokens)
        whole = self.lengths // _PIECE
        step = max(1, tokens // _PIECE)
        within = np.arange(_PIECE)[:, None]
        for number in range(int(whole.max(initial=0))):
            texts = np.flatnonzero(whole > number)
            begins = (self.starts + rests)[texts] + number * _PIECE
            for at in range(0, len(texts), step):
                some = slice(at, at + step)
                yield _Block(texts[some], self.ids.take(begins[some] + within))

    def _first_pieces(self, rests: Ints, tokens: int) -> Iterator[_Block]:
        falling = (-rests).tolist()
        within = np.arange(-falling[0] if falling else 0)[:, None]
        last = self.starts + (rests - 1)
        at, end = 0, bisect_right(falling, -1)
        while at < end:
            size = -falling[at]
            # At most an eighth of a block fills up, and of short texts nothing.
            most = min(end, at + max(1, tokens // size))
            stop = bisect_right(falling, size // 8 - size, at, most)
            some = slice(at, stop)
            places = self.starts[some] + within[:size]
            if falling[at] == falling[stop - 1]:
                yield _Block(some, self.ids.take(places))
            else:
                np.minimum(places, last[some], out=places)
                yield _Block(some, self.ids.take(places), size - rests[some])
            at = stop


def _sums(
    table: EmbeddingTable, texts: _Texts, columns: int, dtype: type[np.floating[Any]]
) -> Rows:
    """(K, columns) of `dtype`: Σ weights[t] · embeddings[rows[t]] of each text, unscaled."""
    out = np.zeros((len(texts.lengths), columns), dtype)
    tokens = max(_PIECE, _ROWS // columns)
    gather = Gather(table, columns, min(tokens, 2 * texts.ids.size))
    exact = table.embeddings.dtype == np.int8 and table.weights is None
    for block in texts.blocks(tokens):
        if exact:
            stored = gather.stored(block.ids)[:, :, :columns]
            sums = np.add.reduce(stored, axis=0, dtype=np.int16)
            if block.fill is not None:
                sums -= stored[-1] * block.fill.astype(np.int16)[:, None]
            out[block.texts] += sums
            continue
        shares = block.shares()
        if table.weights is not None:
            weights = table.weights.take(block.ids)
            shares = weights if shares is None else weights * shares
        out[block.texts] += _total(gather.floats(block.ids)[:, :, :columns], shares)
    return out


def _damped_sums(
    table: EmbeddingTable, texts: _Texts, means: Rows, beta: float, prefix: int
) -> tuple[Rows, Rows]:
    """(K, prefix) unscaled sums of damped rows, and (K,) sums of dampings (1 for an empty text).

    Args:
        table: the table.
        texts: the texts.
        means: (K, dims) each text's unscaled plain sum; only its direction counts. Its dtype is
            that of the accumulators.
        beta: the damping.
        prefix: how many columns are wanted.
    """
    dims = means.shape[1]
    scale = table.relative_scale[:dims]
    towards = means * scale
    lengths = np.sqrt(np.einsum("ij,ij->i", towards, towards))
    lengths[lengths == 0] = 1
    # Stored rows meet these directions, so the scale is in them twice, once for either side.
    directions = (towards * scale / lengths[:, None]).astype(np.float32)

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
        shares = block.shares()
        if shares is not None:
            damping *= shares
        total[block.texts] += np.add.accumulate(damping, axis=0)[-1]
        if table.weights is not None:
            damping *= table.weights.take(block.ids)
        out[block.texts] += _total(rows[:, :, :prefix], damping)
    total[texts.lengths == 0] = 1
    return out, total


def _total(rows: Rows, shares: Floats | None) -> Rows:
    """(S, K, d) and (S, K) give (K, d): the sums over the first axis, in its order."""
    if rows.shape[2] == 1:  # numpy would sum a single column in an order that depends on K
        products = rows if shares is None else rows * shares[:, :, None]
        sums: Rows = np.add.accumulate(products, axis=0)[-1]
    elif shares is None:
        sums = np.add.reduce(rows, axis=0)
    else:
        sums = np.einsum("sk,skd->kd", shares, rows)
    return sums
