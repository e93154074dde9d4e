"""Which examples are held out for validation: all of an anchor, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Examples
from .spool import kept

if TYPE_CHECKING:
    from .numbering import Numbering


def held_anchors(
    sources: Sequence[Examples], numbering: Numbering, share: float, seed: int
) -> NDArray[np.bool_]:
    """Choose anchors whose examples are held out, by digests of their texts and the seed alone.

    Args:
        sources: Examples of all sources.
        numbering: Of their texts, T in all.
        share: How many examples at most, or, below 1, what share of them.
        seed: Another seed, another choice.

    Returns:
        (T,) whether examples with this anchor are held out.
    """
    held = np.zeros(len(numbering), bool)
    counts = np.zeros(len(numbering), np.int64)
    for examples in sources:
        counts += np.bincount(examples.columns[:, 0], minlength=len(counts))
    wanted = share * counts.sum() if share < 1 else share
    # An anchor of very many examples would fill the sample alone.
    anchors = np.flatnonzero((counts > 0) & (counts <= max(1, wanted // 20)))
    anchors = anchors[np.argsort(_mixed(numbering.digests()[anchors], seed), kind="stable")]
    held[anchors[np.cumsum(counts[anchors]) <= wanted]] = True
    return held


def _mixed(digests: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Digests as if keyed by the seed: the finalizer of SplitMix64."""
    key = np.random.default_rng(seed).integers(2**64, dtype=np.uint64)
    mixed = digests ^ key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    finished: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return finished


def part_of(examples: Examples, held: NDArray[np.bool_], path: Path, *, keep: bool) -> Examples:
    """Those examples whose anchors are held out, if `keep`, else the others, in files at `path`."""
    mask = held[examples.columns[:, 0]] == keep
    if mask.all():
        return examples

    def cut(array: Any, name: str) -> Any:  # noqa: ANN401 - of any dtype
        return None if array is None else kept(path.with_suffix(f".{name}.npy"), array[mask])

    return replace(
        examples,
        columns=cut(examples.columns, "columns"),
        scores=cut(examples.scores, "scores"),
        labels=cut(examples.labels, "labels"),
    )
