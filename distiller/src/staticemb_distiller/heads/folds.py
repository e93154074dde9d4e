"""Folds for cross-validation: stratified by label, and equal texts in one fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .targets import Targets

_FEW = 4_000
_NEAR = 20  # texts with numbers next to each other, which are dealt out evenly


def fold_count(texts: int) -> int:
    """Return the number of folds: 5 of few texts, 3 of many, whose fits take long."""
    return 5 if texts <= _FEW else 3


def fold_numbers(targets: Targets, digests: NDArray[np.uint64], seed: int) -> NDArray[np.int8]:
    """Assign each text to a fold.

    Texts with one digest get one fold, or a text would be held out while its copy is not. Within
    a label, the texts are dealt out at random, one to each fold after the other. The only text of
    a label is never held out: its fold is -1.

    Args:
        targets: N targets.
        digests: (N,) the digests of the texts.
        seed: The seed of the order.

    Returns:
        (N,) int8, from 0 to the number of folds less 1, or -1.
    """
    folds = fold_count(len(targets))
    rng = np.random.default_rng(seed)
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    labels = _strata(targets)[first]
    order = rng.permutation(len(first))
    order = order[np.argsort(labels[order], kind="stable")]
    grouped = labels[order]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
    sizes = np.diff(np.r_[starts, len(order)])
    within = np.arange(len(order)) - np.repeat(starts, sizes)
    # Each label begins at another fold, so that folds of many small labels have one size.
    shift = np.repeat(np.cumsum(sizes) - sizes, sizes)
    numbers = np.empty(len(first), np.int8)
    numbers[order] = (within + shift) % folds
    if targets.kind == "softmax":
        numbers[order[np.repeat(sizes, sizes) == 1]] = -1
    return numbers[inverse]


def _strata(targets: Targets) -> NDArray[np.int64]:
    """Return the group of each text whose texts are dealt out evenly."""
    if targets.kind == "softmax":
        return np.asarray(targets.values, np.int64)
    if targets.kind == "linear":
        ranks = np.argsort(np.argsort(targets.values[:, 0], kind="stable"), kind="stable")
        return ranks // _NEAR
    # The rarest label of a text: a rare label must not fall into one fold alone.
    matrix = targets.values
    counts = targets.counts()
    rarest = np.full(len(targets), -1, np.int64)
    rows = np.repeat(np.arange(len(targets)), np.diff(matrix.indptr))
    order = np.argsort(-counts[matrix.indices], kind="stable")
    rarest[rows[order]] = matrix.indices[order]
    return rarest
