"""Sums of rows over the first axis, whose bits do not depend on the number of texts.

BLAS is not used (einsum without `optimize` does not call it): its threads and kernels may change
the order of a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from .table import Floats, Rows

_EXACT: Final = 256  # int16 holds the sum of so many int8
_FOLD: Final = 8  # tokens

add: Final[Callable[..., Any]] = np.add.reduce
# einsum without its search for arguments of other libraries and its choice of a way, which together
# take as long as a query's sum. Where numpy hides its C function, the public one does the same.
_python_einsum: Final = getattr(np.einsum, "__wrapped__", np.einsum)
einsum: Final[Callable[..., Any]] = getattr(_python_einsum, "__globals__", {}).get(
    "c_einsum", _python_einsum
)


def integer_sums(stored: Rows) -> Floats:
    """Sum contiguous int8 rows (S, ..., d) exactly: (..., d) float32."""
    size = len(stored)
    texts = stored[0].size // stored.shape[-1]
    # The order of an exact sum is free: several tokens side by side make a few texts' loop longer.
    fold = max(-(-size // _EXACT), min(_FOLD // texts, size // _FOLD), 1)
    end = size - size % fold
    sums: Rows = add(stored[:end].reshape(-1, fold, *stored.shape[1:]), 0, np.int16)
    total: Floats = sums[0].astype(np.float32) if fold == 1 else add(sums, 0, np.float32)
    if end < size:
        total += add(stored[end:], 0, np.int16)
    return total


def weighted_sums(rows: Rows, factors: Rows | None) -> Rows:
    """Sum rows (S, ..., d) times factors (S, ...), in their order: (..., d)."""
    if rows.shape[-1] == 1:  # numpy would sum a single column in an order that depends on K
        products = rows if factors is None else rows * factors[..., None]
        sums: Rows = np.add.accumulate(products, axis=0)[-1]
        sums += 0.0  # as einsum: the sum is not -0
    elif factors is None:
        sums = add(rows, 0, None, None, False, 0.0)  # from 0, as einsum: the sum is not -0
    elif rows.ndim == 2:
        sums = einsum("s,sd->d", factors, rows)
    else:
        sums = einsum("sk,skd->kd", factors, rows)
    return sums
