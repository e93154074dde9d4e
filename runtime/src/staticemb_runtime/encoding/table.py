"""The table of a static embedding file, and the gathering of its rows.

- A prefix is gathered without reading the rest of each row and without copying the table: R rows
  of D elements are viewed as R·D/c rows of c elements. c is the smallest divisor of D that is not
  below the prefix.
- float16 is converted by shifting bits, which is exact and several times faster than numpy's
  conversion. So the table can stay in float16, half the size of float32.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import InvalidTokenIdError
from .vectors import check_dim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.intp]  # numpy's index type: 32 bits on a 32-bit system
    Rows = NDArray[Any]

_AT_ONCE: Final = 1 << 17  # elements
# Products of float32 with rows of such lengths are precise enough.
_USABLE_INVERSES: Final = (1e-20, 1e20)


class EmbeddingTable:
    """The table of a static embedding file.

    The values must come from a checked file; `rows` in particular is not checked again.

    Attributes:
        embeddings: (R, D) float32, float16 or int8; may be memory-mapped.
        scale: (D,) float32, the step of each column; only with int8.
        weights: (V,) float32, the factor of each token; None: ones.
        rows: (V,) integers below R, the row of each token; None: 0, 1, 2, …
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
        self._inverse_lengths: dict[int, InverseLengths] = {}

    @cached_property
    def relative_scale(self) -> NDArray[np.float64]:
        """(D,) the scale divided by its largest element; ones if there is no scale.

        A common factor of the scale cancels in a cosine.
        """
        if self.scale is None:
            return np.ones(self.dim)
        relative: NDArray[np.float64] = self.scale / np.float64(self.scale.max())
        return relative

    @property
    def sums_integers(self) -> bool:
        """Whether the plain sum of rows is a sum of integers, scaled afterward."""
        return self.embeddings.dtype == np.int8 and self.weights is None

    @property
    def dim(self) -> int:
        """D, the length of a row."""
        return int(self.embeddings.shape[1])

    @property
    def vocab_size(self) -> int:
        """V, the number of token ids."""
        return len(self.embeddings if self.rows is None else self.rows)

    def token_rows(self, ids: NDArray[Any], prefix: int | None = None) -> Floats:
        """Return the vectors e_i of single tokens (SPEC.md, stage 4).

        Args:
            ids: (N,) integers.
            prefix: the number of first columns; None: all.

        Returns:
            (N, prefix) float32.

        Raises:
            InvalidDimensionError: `prefix` is below 1 or above D.
            InvalidTokenIdError: an id is negative, or at least V.
        """
        prefix = check_dim(prefix, self.dim)
        check_ids(ids, self.vocab_size)
        out: Floats = Gather(self, prefix, len(ids)).floats(ids)[:, :prefix].copy()
        if self.scale is not None:
            out *= self.scale[:prefix]
        if self.weights is not None:
            out *= self.weights.take(ids)[:, None]
        return out

    def inverse_lengths(self, dims: int) -> InverseLengths:
        """Return one over the lengths of the rows over their first `dims` columns."""
        lengths = self._inverse_lengths.get(dims)
        if lengths is None:
            lengths = self._inverse_lengths.setdefault(dims, InverseLengths(self, dims))
        return lengths


def gathered_columns(columns: int, dim: int) -> int:
    """Return how many columns are gathered for the first ones: a divisor of D.

    Example:
        >>> gathered_columns(64, 256), gathered_columns(65, 256), gathered_columns(2, 257)
        (64, 128, 257)
    """
    return next(c for c in range(columns, dim + 1) if dim % c == 0)


class Gather:
    """A reused buffer for rows of a table, cut to their first columns.

    Args:
        table: the table.
        columns: the number of first columns; the rows may have more.
        tokens: the maximum number of rows in one call.
    """

    def __init__(self, table: EmbeddingTable, columns: int, tokens: int) -> None:
        width = gathered_columns(columns, table.dim)
        self._rows = table.rows
        self._factor = table.dim // width
        self._view = table.embeddings.reshape(-1, width)
        self._raw = np.empty((tokens, width), self._view.dtype)
        self._converted: Floats | None = None

    def stored(self, ids: NDArray[Any]) -> Rows:
        """Return rows as stored, in the shape of `ids` plus one axis; valid until the next call."""
        index = ids if self._rows is None else self._rows.take(ids)
        index = index.astype(np.intp)
        if self._factor > 1:
            index *= self._factor
        out = self._raw[: ids.size].reshape(*ids.shape, self._raw.shape[1])
        # mode="raise" would write into a copy of out first
        return self._view.take(index, axis=0, out=out, mode="clip")

    def floats(self, ids: NDArray[Any]) -> Rows:
        """Return rows as float32, without scale and weight; valid until the next call."""
        stored = self.stored(ids)
        if stored.dtype == np.float32:
            return stored
        if self._converted is None:
            self._converted = np.empty(self._raw.shape, np.float32)
        return as_floats(stored, self._converted[: ids.size].reshape(stored.shape))


