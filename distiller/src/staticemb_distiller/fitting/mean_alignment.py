"""The alignment of the mean vectors of the user's own texts and of generated sequences.

Measurements: docs/benchmarks/research/fit.md, "Text on top of generated sequences".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def level_means(targets: NDArray[Any], own: NDArray[np.bool_]) -> None:
    """Shift the vectors of own texts, in place, so that their mean equals the other texts' mean.

    The teacher's vectors of generated sequences share a direction that vectors of sentences do not
    have. Without the shift, the rows of the most frequent words would encode this difference.

    Args:
        targets: (N, D) the teacher's vectors, float16 or float32.
        own: (N,) whether each text is an own text. If all or none are, nothing changes.

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
