"""Decimal digits of float32, for JSON."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_POWERS: Final = np.array([float(f"1e{exponent}") for exponent in range(23)])  # all are exact


def nine_digits(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Round numbers to nine significant digits, which identify every float32.

    JSON writes a float32 that was converted to float64 with up to 17 digits. Nine digits halve the
    size of an answer.

    Args:
        values: any shape, finite.

    Returns:
        The same shape; values from 1e9 on and below 1e-14 are not rounded.

    Example:
        >>> nine_digits(np.array([0.1, -2.0], np.float32)).tolist()
        [0.100000001, -2.0]
    """
    wide = values.astype(np.float64)
    with np.errstate(divide="ignore"):
        digits = 8 - np.floor(np.log10(np.abs(wide)))
    short = (digits >= 0) & (digits < len(_POWERS))
    scale = _POWERS[np.where(short, digits, 0).astype(np.intp)]
    # An integer divided by an exact power of ten gives the float64 nearest to the decimal.
    return np.where(short, np.rint(wide * scale) / scale, wide)
