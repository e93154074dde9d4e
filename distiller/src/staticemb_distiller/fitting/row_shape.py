"""The shape of fitted rows: their lengths are raised to a power, and their directions whitened.

A fit to generated sequences overrates frequent words and the direction that all texts share. These
two operations correct that in every row, including rows of tokens that no text contains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Shaped(NamedTuple):
    """Shaped rows.

    Attributes:
        rows: (V, D) float32.
        whitening: (D, D) float32, the matrix that whitened the rows; None: they are not whitened.
    """

    rows: NDArray[np.float32]
    whitening: NDArray[np.float32] | None


def shaped(
    rows: NDArray[np.float32],
    length_power: float,
    whiten: float,
    text_vectors: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> Shaped:
    """Raise the lengths of rows to a power, and then whiten their directions.

    Args:
        rows: (V, D).
        length_power: As for `with_length_power`; 1 changes nothing.
        whiten: As for `whitened`; 0 changes nothing.
        text_vectors: A function from rows to the (n, D) vectors of texts.

    Returns:
        The rows, in the same array if nothing changes, and the whitening matrix.
    """
    whitening = None
    if length_power != 1.0:
        rows = with_length_power(rows, length_power)
    if whiten > 0.0:
        whitening = whitening_matrix(text_vectors(rows), whiten)
        rows = np.asarray(rows @ whitening, np.float32)
    return Shaped(rows, whitening)


def with_length_power(rows: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Raise the lengths of rows to a power, and keep their directions.

    A row's length is its token's weight: with a power above 1, rare tokens count more.

    Args:
        rows: (V, D).
        power: The power; 1 changes nothing.

    Returns:
        (V, D), with the same median length; zero rows stay zero.

    Example:
        >>> with_length_power(np.array([[0, 1], [2, 0], [0, 4]], np.float32), 2.0)
        array([[0. , 0.5],
               [2. , 0. ],
               [0. , 8. ]], dtype=float32)
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    nonzero = lengths > 0
    if not nonzero.any():
        return rows
    factors = np.power(
        lengths / np.median(lengths[nonzero]), power - 1.0, where=nonzero, out=lengths * 0
    )
    return np.asarray(rows * factors, np.float32)


def whitening_matrix(texts: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """Compute a negative power of the second-moment matrix of texts, to multiply rows by.

    Directions that all texts share shrink, other directions grow. The matrix is symmetric, so the
    axes hardly turn. Exponent 0.5 is full (ZCA) whitening, smaller exponents are weaker; full
    whitening (Su et al. 2021) lowers the quality of static tables on similarity. Each axis counts
    as one more text, so that few texts change little.

    Args:
        texts: (n, D) vectors of texts; zero vectors are ignored.
        exponent: From 0 (no change) to 0.5.

    Returns:
        (D, D) float32.

    Example:
        >>> whitening_matrix(np.array([[1, 0], [2, 0], [3, 0]], np.float32), 0.5).round(3)
        array([[0.791, 0.   ],
               [0.   , 1.581]], dtype=float32)
    """
    lengths = np.linalg.norm(texts, axis=1)
    unit = (texts[lengths > 0] / lengths[lengths > 0, None]).astype(np.float64)
    moments = unit.T @ unit + np.eye(texts.shape[1])
    variances, axes = np.linalg.eigh(moments)
    # Adding the identity makes eigenvalues at least 1, up to rounding, so the power is finite.
    powers = (variances / variances.mean()) ** -exponent
    return np.asarray((axes * powers) @ axes.T, np.float32)
