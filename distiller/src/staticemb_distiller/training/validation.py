"""How good a table is on examples that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..evaluation.metrics import spearman
from .batches import batches
from .ranking import NEVER, blocks, no_negatives, ranks, unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .bag import Bag
    from .dataset import Dataset, Examples, Texts
    from .objective import Objective

_POOL = 10_000


@dataclass(frozen=True)
class ValidationScore:
    """What a validation found.

    Attributes:
        value: Higher is better: the mean over sources of their main measure.
        loss: The mean loss of the batches.
        measures: By `source.measure`, each from 0 to 1 (a correlation from -1).
    """

    value: float
    loss: float
    measures: dict[str, float]


def validate(
    objective: Objective, dataset: Dataset, others: Dataset, batch_size: int
) -> ValidationScore | None:
    """Measure the table of an objective.

    Pairs and triplets: recall among the first and the first ten, and mean reciprocal rank (the
    main one), of anchors among the positives of their source, up to 10,000 of those that are
    trained on among them; other positives of the anchor, and its own text, are passed over.
    Scored pairs: Spearman's correlation. Labeled texts: how often the nearest other text has the
    same label.

    Args:
        objective: Over the training data; its loss is taken on the held-out data here.
        dataset: The held-out examples.
        others: The examples that are trained on, from the same sources.
        batch_size: Of the loss.

    Returns:
        None if nothing was held out.
    """
    measures: dict[str, float] = {}
    main = []
    for number, examples in enumerate(dataset.examples):
        if len(examples.columns):
            found = _measure(objective.bag, dataset.texts, examples, others.examples[number])
            main.append(next(iter(found.values())))
            name = f"{number + 1}" if len(dataset.examples) > 1 else ""
            measures |= {".".join(filter(None, (name, key))): value for key, value in found.items()}
    if not main:
        return None
    losses = [objective.value(batch) for batch in batches(dataset, batch_size, seed=0, epoch=0)]
    return ValidationScore(
        float(np.mean(main)), float(np.mean(losses)) if losses else 0.0, measures
    )


@torch.no_grad()
def _measure(bag: Bag, texts: Texts, examples: Examples, others: Examples) -> dict[str, float]:
    """The measures of one source, the main one first."""
    columns = examples.columns.astype(np.int64)
    numbers, places = np.unique(columns[:, :2], return_inverse=True)
    places = places.reshape(len(columns), -1)
    vectors = unit_vectors(bag, texts, numbers)
    left = vectors[torch.from_numpy(places[:, 0]).to(vectors.device)]
    if examples.kind == "scored":
        assert examples.scores is not None
        right = vectors[torch.from_numpy(places[:, 1]).to(vectors.device)]
        cosines = (left * right).sum(1).cpu().numpy()
        return {"spearman": spearman(np.asarray(examples.scores, np.float64), cosines)}
    if examples.kind == "labeled":
        assert examples.labels is not None
        return {"nearest": _nearest(left, places[:, 0], np.asarray(examples.labels))}
    pool, own = np.unique(places[:, 1], return_inverse=True)
    more = np.setdiff1d(np.asarray(others.columns[:_POOL, 1], np.int64), numbers)
    held_out = vectors[torch.from_numpy(pool).to(vectors.device)]
    candidates = torch.cat([held_out, unit_vectors(bag, texts, more)])
    found = ranks(left, candidates, own, no_negatives(places[:, 0], own, pool))
    return {
        "mrr": float((1 / found).mean()),
        "recall@1": float((found <= 1).mean()),
        "recall@10": float((found <= 10).mean()),
    }


def _nearest(vectors: Tensor, names: NDArray[np.int64], labels: NDArray[np.int32]) -> float:
    """How often the nearest of (n, D) unit vectors with another name has the same label."""
    right = 0
    named = torch.from_numpy(names).to(vectors.device)
    for block in blocks(len(vectors), len(vectors)):
        near = vectors[block] @ vectors.T
        near.masked_fill_(named[block, None] == named[None], NEVER)
        best, which = (found.cpu().numpy() for found in near.max(1))
        right += int(((labels[which] == labels[block]) & (best > NEVER)).sum())
    return right / len(vectors)
