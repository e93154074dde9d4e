"""Validation of a table on held-out examples."""

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
    """The result of a validation.

    Attributes:
        value: The mean of the sources' main measures; higher is better.
        loss: The mean loss of the batches.
        measures: The measures by `source.measure`, each from 0 to 1 (correlations from -1 to 1).
    """

    value: float
    loss: float
    measures: dict[str, float]


def validate(
    objective: Objective, dataset: Dataset, others: Dataset, batch_size: int
) -> ValidationScore | None:
    """Validate the table of an objective.

    Pairs and triplets: mean reciprocal rank (the main measure), recall at 1 and at 10 of the
    positive for its anchor. The candidates are the source's held-out positives and up to 10,000 of
    its training positives, without the anchor's other positives and its own text. Scored pairs:
    Spearman's correlation. Labeled texts: the share of texts whose nearest other text has the same
    label.

    Args:
        objective: The loss on the held-out data, with the table.
        dataset: The held-out examples.
        others: The training examples of the same sources.
        batch_size: The size of the batches for the loss.

    Returns:
        The score, or None if no examples are held out.
    """
    measured = measure(objective.bag, dataset, others)
    if measured is None:
        return None
    value, measures = measured
    losses = [objective.value(batch) for batch in batches(dataset, batch_size, seed=0, epoch=0)]
    return ValidationScore(value, float(np.mean(losses)) if losses else 0.0, measures)


def measure(bag: Bag, dataset: Dataset, others: Dataset) -> tuple[float, dict[str, float]] | None:
    """Compute the measures of `validate` without a loss.

    Args:
        bag: The table and its pooling.
        dataset: The held-out examples.
        others: The training examples of the same sources.

    Returns:
        The mean of the sources' main measures, and all measures by name; None if no examples are
        held out.
    """
    measures: dict[str, float] = {}
    main = []
    for number, examples in enumerate(dataset.examples):
        if len(examples.columns):
            values = _measure(bag, dataset.texts, examples, others.examples[number])
            main.append(next(iter(values.values())))
            prefix = f"{number + 1}." if len(dataset.examples) > 1 else ""
            measures |= {f"{prefix}{key}": value for key, value in values.items()}
    return (float(np.mean(main)), measures) if main else None


@torch.no_grad()
def _measure(bag: Bag, texts: Texts, examples: Examples, others: Examples) -> dict[str, float]:
    """Compute the measures of a source; the main measure is first."""
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
    trained = np.setdiff1d(np.asarray(others.columns[:_POOL, 1], np.int64), numbers)
    held_out = vectors[torch.from_numpy(pool).to(vectors.device)]
    candidates = torch.cat([held_out, unit_vectors(bag, texts, trained)])
    positive_ranks = ranks(left, candidates, own, no_negatives(places[:, 0], own, pool))
    return {
        "mrr": float((1 / positive_ranks).mean()),
        "recall@1": float((positive_ranks <= 1).mean()),
        "recall@10": float((positive_ranks <= 10).mean()),
    }


def _nearest(vectors: Tensor, names: NDArray[np.int64], labels: NDArray[np.int32]) -> float:
    """Compute the share of (n, D) unit vectors whose nearest neighbor has the same label.

    A vector with an equal name is the same text and no neighbor.
    """
    correct = 0
    texts = torch.from_numpy(names).to(vectors.device)
    for block in blocks(len(vectors), len(vectors)):
        cosines = vectors[block] @ vectors.T
        cosines.masked_fill_(texts[block, None] == texts[None], NEVER)
        best, which = (array.cpu().numpy() for array in cosines.max(1))
        correct += int(((labels[which] == labels[block]) & (best > NEVER)).sum())
    return correct / len(vectors)
