"""Texts as bags of tokens, whose vectors follow a table that changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..vocabulary.token_ids import TokenIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..training.start import Start
    from .text_store import TextStore

Float32s = NDArray[np.float32]

_BLOCK = 8_192  # texts pooled at a time
_LEAST_LENGTH = 1e-3  # of a row, relative to the mean: a row of zeros can move as well


@dataclass(frozen=True, eq=False)
class Bags:
    """N texts of U tokens.

    Attributes:
        tokens: (U,) the ids of the tokens that the texts have, the most frequent first.
        repeated: How many of the tokens occur more than once.
        rows: (U, D) float32, their rows at the start.
        shares: (N, U) sparse float32, the share of each token in its text's sum.
    """

    tokens: NDArray[np.int64]
    repeated: int
    rows: Float32s
    shares: csr_matrix

    @property
    def lengths(self) -> Float32s:
        """The lengths of the rows at the start, (U,); a row of zeros has a small one."""
        lengths = np.linalg.norm(self.rows, axis=1)
        return np.asarray(np.maximum(lengths, _LEAST_LENGTH * lengths.mean()), np.float32)

    def take(self, which: NDArray[np.int64]) -> Bags:
        """Select texts."""
        return replace(self, shares=self.shares[which])

    def blocks(self) -> Iterator[tuple[slice, csr_matrix]]:
        """Yield the shares of some thousand texts at a time."""
        for first in range(0, self.shares.shape[0], _BLOCK):
            part = slice(first, min(first + _BLOCK, self.shares.shape[0]))
            yield part, self.shares[part]

    def vectors(self, rows: Float32s) -> Float32s:
        """Return the unit vectors (N, D) of the texts under other rows (U, D)."""
        pooled: Float32s = np.concatenate([unit(part @ rows)[0] for _, part in self.blocks()])
        return pooled

    def table(self, start: Float32s, rows: Float32s) -> Float32s:
        """Return a copy of the table (V, D) with other rows (U, D) for the tokens."""
        table: Float32s = start.copy()
        table[self.tokens] = rows
        return table


def unit(sums: Float32s) -> tuple[Float32s, Float32s]:
    """Return vectors of unit length, and the lengths (n, 1); zeros stay."""
    lengths = np.sqrt(np.einsum("nd,nd->n", sums, sums))[:, None]
    lengths[lengths == 0] = 1
    return sums / lengths, lengths


def read_bags(start: Start, damping: tuple[float, int] | None, texts: TextStore) -> Bags:
    """Tokenize texts, and compute the shares of their tokens.

    Args:
        start: The table and its tokenizer.
        damping: (beta, k) of damped pooling; None: the plain mean.
        texts: N texts.
    """
    tokenize = TokenIds(start.tokenizer, start.unknown_token_id, start.max_tokens)
    ids: list[NDArray[np.int32]] = []
    sizes: list[NDArray[np.int64]] = []
    shares: list[Float32s] = []
    for block in texts.blocks():
        token_ids, lengths = tokenize(block)
        ids.append(token_ids)
        sizes.append(lengths)
        shares.append(_shares(token_ids, lengths, start.rows, damping))
    every = np.concatenate(ids)
    tokens, places, counts = np.unique(every, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    bounds = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    matrix = csr_matrix(
        (np.concatenate(shares), rank[places.ravel()], bounds), (len(texts), len(tokens))
    )
    chosen = tokens[order].astype(np.int64)
    return Bags(chosen, int((counts > 1).sum()), start.rows[chosen], matrix)


def _shares(
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    rows: Float32s,
    damping: tuple[float, int] | None,
) -> Float32s:
    """Return the share of each token (n,) in its text's sum (format specification, section 8)."""
    owners = np.repeat(np.arange(len(lengths)), lengths)
    if damping is None or damping[0] == 0.0:
        return np.asarray(1 / lengths[owners], np.float32)
    beta, dims = damping
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    tokens, places = np.unique(ids, return_inverse=True)
    heads = rows[tokens, :dims]
    ones = np.ones(len(ids), np.float32)
    means = csr_matrix((ones, places.ravel(), bounds), (len(lengths), len(tokens))) @ heads
    directions, _ = unit(heads)
    cosines = np.einsum("nd,nd->n", directions[places.ravel()], unit(means)[0][owners])
    weights = np.exp(-beta * cosines)
    return np.asarray(weights / np.bincount(owners, weights, len(lengths))[owners], np.float32)
