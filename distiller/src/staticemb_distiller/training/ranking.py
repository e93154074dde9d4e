"""Texts ranked by cosine, in blocks: what validation measures and mining looks for."""

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
_SCORES = 1 << 24  # cosines held at once: 64 MB
NEVER = -2.0  # the cosine of what is not compared, below all others


def text_vectors(bag: Bag, texts: Texts, numbers: NDArray[np.int64]) -> Tensor:
    """(n, D) pooled vectors of texts by their numbers, on the bag's device."""
    blocks = [
        bag.vectors(*texts.take(numbers[first : first + _TEXTS]))
        for first in range(0, len(numbers), _TEXTS)
    ]
    return torch.cat(blocks) if blocks else bag.table.new_zeros(0, bag.table.shape[1])


def unit_vectors(bag: Bag, texts: Texts, numbers: NDArray[np.int64]) -> Tensor:
    """The same with length one; zeros stay zeros."""
    return functional.normalize(text_vectors(bag, texts, numbers), dim=1)


def blocks(queries: int, candidates: int) -> list[slice]:
    """Ranges of queries whose cosines with all candidates fit into memory together."""
    step = max(1, _SCORES // max(candidates, 1))
    return [slice(first, min(first + step, queries)) for first in range(0, queries, step)]


def no_negatives(
    anchors: NDArray[np.int64], own: NDArray[np.int64], pool: NDArray[np.int64]
) -> list[list[int]]:
    """Which candidates are no negatives of an anchor: all that answer it, and its own text.

    Args:
        anchors: (q,) each example's anchor.
        own: (q,) which candidate answers it there.
        pool: (c,) the candidates, named as the anchors are.

    Returns:
        For each example the places of such candidates; examples of one anchor share a list.
    """
    found: dict[int, list[int]] = {}
    for anchor, answer in zip(anchors.tolist(), own.tolist(), strict=True):
        found.setdefault(anchor, []).append(answer)
    for candidate, text in enumerate(pool.tolist()):
        if text in found:
            found[text].append(candidate)
    return [found[anchor] for anchor in anchors.tolist()]


def forbid(cosines: Tensor, places: Sequence[Sequence[int]]) -> None:
    """Put `NEVER` at some places of each row of (q, c) cosines."""
    rows = np.repeat(np.arange(len(places)), [len(some) for some in places])
    columns = np.fromiter(chain.from_iterable(places), np.int64, len(rows))
    where = torch.from_numpy(np.stack([rows, columns])).to(cosines.device)
    cosines[where[0], where[1]] = NEVER


def ranks(
    queries: Tensor,
    candidates: Tensor,
    own: NDArray[np.int64],
    passed_over: Sequence[Sequence[int]],
) -> NDArray[np.int64]:
    """At which place each query finds its own candidate.

    Args:
        queries: (q, D) unit vectors.
        candidates: (c, D) unit vectors of distinct texts.
        own: (q,) which candidate belongs to each query.
        passed_over: Of each query, the candidates that take no place: other right ones.

    Returns:
        (q,) from 1. Of equal cosines the own one comes last, so that vectors which are all the same
        find nothing.
    """
    found = np.empty(len(queries), np.int64)
    for block in blocks(len(queries), len(candidates)):
        cosines = queries[block] @ candidates.T
        place = torch.from_numpy(own[block, None]).to(cosines.device)
        mine = cosines.gather(1, place)
        forbid(cosines, passed_over[block])
        cosines.scatter_(1, place, mine)
        found[block] = (cosines >= mine).sum(1).cpu().numpy()
    return found
