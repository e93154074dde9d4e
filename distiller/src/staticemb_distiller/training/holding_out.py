"""Which examples are kept to validate on: chosen by their anchors, and no pair on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_SHARE = 0.05
LEAST = 100  # whose noise is no larger than what a training changes
_MOST_SHARE = 20  # an anchor of more than a twentieth of what is wanted would fill the sample alone


def sides(
    columns: Sequence[NDArray[np.int32]],
    digests: NDArray[np.uint64],
    wanted: float | None,
    seed: int,
) -> list[tuple[Mask, Mask]]:
    """Part the examples of each source into those to train on and those to validate on.

    An example is held out if its anchor is; which anchors are hangs on their digests and the seed.
    Of pairs, one that is a held-out pair the other way round is on neither side: its texts would
    be learned to belong together, which is what the validation asks.

    Args:
        columns: Of each source (n, c) text numbers, the anchor first, the positive second.
        digests: (T,) of the texts, by number.
        wanted: How many examples to hold out at most, or, below 1, what share of them; None: a
            twentieth, or none where that makes fewer than 100.
        seed: Another seed, other anchors.

    Returns:
        For each source (n,) which are trained on, and (n,) which are held out.
    """
    held = _held_anchors(columns, digests, wanted, seed)
    out = [held[rows[:, 0]] for rows in columns]
    pairs = [_unordered(rows[mask]) for rows, mask in zip(columns, out, strict=True) if mask.any()]
    if not pairs:
        return [(~mask, mask) for mask in out]
    there = np.unique(np.concatenate(pairs))
    return [
        (~(mask | np.isin(_unordered(rows), there)), mask)
        for rows, mask in zip(columns, out, strict=True)
    ]


def _unordered(columns: NDArray[np.int32]) -> NDArray[np.int64]:
    """A number for each pair of texts, whichever comes first; of a single text one of its own."""
    if columns.shape[1] < 2:
        return -1 - columns[:, 0].astype(np.int64)
    pairs = np.sort(columns[:, :2].astype(np.int64), axis=1)
    numbers: NDArray[np.int64] = pairs[:, 0] << 32 | pairs[:, 1]
    return numbers


def _held_anchors(
    columns: Sequence[NDArray[np.int32]],
    digests: NDArray[np.uint64],
    wanted: float | None,
    seed: int,
) -> Mask:
    """(T,) whether a text is an anchor whose examples are held out."""
    held = np.zeros(len(digests), bool)
    counts = np.zeros(len(digests), np.int64)
    for rows in columns:
        counts += np.bincount(rows[:, 0], minlength=len(counts))
    if wanted is None:
        wanted = _SHARE if _SHARE * counts.sum() >= LEAST else 0
    most = wanted * counts.sum() if wanted < 1 else wanted
    anchors = np.flatnonzero((counts > 0) & (counts <= max(1, most // _MOST_SHARE)))
    anchors = anchors[np.argsort(_mixed(digests[anchors], seed), kind="stable")]
    held[anchors[np.cumsum(counts[anchors]) <= most]] = True
    return held


def _mixed(digests: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Digests as if keyed by the seed: the finalizer of SplitMix64."""
    key = np.random.default_rng(seed).integers(2**64, dtype=np.uint64)
    mixed = digests ^ key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    finished: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return finished
