"""Ranking of texts by cosine, in blocks, for validation and mining."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .bag import Bag
    from .dataset import Texts

_TEXTS = 8_192
_SCORES = 1 << 24  # cosines in memory at once: 64 MB
NEVER = -2.0  # stands for the cosine of excluded candidates, below all real cosines


def text_vectors(bag: Bag, texts: Texts, numbers: NDArray[np.int64]) -> Tensor:
    """Return (n, D) pooled vectors of texts by their numbers, on the bag's device."""
    blocks = [
        bag.vectors(*texts.take(numbers[first : first + _TEXTS]))
        for first in range(0, len(numbers), _TEXTS)
    ]
    return torch.cat(blocks) if blocks else bag.table.new_zeros(0, bag.table.shape[1])


def unit_vectors(bag: Bag, texts: Texts, numbers: NDArray[np.int64]) -> Tensor:
    """Return `text_vectors` with unit length; zeros stay zeros."""
    return functional.normalize(text_vectors(bag, texts, numbers), dim=1)


def blocks(queries: int, candidates: int) -> list[slice]:
    """Divide queries into ranges whose cosines with all candidates fit into memory."""
    step = max(1, _SCORES // max(candidates, 1))
    return [slice(first, min(first + step, queries)) for first in range(0, queries, step)]


def no_negatives(
    anchors: NDArray[np.int64], own: NDArray[np.int64], pool: NDArray[np.int64]
) -> list[list[int]]:
    """List each anchor's candidates that are not negatives: all its answers, and its own text.

    Args:
        anchors: (q,) the text number of each example's anchor.
        own: (q,) the index of the candidate that answers it in the example.
        pool: (c,) the candidates' text numbers.

    Returns:
        For each example the indices of these candidates; examples of one anchor share a list.
    """
    by_anchor: dict[int, list[int]] = {}
    for anchor, answer in zip(anchors.tolist(), own.tolist(), strict=True):
        by_anchor.setdefault(anchor, []).append(answer)
    for candidate, text in enumerate(pool.tolist()):
        if text in by_anchor:
            by_anchor[text].append(candidate)
    return [by_anchor[anchor] for anchor in anchors.tolist()]


def forbid(cosines: Tensor, places: Sequence[Sequence[int]]) -> None:
    """Set (q, c) cosines to `NEVER` at the columns that `places` lists for each row."""
    rows = np.repeat(np.arange(len(places)), [len(row_places) for row_places in places])
    columns = np.fromiter(chain.from_iterable(places), np.int64, len(rows))
    indices = torch.from_numpy(np.stack([rows, columns])).to(cosines.device)
    cosines[indices[0], indices[1]] = NEVER


def ranks(
    queries: Tensor,
    candidates: Tensor,
    own: NDArray[np.int64],
    passed_over: Sequence[Sequence[int]],
) -> NDArray[np.int64]:
    """Compute the rank of each query's own candidate.

    Args:
        queries: (q, D) unit vectors.
        candidates: (c, D) unit vectors of distinct texts.
        own: (q,) the index of each query's own candidate.
        passed_over: For each query, the candidates to exclude from the ranking: other answers.

    Returns:
        (q,) ranks from 1. Among equal cosines the own candidate comes last, so that identical
        vectors get the worst ranks.
    """
    result = np.empty(len(queries), np.int64)
    for block in blocks(len(queries), len(candidates)):
        cosines = queries[block] @ candidates.T
        place = torch.from_numpy(own[block, None]).to(cosines.device)
        own_cosines = cosines.gather(1, place)
        forbid(cosines, passed_over[block])
        cosines.scatter_(1, place, own_cosines)
        result[block] = (cosines >= own_cosines).sum(1).cpu().numpy()
    return result
