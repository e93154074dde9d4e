"""Token ids and a table in, one pooled vector for each text out (SPEC section 8, stages 4 to 6).

How it is fast in numpy alone, and why a text's bits never depend on its neighbors:

- A text of n tokens is cut into pieces whose sizes follow from n alone: as many pieces of 256 as
  fit, then at most one each of 128, 64, 32 and 16, then the tail of 1 to 15. Pieces of one size,
  from all texts of the call, are gathered together into a buffer that stays in the cache and are
  summed over the middle axis in one numpy call. Few calls thus do for any mix of lengths.
- Each piece is summed by itself, token after token, and the pieces of a text are added in a fixed
  order. No BLAS takes part (einsum without `optimize` does not call it), as its threads and
  kernels may change the order of a sum.
- An int8 table without weights is summed in int16, which is exact for 256 tokens, and only then
  multiplied.
- A prefix is gathered without reading the rest of each row and without copying the table: R rows
  of D are seen as R·D/c rows of c, the smallest divisor of D that holds the columns needed.
- float16 is converted by moving bits: several times faster than numpy's conversion, as exact, and
  the table stays half as large as it would be in float32.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import InvalidTokenIdError
from .vectors import check_dim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .metadata import Pooling

    Floats = NDArray[np.float32]
    Ints = NDArray[np.intp]  # what indexes an array: 32 bits on a 32-bit system
    Rows = NDArray[Any]

_PIECE = 256  # tokens; int16 holds the sum of 256 int8
_TAIL = 16  # pieces below this have any size
_BLOCK = 1 << 19  # bytes of gathered rows, as float32, that should stay in the L2 cache
_LONG = 4096  # tokens; longer texts are accumulated in float64


class Table:
    """The numbers of a static embedding file.

    Attributes:
        embeddings: (R, D) float32, float16 or int8; may be memory-mapped.
        scale: (D,) float32, the step of each column; only with int8.
        weights: (V,) float32, the factor of each token, or None for ones.
        rows: (V,) integers below R, the row of each token, or None for 0, 1, 2, …

    Values are those of a checked file: `rows` in particular is not checked again.
    """

    def __init__(
        self,
        embeddings: Rows,
        scale: Floats | None = None,
        weights: Floats | None = None,
        rows: NDArray[Any] | None = None,
    ) -> None:
        self.embeddings = embeddings
        self.scale = scale
        self.weights = weights
        self.rows = rows
        self._norms: dict[int, NDArray[np.float64]] = {}

    @cached_property
    def relative_scale(self) -> NDArray[np.float64]:
        """(D,) the scale over its largest element: what of it counts in a cosine; or ones."""
        if self.scale is None:
            return np.ones(self.dim)
        relative: NDArray[np.float64] = self.scale / np.float64(self.scale.max())
        return relative

    @property
    def dim(self) -> int:
        """D, the length of a row."""
        return int(self.embeddings.shape[1])

    @property
    def vocab_size(self) -> int:
        """V, the number of token ids."""
        return len(self.embeddings if self.rows is None else self.rows)

    def token_rows(self, ids: NDArray[Any], prefix: int | None = None) -> Floats:
        """The vectors e_i of single tokens (SPEC.md, stage 4).

        Args:
            ids: (N,) integers.
            prefix: how many columns are wanted; all if None.

        Returns:
            (N, prefix) float32.
        """
        prefix = check_dim(prefix, self.dim)
        _check_ids(ids, self.vocab_size)
        out: Floats = _Gather(self, prefix, len(ids)).floats(ids)[:, :prefix].copy()
        if self.scale is not None:
            out *= self.scale[:prefix]
        if self.weights is not None:
            out *= self.weights.take(ids)[:, None]
        return out

    def norms(self, ids: NDArray[Any], dims: int) -> NDArray[np.float64]:
        """Lengths of the tokens' rows over their first `dims` columns; infinite where 0.

        They have the sign of the weight. Its size and a common factor of the scale cancel in a
        cosine, so neither is in them. Each token's is remembered when it is first met, so that a
        table costs nothing at its start and 8 bytes a token later.

        Args:
            ids: integers of any shape.
            dims: how many columns count.

        Returns:
            Float64 of the shape of `ids`.
        """
        known = self._norms.get(dims)
        if known is None:
            known = self._norms.setdefault(dims, np.zeros(self.vocab_size))
        norms = known.take(ids)
        # 0 stands for "not met yet"; two threads may both fill it in, with the same values.
        if np.count_nonzero(norms) < norms.size:
            missing = np.unique(ids[norms == 0])
            step = max(1, _BLOCK // (4 * self.dim))
            gather = _Gather(self, dims, step)
            for begin in range(0, len(missing), step):
                some = missing[begin : begin + step]
                rows = gather.floats(some)[:, :dims] * self.relative_scale[:dims]
                norm = np.sqrt(np.einsum("ij,ij->i", rows, rows))
                if self.weights is not None:
                    norm *= np.sign(self.weights.take(some))
                norm[norm == 0] = np.inf
                known[some] = norm
            norms = known.take(ids)
        return norms


def pool(
    table: Table,
    ids: NDArray[np.integer[Any]],
    lengths: NDArray[np.integer[Any]],
    *,
    pooling: Pooling = "mean",
    beta: float = 0.0,
    dims: int = 0,
    prefix: int | None = None,
) -> Floats:
    """Pool the rows of each text's tokens into one vector, not yet normalized.

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

    Returns:
        (B, prefix) float32.

    Raises:
        InvalidDimensionError: `prefix` is below 1 or above D.
        InvalidTokenIdError: an id is negative or not below V.

    Example:
        >>> table = Table(np.array([[1, 0], [0, 2]], np.float32))
        >>> pool(table, np.array([0, 1, 1]), np.array([2, 1, 0]))
        array([[0.5, 1. ],
               [0. , 2. ],
               [0. , 0. ]], dtype=float32)
    """
    prefix = check_dim(prefix, table.dim)
    _check_ids(ids, table.vocab_size)
    counts: Ints = lengths.astype(np.intp, copy=False)
    texts = _Texts(ids, np.cumsum(counts) - counts, counts)
    beta = beta if pooling == "damped_mean" else 0.0
    long = counts > _LONG
    if not long.any():
        return _pool(table, texts, beta, dims, prefix, np.dtype(np.float32))
    out = np.empty((len(lengths), prefix), np.float32)
    for chosen, dtype in ((~long, np.float32), (long, np.float64)):
        some = _Texts(ids, texts.starts[chosen], counts[chosen])
        out[chosen] = _pool(table, some, beta, dims, prefix, np.dtype(dtype))
    return out


def _pool(
    table: Table, texts: _Texts, beta: float, dims: int, prefix: int, dtype: np.dtype[Any]
) -> Rows:
    """(B, prefix) of `dtype`, with sums accumulated in it; the plain mean if `beta` is 0."""
    counts: Rows = np.maximum(texts.lengths, 1)
    if beta == 0:
        sums = _sums(table, texts, prefix, dtype)
    else:
        sums, counts = _damped_sums(table, texts, _sums(table, texts, dims, dtype), beta, prefix)
    sums /= counts.astype(dtype)[:, None]
    if table.scale is not None:
        sums *= table.scale[:prefix]
    return sums


def _check_ids(ids: NDArray[np.integer[Any]], vocab_size: int) -> None:
    if not ids.size:
        return
    unsigned = ids.view(f"u{ids.itemsize}")  # in which a negative number is a large one
    if unsigned.max() >= vocab_size:
        wrong = ids[(ids < 0) | (ids >= vocab_size)][0]
        raise InvalidTokenIdError(f"token ids: expected 0 to {vocab_size - 1}, found {wrong}")


class _Texts(NamedTuple):
    """The token ids of some texts: text j has `ids[starts[j] : starts[j] + lengths[j]]`."""

    ids: NDArray[np.integer[Any]]
    starts: Ints
    lengths: Ints

    def blocks(self, tokens: int) -> Iterator[tuple[Ints | slice, NDArray[Any]]]:
        """Pieces of equal size, gathered in blocks.

        Args:
            tokens: how many a block may hold (a piece of more is a block by itself).

        Yields:
            An index for (K,) texts, each at most once, and (K, size) the token ids of a piece of
            each. The sizes that a text is cut into, and their order, follow from its length alone.
        """
        if len(self.lengths) == 1:  # one query: the same pieces without the bookkeeping
            begin, length = int(self.starts[0]), int(self.lengths[0])
            end = begin + length
            while begin < end:
                size = _first_piece(end - begin)
                yield slice(0, 1), self.ids[None, begin : begin + size]
                begin += size
            return
        for size, texts, begins in self._pieces():
            step = max(1, tokens // size)
            within = np.arange(size)
            for at in range(0, len(texts), step):
                some = slice(at, at + step)
                yield texts[some], self.ids.take(begins[some, None] + within)

    def _pieces(self) -> Iterator[tuple[int, Ints, Ints]]:
        """Sizes of pieces, the texts that have one, and where in `ids` it begins."""
        longest = int(self.lengths.max(initial=0))
        for done in range(0, longest - _PIECE + 1, _PIECE):
            texts = np.flatnonzero(self.lengths >= done + _PIECE)
            yield _PIECE, texts, self.starts[texts] + done
        size = _PIECE // 2
        while size >= _TAIL:
            if size <= longest:
                texts = np.flatnonzero(self.lengths & size)
                yield size, texts, self.starts[texts] + (self.lengths[texts] & -2 * size)
            size //= 2
        tails = self.lengths % _TAIL
        order = np.argsort(tails, kind="stable")
        ends = np.searchsorted(tails[order], np.arange(_TAIL), side="right")
        for size in range(1, _TAIL):
            texts = order[ends[size - 1] : ends[size]]
            if len(texts):
                yield size, texts, self.starts[texts] + (self.lengths[texts] - size)


def _first_piece(length: int) -> int:
    """The size of the first piece of a text of `length` tokens; the rest is cut the same way."""
    if length < _TAIL:
        return length
    return min(_PIECE, 1 << (length.bit_length() - 1))


class _Gather:
    """Rows of a table, cut to their first columns, gathered into a buffer that is reused."""

    def __init__(self, table: Table, columns: int, tokens: int) -> None:
        dim = table.dim
        width = next(c for c in range(columns, dim + 1) if dim % c == 0)
        self._rows = table.rows
        self._factor = dim // width
        self._view = table.embeddings.reshape(-1, width)
        self._raw = np.empty((tokens, width), self._view.dtype)
        self._floats = self._raw
        if self._raw.dtype != np.float32:
            self._floats = np.empty((tokens, width), np.float32)

    def stored(self, ids: NDArray[Any]) -> Rows:
        """Rows as stored: the shape of `ids` and one axis more; valid until the next call."""
        index = ids if self._rows is None else self._rows.take(ids)
        index = index.astype(np.intp)
        if self._factor > 1:
            index *= self._factor
        out = self._raw[: ids.size].reshape(*ids.shape, self._raw.shape[1])
        return self._view.take(
            index, axis=0, out=out, mode="clip"
        )  # "raise" would not write into out directly

    def floats(self, ids: NDArray[Any]) -> Rows:
        """The same as float32, without scale and weight."""
        stored = self.stored(ids)
        if stored.dtype == np.float32:
            return stored
        out = self._floats[: ids.size].reshape(stored.shape)
        if stored.dtype == np.float16:
            bits = out.view(np.int32)
            np.left_shift(stored.view(np.int16), 13, out=bits, dtype=np.int32)
            bits &= np.int32(-0x70002000)  # the sign was spread over three bits of the exponent
            out *= np.float32(
                2.0**112
            )  # from one exponent's bias to the other's; subnormal numbers come out right
        else:
            np.copyto(out, stored)
        return out


def _block_tokens(dim: int) -> int:
    return max(_PIECE, _BLOCK // (4 * dim))


def _sums(table: Table, texts: _Texts, columns: int, dtype: np.dtype[Any]) -> Rows:
    """(B, columns) of `dtype`: Σ weights[t] · embeddings[rows[t]] of each text, unscaled."""
    out = np.zeros((len(texts.lengths), columns), dtype)
    tokens = _block_tokens(columns)
    gather = _Gather(table, columns, min(tokens, texts.ids.size))
    exact = table.embeddings.dtype == np.int8 and table.weights is None
    for which, ids in texts.blocks(tokens):
        if exact:
            out[which] += np.add.reduce(gather.stored(ids)[:, :, :columns], axis=1, dtype=np.int16)
        elif table.weights is None:
            out[which] += np.add.reduce(gather.floats(ids)[:, :, :columns], axis=1)
        else:
            out[which] += _weighted(table.weights.take(ids), gather.floats(ids)[:, :, :columns])
    return out


def _damped_sums(
    table: Table, texts: _Texts, means: Rows, beta: float, prefix: int
) -> tuple[Rows, Rows]:
    """(B, prefix) unscaled sums of damped rows, and (B,) sums of dampings (1 for an empty text).

    Args:
        table: the table.
        texts: the texts.
        means: (B, dims) each text's unscaled plain sum; only its direction counts. Its dtype is
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
    tokens = _block_tokens(max(prefix, dims))
    gather = _Gather(table, max(prefix, dims), min(tokens, texts.ids.size))
    for which, ids in texts.blocks(tokens):
        rows = gather.floats(ids)
        cosines = np.einsum("ksd,kd->ks", rows[:, :, :dims], directions[which])
        exponents = -beta * cosines / table.norms(ids, dims)
        damping = np.exp(exponents.astype(np.float32))
        total[which] += np.add.reduce(damping, axis=1)
        if table.weights is not None:
            damping *= table.weights.take(ids)
        out[which] += _weighted(damping, rows[:, :, :prefix])
    total[texts.lengths == 0] = 1
    return out, total


def _weighted(weights: Floats, rows: Rows) -> Rows:
    """(K, S) and (K, S, d) give (K, d), the weighted sums over the middle axis."""
    sums: Rows = np.einsum("ks,ksd->kd", weights, rows)
    return sums
