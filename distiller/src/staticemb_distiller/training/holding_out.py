"""Selection of held-out examples by their anchors; no pair is in training and validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_SHARE = 0.05
LEAST = 100  # with fewer, the noise of a validation exceeds the effect of a training
_MOST_SHARE = 20  # an anchor with more than 1/20 of the held-out examples would dominate them


def sides(
    columns: Sequence[NDArray[np.int32]],
    digests: NDArray[np.uint64],
    wanted: float | None,
    seed: int,
) -> list[tuple[Mask, Mask]]:
    """Split the examples of each source into training and validation examples.

    An example is held out if its anchor is. The digests and the seed determine the held-out
    anchors. A pair whose texts form a held-out pair in reverse order is in neither part: training
    on it would reveal the answer to the validation.

    Args:
        columns: For each source (n, c) text numbers, the anchor first, the positive second.
        digests: (T,) the texts' digests, by number.
        wanted: The largest number of held-out examples, or, below 1, the share of examples; None:
            a twentieth, or none if a twentieth is fewer than 100.
        seed: Another seed selects other anchors.

    Returns:
        For each source two masks (n,): the training examples, and the held-out examples.
    """
    anchor_mask = _held_anchors(columns, digests, wanted, seed)
    masks = [anchor_mask[rows[:, 0]] for rows in columns]
    pairs = [
        _unordered(rows[mask]) for rows, mask in zip(columns, masks, strict=True) if mask.any()
    ]
    if not pairs:
        return [(~mask, mask) for mask in masks]
    held_pairs = np.unique(np.concatenate(pairs))
    return [
        (~(mask | np.isin(_unordered(rows), held_pairs)), mask)
        for rows, mask in zip(columns, masks, strict=True)
    ]


def _unordered(columns: NDArray[np.int32]) -> NDArray[np.int64]:
    """Number pairs of texts regardless of their order; a single text has a negative number."""
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
    """Return the (T,) mask of the texts that are anchors of held-out examples."""
    mask = np.zeros(len(digests), bool)
    counts = np.zeros(len(digests), np.int64)
    for rows in columns:
        counts += np.bincount(rows[:, 0], minlength=len(counts))
    if wanted is None:
        wanted = _SHARE if _SHARE * counts.sum() >= LEAST else 0
    most = wanted * counts.sum() if wanted < 1 else wanted
    anchors = np.flatnonzero((counts > 0) & (counts <= max(1, most // _MOST_SHARE)))
    anchors = anchors[np.argsort(_mixed(digests[anchors], seed), kind="stable")]
    mask[anchors[np.cumsum(counts[anchors]) <= most]] = True
    return mask


def _mixed(digests: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Mix the seed into digests by the finalizer of SplitMix64."""
    key = np.random.default_rng(seed).integers(2**64, dtype=np.uint64)
    mixed = digests ^ key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    finished: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return finished
