"""Examples -> batches: mixed in proportion, no text twice where the others are negatives.

A source's epoch is planned whole: examples in random order, those that share a text spread evenly,
cut into batches of nearly equal size; an example one of whose texts is in the batch already waits
for the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingError
from .plan import in_label_groups, spread, without_duplicates

if TYPE_CHECKING:
    from .dataset import Dataset, Examples

_MIX = 1 << 32  # beyond any source's number: the stream of random numbers that mixes sources


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples to take one step on, all of one source.

    Attributes:
        source: Its place in `Dataset.examples`.
        columns: (B, c) int32 text numbers.
        scores: (B,) float32, of kind scored.
        labels: (B,) int32, of kind labeled.
    """

    source: int
    columns: NDArray[np.int32]
    scores: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.columns)


def steps(dataset: Dataset, batch_size: int) -> int:
    """How many batches any epoch has."""
    return sum(_counts(dataset, batch_size))


def check_batch_size(dataset: Dataset, batch_size: int) -> None:
    """Make sure that every source fills a batch.

    Raises:
        TrainingError: One does not.
    """
    for examples in dataset.examples:
        found = round(len(examples) * examples.weight)
        if found < batch_size:
            raise TrainingError(
                f"{examples.name}: expected at least as many examples as a batch has, "
                f"{batch_size}, found {found}; ask for smaller batches"
            )


def batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """The batches of an epoch, the same whenever they are asked for.

    A source of weight 1 gives each example once an epoch, one of weight 2 twice, one of weight 1/2
    every other epoch. Batches of different sources follow each other evenly mixed. In a batch of
    pairs or triplets no text is anchor or positive of two examples. Where a text stands in more
    examples than there are batches, so that not all of them can come, they take turns from epoch
    to epoch.

    Args:
        dataset: What `prepare` made.
        batch_size: The most examples in a batch, of all processes together.
        seed: Another seed, another order.
        epoch: From 0.
        start: How many batches to pass over: resumed there, the rest is the same.
        rank: Which of `world` equal shares of each batch to give.
        world: How many processes share a batch; what does not divide evenly is left out.
    """
    counts = _counts(dataset, batch_size)
    order = _mixed(counts, seed, epoch)
    plans: dict[int, list[NDArray[np.int64]]] = {}
    given = [0] * len(counts)
    for step, source in enumerate(order.tolist()):
        place = given[source]
        given[source] += 1
        if step < start:
            continue
        examples = dataset.examples[source]
        if source not in plans:
            plans[source] = _plan(examples, counts[source], batch_size, (seed, source), epoch)
        rows = plans[source][place]
        share = len(rows) // world
        rows = rows[rank * share : (rank + 1) * share]
        yield Batch(
            source,
            np.asarray(examples.columns[rows]),
            None if examples.scores is None else np.asarray(examples.scores[rows]),
            None if examples.labels is None else np.asarray(examples.labels[rows]),
        )


def _counts(dataset: Dataset, batch_size: int) -> list[int]:
    """How many batches of each source an epoch has."""
    return [
        ceil(round(len(examples) * examples.weight) / batch_size) for examples in dataset.examples
    ]


def _mixed(counts: list[int], seed: int, epoch: int) -> NDArray[np.int64]:
    """The source of each step, (steps,): each source's batches at even distances."""
    random = np.random.default_rng([seed, _MIX, epoch])
    sources = np.repeat(np.arange(len(counts)), counts)
    times = [(np.arange(n) + random.random()) / max(n, 1) for n in counts]
    return sources[np.argsort(np.concatenate(times), kind="stable")]


def _plan(
    examples: Examples, count: int, batch_size: int, key: tuple[int, int], epoch: int
) -> list[NDArray[np.int64]]:
    """The examples of each batch of a source's epoch."""
    chosen = _chosen(len(examples), examples.weight, key, epoch)
    random = np.random.default_rng([*key, 1, epoch])
    if examples.labels is not None:
        chosen = chosen[in_label_groups(examples.labels[chosen], random)]
    if examples.kind not in ("pairs", "triplets"):
        return np.array_split(chosen, count)
    texts = np.asarray(examples.columns[chosen, :2])
    lots = np.random.default_rng([*key, 2]).random(len(examples))[chosen]
    order = spread(texts, count, lots, random, epoch)
    return [chosen[order[rows]] for rows in without_duplicates(texts[order], count, batch_size)]


def _chosen(n: int, weight: float, key: tuple[int, int], epoch: int) -> NDArray[np.int64]:
    """The examples of an epoch: the next stretch of one random order of all after another."""
    size = round(n * weight)
    first, last = epoch * size, (epoch + 1) * size
    passes = range(floor(first / max(n, 1)), ceil(last / max(n, 1)))
    orders = [np.random.default_rng([*key, 0, number]).permutation(n) for number in passes]
    begin = first - n * passes.start
    return np.concatenate([*orders, np.empty(0, np.int64)])[begin : begin + size]
