"""Labels as text, from files of every kind."""

from __future__ import annotations

import numpy as np

from .surrogates import without_surrogates


def label_text(value: object) -> str | None:
    """Return a label as text, without white space at its ends; None if it is no text and no number.

    Whole floats are written as integers: a column of integers with a null has floats in Parquet.

    >>> label_text(3.0), label_text(" b"), label_text([1])
    ('3', 'b', None)
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return without_surrogates(str(value).strip()) if isinstance(value, (str, int, float)) else None