def as_floats(stored: Rows, out: Floats | None = None) -> Floats:
    """Convert contiguous rows, as stored, to float32, in `out` if it is given."""
    if stored.dtype == np.float32:
        return stored
    if out is None:
        out = np.empty(stored.shape, np.float32)
    if stored.dtype == np.float16:
        bits = out.view(np.int32)
        np.left_shift(stored.view(np.int16), 13, out=bits, dtype=np.int32)
        bits &= np.int32(-0x70002000)  # the shift copied the sign into three exponent bits
        # The factor changes the exponent's bias; subnormal numbers become exact, too.
        out *= np.float32(2.0**112)
    else:
        np.copyto(out, stored)
    return out


class InverseLengths:
    """One over the length of each token's row over its first columns, computed when first needed.

    An inverse has the sign of the token's weight. The weight's size and a common factor of the
    scale cancel in a cosine, so inverses leave them out.

    Args:
        table: the table.
        dims: the number of first columns.

    Attributes:
        values: (V,) float32. 0 for a row of length 0, whose cosines are 0. NaN if the value is not
            computed yet (see `compute`), or if the length is too small or too large for float32.
    """

    def __init__(self, table: EmbeddingTable, dims: int) -> None:
        self._table = table
        self._dims = dims
        self._known = np.zeros(table.vocab_size, np.bool_)
        self.values: Floats = np.full(table.vocab_size, np.nan, np.float32)

    def compute(self, ids: NDArray[Any]) -> None:
        """Compute the values of tokens, unless they are known.

        Args:
            ids: integers of any shape.
        """
        # Not np.unique: it imports numpy.ma, which takes a third of the first call's time.
        is_missing = np.zeros(len(self._known), np.bool_)
        is_missing[ids] = True
        is_missing &= ~self._known
        missing = np.flatnonzero(is_missing)
        step = max(1, _AT_ONCE // self._table.dim)
        gather = Gather(self._table, self._dims, step)
        least, most = _USABLE_INVERSES
        for begin in range(0, len(missing), step):
            part = missing[begin : begin + step]
            values = inverse_lengths(self._table, part, gather.floats(part)[:, : self._dims])
            size = np.abs(values)
            values[(size != 0) & ~((size > least) & (size < most))] = np.nan
            # Two threads may compute the same value. It is stored before it is known.
            self.values[part] = values
            self._known[part] = True


def inverse_lengths(table: EmbeddingTable, ids: NDArray[Any], rows: Rows) -> NDArray[np.float64]:
    """Return one over the lengths of tokens' rows, as `InverseLengths` has them; never NaN.

    Args:
        table: the table.
        ids: (n,) integers.
        rows: (n, dims) the tokens' rows, as `Gather.floats` gives them.

    Returns:
        (n,) float64.
    """
    scaled = rows * table.relative_scale[: rows.shape[1]]
    lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    if table.weights is not None:
        lengths *= np.sign(table.weights.take(ids))
    inverses = np.zeros(len(ids))
    np.divide(1, lengths, out=inverses, where=lengths != 0)
    return inverses


def check_ids(ids: NDArray[np.integer[Any]], vocab_size: int) -> None:
    """Refuse ids that are not from 0 to `vocab_size` - 1.

    Raises:
        InvalidTokenIdError: an id is out of range.
    """
    if not ids.size:
        return
    unsigned = ids.view(f"u{ids.itemsize}")  # a negative number becomes a large one
    if unsigned.max() >= vocab_size:
        wrong = ids[(ids < 0) | (ids >= vocab_size)][0]
        raise InvalidTokenIdError(f"token ids: expected 0 to {vocab_size - 1}, found {wrong}")
