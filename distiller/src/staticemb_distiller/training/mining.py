"""Mining of hard negatives: texts that are close to an anchor but do not answer it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from .ranking import NEVER, blocks, forbid, no_negatives, unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .bag import Bag
    from .dataset import Dataset, Examples, Texts


@torch.no_grad()
def mine(bag: Bag, dataset: Dataset, *, count: int, margin: float) -> Dataset:
    """Add the hardest negatives among a source's positives to its pairs and triplets.

    Args:
        bag: The table whose cosines rank the negatives.
        dataset: The examples; scored pairs and labeled texts stay unchanged.
        count: The number of additional negatives for each anchor.
        margin: A negative's cosine is at most this share of the positive's (de Souza Moreira et
            al. 2024, TopK-PercPos); closer texts may be unlabeled answers.

    Returns:
        The dataset with `count` more columns for pairs and triplets.
    """
    mined = [
        part.with_negatives(hardest(bag, dataset.texts, part, count=count, margin=margin))
        if part.kind in ("pairs", "triplets") and len(part)
        else part
        for part in dataset.examples
    ]
    return replace(dataset, examples=mined)


def hardest(
    bag: Bag, texts: Texts, examples: Examples, *, count: int, margin: float
) -> NDArray[np.int32]:
    """Find the (n, count) text numbers of each example's hardest negatives.

    The positives of equal anchors, and the anchor's own text, are never negatives. If there are
    fewer than `count` negatives, they repeat; if there are none, the positive takes their place,
    and the loss ignores it.
    """
    columns = examples.columns.astype(np.int64)
    numbers, places = np.unique(columns[:, :2], return_inverse=True)
    vectors = unit_vectors(bag, texts, numbers)
    places = places.reshape(len(columns), 2)
    pool, own = np.unique(places[:, 1], return_inverse=True)
    others = no_negatives(places[:, 0], own, pool)
    candidates = vectors[torch.from_numpy(pool).to(vectors.device)]
    queries = torch.from_numpy(places[:, 0]).to(vectors.device)
    out = np.empty((len(columns), count), np.int32)
    most = min(count, len(pool))
    for block in blocks(len(columns), len(pool)):
        cosines = vectors[queries[block]] @ candidates.T
        own_cosines = cosines.gather(1, torch.from_numpy(own[block, None]).to(cosines.device))
        cosines.masked_fill_(cosines > margin * own_cosines, NEVER)
        forbid(cosines, others[block])
        best, which = cosines.topk(most, dim=1)
        chosen = np.where(best.cpu().numpy() > NEVER, pool[which.cpu().numpy()], -1)
        for row, place in enumerate(range(block.start, block.stop)):
            negatives = chosen[row][chosen[row] >= 0]
            if not len(negatives):
                negatives = places[place, 1:]
            out[place] = numbers[np.resize(negatives, count)]
    return out
