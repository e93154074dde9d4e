"""Frozen vectors of texts, as a head reads them: of unit length, in files, around their mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from staticemb_runtime import StaticModel

    from .text_store import TextStore

Pooling = Literal["mean", "damped_mean"]
Vectors = NDArray[np.float32]
_BLOCK = 65_536  # vectors changed at a time


class Features(NamedTuple):
    """Vectors around their mean, which makes a fit take fewer steps.

    Attributes:
        vectors: (N, D) float32, unit vectors less the mean; a file is mapped.
        mean: (D,) float32.
        empty: the numbers of the vectors that were zero: of texts without a known token.
    """

    vectors: Vectors
    mean: NDArray[np.float32]
    empty: NDArray[np.int64]


def poolings(model: StaticModel) -> tuple[Pooling, ...]:
    """Return the poolings that a model can do, the file's own first."""
    return ("mean",) if model.metadata.pooling == "mean" else ("damped_mean", "mean")


def encode(
    model: StaticModel,
    texts: TextStore,
    pooling: Pooling,
    path: Path,
    rows: NDArray[np.int64] | None = None,
    advance: Callable[[int], object] = lambda done: None,
) -> Vectors:
    """Encode texts to unit vectors in a file; the vector of a text without a token is zero.

    Args:
        model: The model.
        texts: The texts.
        pooling: The pooling.
        path: The file, which is overwritten.
        rows: (n,) which texts; None: all.
        advance: Called with the number of texts encoded since the last call.

    Returns:
        (n, D) float32, mapped.
    """
    count = len(texts) if rows is None else len(rows)
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (count, model.dim))
    done = 0
    for block in texts.blocks(rows):
        vectors[done : done + len(block)] = model.encode(
            block, normalize_embeddings=True, pooling=pooling, on_empty="zero"
        )
        done += len(block)
        advance(len(block))
    return vectors


def centered(vectors: Vectors) -> Features:
    """Subtract the mean from vectors (N, D), in place."""
    total = np.zeros(vectors.shape[1], np.float64)
    empty = []
    for first in range(0, len(vectors), _BLOCK):
        block = vectors[first : first + _BLOCK]
        total += block.sum(axis=0, dtype=np.float64)
        empty.append(first + np.flatnonzero(~block.any(axis=1)))
    mean = (total / len(vectors)).astype(np.float32)
    for first in range(0, len(vectors), _BLOCK):
        vectors[first : first + _BLOCK] -= mean
    return Features(vectors, mean, np.concatenate(empty))
