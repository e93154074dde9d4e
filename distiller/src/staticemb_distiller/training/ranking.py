"""Texts ranked by cosine, in blocks: what validation measures and mining looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .bag import Bag
    from .dataset import Texts

_TEXTS = 8_192
_SCORES = 1 << 24  # cosines held at once: 64 MB


def unit_vectors(bag: Bag, texts: Texts, numbers: NDArray[np.int64]) -> Tensor:
    """(n, D) unit vectors of texts by their numbers, on the bag's device; zeros stay zeros."""
    blocks = [
        functional.normalize(bag.vectors(*texts.take(numbers[first : first + _TEXTS])), dim=1)
        for first in range(0, len(numbers), _TEXTS)
    ]
    return torch.cat(blocks) if blocks else bag.table.new_zeros(0, bag.table.shape[1])


def blocks(queries: int, candidates: int) -> list[slice]:
    """Ranges of queries whose cosines with all candidates fit into memory together."""
    step = max(1, _SCORES // max(candidates, 1))
    return [slice(first, min(first + step, queries)) for first in range(0, queries, step)]


def ranks(queries: Tensor, candidates: Tensor, own: Tensor) -> Tensor:
    """At which place each query finds its own candidate.

    Args:
        queries: (q, D) unit vectors.
        candidates: (c, D) unit vectors of distinct texts.
        own: (q,) which candidate belongs to each query.

    Returns:
        (q,) int64 from 1. Of equal cosines the own one comes last, so that vectors which are all
        the same find nothing.
    """
    found = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
    for block in blocks(len(queries), len(candidates)):
        cosines = queries[block] @ candidates.T
        mine = cosines.gather(1, own[block, None])
        found[block] = (cosines >= mine).sum(1)
    return found
