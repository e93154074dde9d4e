"""Cut texts into blocks of nearly equal lengths, so that numpy pools many texts in few calls.

A block holds its token ids by place, then by text: the sum over the first axis has long inner
loops. Texts are sorted by length. Shorter texts of a block repeat their last token.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .table import Ints, Rows


class PaddedBlock(NamedTuple):
    """Texts that are pooled together.

    Attributes:
        part: the texts, as a slice of those given to `blocks`.
        ids: (S, K) the token ids of K texts, padded to S tokens.
        padding: (T, K) which of the last T ids of each text are padding; None: none of any.
    """

    part: slice
    ids: NDArray[Any]
    padding: NDArray[np.bool_] | None = None

    def clear(self, rows: Rows) -> Rows:
        """Set the rows of the padding to 0, in rows (S, K, d) that were gathered by `ids`."""
        if self.padding is not None:
            rows[len(rows) - len(self.padding) :][self.padding] = 0
        return rows


def blocks(
    ids: NDArray[np.integer[Any]], starts: Ints, lengths: Ints, tokens: int
) -> Iterator[PaddedBlock]:
    """Iterate over blocks of texts; text j has `ids[starts[j] : starts[j] + lengths[j]]`.

    Args:
        ids: (N,) the token ids of all texts.
        starts: (K,) the texts' first places in `ids`.
        lengths: (K,) the texts' numbers of tokens, at least 1, descending.
        tokens: the maximum number of tokens in a block (a longer text is one block).
    """
    ascending = (-lengths).tolist()  # bisect needs ascending values
    within = np.arange(-ascending[0] if ascending else 0)[:, None]
    last = starts + (lengths - 1)
    at, end = 0, len(ascending)
    while at < end:
        size = -ascending[at]
        # At most an eighth of a block is padding. Texts below 8 tokens get none.
        most = min(end, at + max(1, tokens // size))
        stop = bisect_right(ascending, size // 8 - size, at, most)
        part = slice(at, stop)
        places = starts[part] + within[:size]
        shortest = -ascending[stop - 1]
        if shortest == size:
            yield PaddedBlock(part, ids.take(places))
        else:
            np.minimum(places, last[part], out=places)
            yield PaddedBlock(part, ids.take(places), within[shortest:size] >= lengths[part])
        at = stop
