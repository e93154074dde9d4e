"""How good a table is on examples that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..evaluation.metrics import spearman
from .batches import batches
from .ranking import blocks, ranks, unit_vectors

if TYPE_CHECKING:
    from .bag import Bag
    from .dataset import Dataset, Examples, Texts
    from .objective import Objective

_POOL = 10_000


@dataclass(frozen=True)
class Score:
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
) -> Score | None:
    """Measure the table of an objective.

    Pairs and triplets: recall among the first and the first ten, and mean reciprocal rank (the
    main one), of anchors among the positives of their source, up to 10,000 of those that are
    trained on among them. Scored pairs: Spearman's correlation.
    Labeled texts: how often the nearest other text has the same label.

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
    return Score(float(np.mean(main)), float(np.mean(losses)) if losses else 0.0, measures)


@torch.no_grad()
def _measure(bag: Bag, texts: Texts, examples: Examples, others: Examples) -> dict[str, float]:
    """The measures of one source, the main one first."""
    columns = examples.columns.astype(np.int64)
    numbers, places = np.unique(columns[:, :2], return_inverse=True)
    vectors = unit_vectors(bag, texts, numbers)
    where = torch.from_numpy(places.reshape(len(columns), -1)).to(vectors.device)
    left = vectors[where[:, 0]]
    if examples.kind == "scored":
        assert examples.scores is not None
        cosines = (left * vectors[where[:, 1]]).sum(1).cpu().numpy()
        return {"spearman": spearman(np.asarray(examples.scores, np.float64), cosines)}
    if examples.kind == "labeled":
        assert examples.labels is not None
        labels = torch.from_numpy(examples.labels.astype(np.int64)).to(vectors.device)
        right = 0
        for block in blocks(len(left), len(left)):
            near = left[block] @ left.T
            itself = torch.arange(block.start, block.stop, device=left.device)
            near.scatter_(1, itself[:, None], -2.0)
            right += int((labels[near.argmax(1)] == labels[block]).sum())
        return {"nearest": right / len(left)}
    pool, own = torch.unique(where[:, 1], return_inverse=True)
    more = np.setdiff1d(np.asarray(others.columns[:_POOL, 1], np.int64), numbers)
    candidates = torch.cat([vectors[pool], unit_vectors(bag, texts, more)])
    found = ranks(left, candidates, own).double()
    return {
        "mrr": float((1 / found).mean()),
        "recall@1": float((found <= 1).double().mean()),
        "recall@10": float((found <= 10).double().mean()),
    }
