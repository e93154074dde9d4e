"""Columns that let texts match by equal words as well as by similar ones: random Fourier features.

The cosine of two texts adds up the cosines of their tokens, and hundreds of loosely related pairs
outweigh the one pair that is the same word. The columns add a kernel that only nearly equal
directions share, k(u, v) = exp(-|u - v|^2 / 2 s^2), approximated by cosines and sines of random
projections (Rahimi and Recht, 2007). A token's share grows with its surprisal, as in IDF.

Measurements: docs/benchmarks/research/retrieval.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import weights as zipf
from .rotation import BLOCK_ROWS

if TYPE_CHECKING:
    from .build import Table

_WIDTH = 0.5  # s, the distance of unit vectors at which the kernel falls to 0.61
_SHARE = 0.8  # the length of the columns of a token of average surprisal, as a share of its row's


def with_kernel_columns(table: Table, columns: int, *, seed: int = 0) -> Table:
    """Append random Fourier features of the rows' directions to a table.

    The first D columns stay as they are, so a prefix of D has the vectors of the table without the
    columns. They are zero in the projection: the teacher's vectors have no such columns.

    Args:
        table: A table of V rows and D columns. Its tokens are in order of falling frequency.
        columns: The number of columns, even: pairs of a cosine and a sine. 0 changes nothing.
        seed: The seed of the projections.

    Returns:
        The table with D + `columns` columns. A row of zeros stays zeros.
    """
    if not columns:
        return table
    tokens, width = table.rows.shape
    random = np.random.default_rng(seed)
    projections = random.standard_normal((width, columns // 2), dtype=np.float32) / _WIDTH
    probabilities = zipf.rank_probabilities(tokens)
    surprisal = -np.log(probabilities)
    shares = _SHARE * surprisal / (probabilities @ surprisal)
    factors = (shares * np.sqrt(2 / columns)).astype(np.float32)
    rows = np.zeros((tokens, width + columns), np.float32)
    rows[:, :width] = table.rows
    for first in range(0, tokens, BLOCK_ROWS):
        block = slice(first, first + BLOCK_ROWS)
        lengths = np.linalg.norm(table.rows[block], axis=1, keepdims=True)
        angles = (table.rows[block] / np.where(lengths, lengths, 1)) @ projections
        scale = lengths * factors[block, None]
        rows[block, width::2] = np.cos(angles) * scale
        rows[block, width + 1 :: 2] = np.sin(angles) * scale
    projection = np.pad(table.projection, ((0, 0), (0, columns)))
    return replace(table, rows=rows, projection=projection)
