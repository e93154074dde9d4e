"""What can be done to all rows of a table alike: row lengths by a power, directions evened out.

A fit that saw no real text overrates frequent words and the direction that all texts share; and no
pair can teach a token that it does not hold. Both reach every row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def shaped(
    rows: NDArray[np.float32],
    length_power: float,
    whiten: float,
    text_vectors: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Rows with lengths raised to a power, and then directions evened out.

    Args:
        rows: (V, D).
        length_power: As for `with_length_power`; 1 leaves them as they are.
        whiten: As for `whitened`; 0 leaves them as they are.
        text_vectors: From rows to the (n, D) vectors of texts under them.

    Returns:
        (V, D); the same array if nothing was to be done.
    """
    if length_power != 1.0:
        rows = with_length_power(rows, length_power)
    if whiten > 0.0:
        rows = whitened(rows, text_vectors(rows), whiten)
    return rows


def with_length_power(rows: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Raise the lengths of rows to a power, and keep their directions.

    A row's length is its token's weight: above 1, rare tokens count more beside frequent ones.

    Args:
        rows: (V, D).
        power: 1 leaves them as they are.

    Returns:
        (V, D), of the same median length; rows of zeros stay zeros.

    Example:
        >>> with_length_power(np.array([[0, 1], [2, 0], [0, 4]], np.float32), 2.0)
        array([[0. , 0.5],
               [2. , 0. ],
               [0. , 8. ]], dtype=float32)
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    used = lengths > 0
    if not used.any():
        return rows
    factors = np.power(lengths / np.median(lengths[used]), power - 1.0, where=used, out=lengths * 0)
    return np.asarray(rows * factors, np.float32)


def whitened(
    rows: NDArray[np.float32], texts: NDArray[np.float32], exponent: float
) -> NDArray[np.float32]:
    """Multiply rows by a negative power of the second-moment matrix of texts.

    The directions that all texts share shrink, the others grow; axes stay about where they are, as
    the matrix is symmetric. One half is whitening whole (in its ZCA form), less is softer (Su et
    al. 2021 whiten whole, which costs static tables what they know of similarity). Each axis
    counts as one more text, so that few texts do little.

    Args:
        rows: (V, D).
        texts: (n, D) vectors of texts; those of length zero do not count.
        exponent: From 0, as they are, to 0.5.

    Returns:
        (V, D).

    Example:
        >>> rows = np.array([[1, 0], [0, 1]], np.float32)
        >>> whitened(rows, np.array([[1, 0], [2, 0], [3, 0]], np.float32), 0.5).round(3)
        array([[0.791, 0.   ],
               [0.   , 1.581]], dtype=float32)
    """
    lengths = np.linalg.norm(texts, axis=1)
    unit = (texts[lengths > 0] / lengths[lengths > 0, None]).astype(np.float64)
    moments = unit.T @ unit + np.eye(rows.shape[1])
    variances, axes = np.linalg.eigh(moments)
    # Eigenvalues are at least 1 but for rounding: of texts nothing is taken away.
    powers = (variances / variances.mean()) ** -exponent
    return np.asarray(rows @ ((axes * powers) @ axes.T).astype(np.float32), np.float32)
