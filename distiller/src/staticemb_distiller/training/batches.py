"""Batches of examples: sources in proportion, and no text twice if other texts are negatives.

A source's epoch is planned at once. Its examples are in random order, and examples that share a
text are spread evenly. The order is divided into batches of nearly equal size. An example that
shares a text with the batch waits for a later batch.
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

_BATCH_SIZE = 1_024
_LEAST_BATCHES = 8  # in an epoch, with the default batch size
_MIX = 1 << 32  # the key of the random stream that mixes sources; larger than any source's number


@dataclass(frozen=True, eq=False)
class Batch:
    """The examples of one step, all of one source.

    Attributes:
        source: The source's index in `Dataset.examples`.
        columns: (B, c) int32 text numbers.
        scores: (B,) float32, for kind scored.
        labels: (B,) int32, for kind labeled.
    """

    source: int
    columns: NDArray[np.int32]
    scores: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.columns)


def steps(dataset: Dataset, batch_size: int) -> int:
    """Count the batches of an epoch."""
    return sum(_counts(dataset, batch_size))


def choose_batch_size(dataset: Dataset, wanted: int | None, world: int) -> int:
    """Check the wanted number of examples in a batch, or choose one.

    The default is 1,024, or fewer, so that an epoch of the largest source has eight batches.

    Args:
        dataset: The training examples.
        wanted: The number over all processes; None: the default.
        world: The number of processes. By default each has at least two examples in a batch.

    Raises:
        TrainingError: A source has fewer examples than `wanted`, or no source has any.
    """
    if wanted is not None:
        check_batch_size(dataset, wanted)
        return wanted
    largest = max(len(examples) for examples in dataset.examples)
    size = max(2 * world, min(_BATCH_SIZE, largest // _LEAST_BATCHES))
    if not steps(dataset, size):
        raise TrainingError(
            "expected at least one example in an epoch, found weights that leave none"
        )
    return size


def check_batch_size(dataset: Dataset, batch_size: int) -> None:
    """Check that every source fills a batch.

    Raises:
        TrainingError: A source has fewer examples.
    """
    for examples in dataset.examples:
        count = round(len(examples) * examples.weight)
        if count < batch_size:
            raise TrainingError(
                f"{examples.name}: expected at least as many examples as a batch has, "
                f"{batch_size}, found {count}; reduce batch_size"
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
    """Generate the batches of an epoch; equal arguments give equal batches.

    A source of weight 1 gives each example once in an epoch, a source of weight 2 twice, and a
    source of weight 1/2 in every other epoch. The batches of different sources are evenly mixed. In
    a batch of pairs or triplets, no text is the anchor or positive of two examples. If a text is in
    more examples than there are batches, the examples take turns from epoch to epoch.

    Args:
        dataset: The training examples of `prepare`.
        batch_size: The largest number of examples in a batch, over all processes.
        seed: Another seed gives another order.
        epoch: The epoch's number, from 0.
        start: The number of batches to skip; the later batches do not depend on it.
        rank: The number of this process's share of each batch.
        world: The number of equal shares of each batch; a remainder is dropped.
    """
    counts = _counts(dataset, batch_size)
    order = _mixed(counts, seed, epoch)
    plans: dict[int, list[NDArray[np.int64]]] = {}
    used = [0] * len(counts)
    for step, source in enumerate(order.tolist()):
        place = used[source]
        used[source] += 1
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
    """Count each source's batches in an epoch."""
    return [
        ceil(round(len(examples) * examples.weight) / batch_size) for examples in dataset.examples
    ]


def _mixed(counts: list[int], seed: int, epoch: int) -> NDArray[np.int64]:
    """Order the sources of an epoch's steps, (steps,), each source evenly spaced."""
    random = np.random.default_rng([seed, _MIX, epoch])
    sources = np.repeat(np.arange(len(counts)), counts)
    times = [(np.arange(n) + random.random()) / max(n, 1) for n in counts]
    return sources[np.argsort(np.concatenate(times), kind="stable")]


def _plan(
    examples: Examples, count: int, batch_size: int, key: tuple[int, int], epoch: int
) -> list[NDArray[np.int64]]:
    """Choose the examples of each batch in a source's epoch."""
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
    """Choose the examples of an epoch: consecutive slices of concatenated random permutations."""
    size = round(n * weight)
    first, last = epoch * size, (epoch + 1) * size
    passes = range(floor(first / max(n, 1)), ceil(last / max(n, 1)))
    orders = [np.random.default_rng([*key, 0, number]).permutation(n) for number in passes]
    begin = first - n * passes.start
    return np.concatenate([*orders, np.empty(0, np.int64)])[begin : begin + size]
