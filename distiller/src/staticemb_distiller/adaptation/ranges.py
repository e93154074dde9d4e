"""The ranges of an adaptation's numbers, for the function and for the command."""

from __future__ import annotations

import sys

_SMALLEST, _LARGEST = sys.float_info.min, sys.float_info.max

RANGES = {
    "regularization": (_SMALLEST, _LARGEST, "above 0"),
    "damping_beta": (0, 16, "from 0 to 16"),
    "share": (_SMALLEST, 1, "above 0, at most 1"),
    "max_tokens": (1, _LARGEST, "of at least 1"),
    "seed": (0, _LARGEST, "of at least 0"),
}
"""The least and the largest value of each number, and the range in words."""


def out_of_range(name: str, value: float) -> str:
    """Return which number was expected if a value is out of its range, and else "".

    NaN is out of range: comparisons with it are false.

    >>> out_of_range("share", 2.0), out_of_range("share", 0.5)
    ('expected a number above 0, at most 1', '')
    """
    least, most, words = RANGES[name]
    return "" if least <= value <= most else f"expected a number {words}"
