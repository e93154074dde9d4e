"""Hard negatives: texts that the table itself takes for answers, and that are none."""

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
    """Give pairs and triplets the hardest negatives among their source's positives.

    Args:
        bag: The table that looks for them.
        dataset: Its scored pairs and labeled texts stay as they are.
        count: Negatives for each anchor, after those that it has.
        margin: A negative's cosine is at most this share of the own positive's (de Souza Moreira
            et al. 2024, TopK-PercPos): what is closer may be an answer that nobody marked.

    Returns:
        The dataset with `count` more columns.
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
    """(n, count) numbers of the hardest negatives of each example.

    The positives of equal anchors, and the anchor's own text, are never negatives. Where too few
    texts are left, the hardest repeat; where none is, the positive stands there, which the loss
    leaves out.
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
        mine = cosines.gather(1, torch.from_numpy(own[block, None]).to(cosines.device))
        cosines.masked_fill_(cosines > margin * mine, NEVER)
        forbid(cosines, others[block])
        best, which = cosines.topk(most, dim=1)
        chosen = np.where(best.cpu().numpy() > NEVER, pool[which.cpu().numpy()], -1)
        for row, place in enumerate(range(block.start, block.stop)):
            kept = chosen[row][chosen[row] >= 0]
            if not len(kept):
                kept = places[place, 1:]
            out[place] = numbers[np.resize(kept, count)]
    return out
