"""The mixture of two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def mixed(
    start: NDArray[np.float32], end: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Return (V, D) rows between those of two tables, both (V, D) float32.

    Args:
        start: The rows at the share 0.
        end: The rows at the share 1.
        share: The share of the way, from 0 to 1.

    Example:
        >>> import numpy as np
        >>> mixed(np.array([[1.0, 0.0]], np.float32), np.array([[1.0, 2.0]], np.float32), 0.25)
        array([[1. , 0.5]], dtype=float32)
    """
    if share in (0.0, 1.0):
        return end if share else start
    rows = end - start
    rows *= share
    rows += start
    return rows
