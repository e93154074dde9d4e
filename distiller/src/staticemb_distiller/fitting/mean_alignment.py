"""Text of the user's own on top of generated sequences: the means of their vectors made one.

The figures behind it: docs/benchmarks/research/fit.md, "Text on top of generated sequences".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def level_means(targets: NDArray[Any], own: NDArray[np.bool_]) -> None:
    """Move the vectors of one's own texts, in place, so that their mean is that of the others.

    A teacher's vectors of sequences without sense share a direction that those of sentences do not
    have. A table could tell the two kinds apart by their words alone, and would spend the rows of
    the commonest on it.

    Args:
        targets: (N, D) the teacher's vectors, float16 or float32.
        own: (N,) which are of one's own texts. Nothing moves if all are, or none.

    Example:
        >>> targets = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]], np.float32)
        >>> level_means(targets, np.array([True, True, False]))
        >>> targets
        array([[ 0.75,  0.25],
               [ 1.25, -0.25],
               [ 1.  ,  0.  ]], dtype=float32)
    """
    if own.any() and not own.all():
        others = targets[~own].mean(0, dtype=np.float64)
        shift = others - targets[own].mean(0, dtype=np.float64)
        targets[own] += shift.astype(targets.dtype)
