"""A batch of any kind, and the loss that it has under a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .losses import Agreement, Contrast, Regression, SupervisedContrast, false_negatives, matryoshka

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .bag import Bag
    from .batches import Batch
    from .dataset import Dataset
    from .workers import Workers


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of batches.

    Attributes:
        bag: The table and its pooling.
        dataset: What the batches' numbers mean.
        prefixes: Prefix lengths under which each loss is taken.
        prefix_weights: How much each counts.
        temperature: Divides cosines where texts are contrasted.
        guide: (T, H) the teacher's vectors of all texts; None: no teacher.
        guide_weight: What agreement with it counts beside the batch's own loss.
        workers: Who else has a share of the batch.
    """

    bag: Bag
    dataset: Dataset
    prefixes: tuple[int, ...]
    prefix_weights: tuple[float, ...]
    temperature: float
    workers: Workers
    guide: NDArray[np.float16] | None = None
    guide_weight: float = 0.0

    def gradient(self, batch: Batch) -> tuple[float, Tensor, Tensor]:
        """The loss of a batch and its gradient, both over all processes' shares.

        Returns:
            The loss, the (U,) rows that it depends on, and its (U, D) gradient in these.
        """
        loss, which, rows = self._forward(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None
        which, gradient = self.workers.sum_rows(which, rows.grad)
        return self.workers.total(loss), which, gradient

    def value(self, batch: Batch) -> float:
        """The loss of a batch alone."""
        with torch.no_grad():
            return float(self._forward(batch)[0])

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        texts, places = np.unique(batch.columns, return_inverse=True)
        ids, offsets = self.dataset.texts.take(texts.astype(np.int64))
        which, rows, tokens = self.bag.gather(ids)
        vectors = self.bag.pool(rows, tokens, offsets)
        columns = torch.from_numpy(places.reshape(batch.columns.shape)).to(vectors.device)
        return self._loss(batch, [vectors[column] for column in columns.T]), which, rows

    def _loss(self, batch: Batch, vectors: list[Tensor]) -> Tensor:
        """This process' share of the loss; `vectors` are (b, D), one for each column."""
        numbers = torch.from_numpy(batch.columns.astype(np.int64)).to(vectors[0].device)
        kind = self.dataset.examples[batch.source].kind
        if kind == "scored":
            loss = self._regression(batch, vectors)
        elif kind == "labeled":
            loss = self._supervised(batch, vectors[0], numbers[:, 0])
        else:
            loss = self._contrast(vectors, numbers)
        if self.guide is not None and self.guide_weight > 0:
            guided = self._agreement(batch.columns[:, :2], torch.cat(vectors[:2]))
            loss = loss + self.guide_weight * guided
        return loss

    def _over_prefixes(self, loss: Callable[..., Tensor], *vectors: Tensor) -> Tensor:
        return matryoshka(loss, vectors, self.prefixes, self.prefix_weights)

    def _own(self, count: int) -> Tensor:
        """The places of this process' share among all of `world` shares of this size."""
        first = self.workers.rank * count
        return torch.arange(first, first + count, device=self.bag.device)

    def _contrast(self, vectors: list[Tensor], numbers: Tensor) -> Tensor:
        """InfoNCE from queries to answers and negatives, and from answers to queries."""
        queries, answers = vectors[:2]
        every = self.workers.gather(numbers)
        all_queries, all_answers = every[:, 0], every[:, 1]
        negatives = [self.workers.gather(part) for part in vectors[2:]]
        candidates = torch.cat([self.workers.gather(answers), *negatives])
        named = torch.cat([all_answers, *every[:, 2:].T])
        owners = torch.full_like(named, -1)
        owners[: len(every)] = all_queries
        own = self._own(len(numbers))
        there = false_negatives(numbers[:, 0], numbers[:, 1], named, owners, own)
        back = false_negatives(numbers[:, 1], numbers[:, 0], all_queries, all_answers, own)
        total = len(every)
        forward = Contrast(own, there, total, self.temperature)
        backward = Contrast(own, back, total, self.temperature)
        return 0.5 * (
            self._over_prefixes(forward, queries, candidates)
            + self._over_prefixes(backward, answers, self.workers.gather(queries))
        )

    def _regression(self, batch: Batch, vectors: list[Tensor]) -> Tensor:
        assert batch.scores is not None
        scores = torch.from_numpy(np.asarray(batch.scores, np.float32)).to(vectors[0].device)
        loss = Regression(scores, len(scores) * self.workers.world)
        return self._over_prefixes(loss, *vectors[:2])

    def _supervised(self, batch: Batch, texts: Tensor, numbers: Tensor) -> Tensor:
        assert batch.labels is not None
        labels = torch.from_numpy(batch.labels.astype(np.int64)).to(texts.device)
        others, named = self.workers.gather(labels), self.workers.gather(numbers)
        itself = numbers[:, None] == named[None]
        mates = (labels[:, None] == others[None]) & ~itself
        total = self.workers.total(mates.any(1).sum())
        loss = SupervisedContrast(mates, itself, int(total), self.temperature)
        return self._over_prefixes(loss, texts, self.workers.gather(texts))

    def _agreement(self, columns: NDArray[np.int32], vectors: Tensor) -> Tensor:
        assert self.guide is not None
        wanted = np.asarray(self.guide[columns.T.reshape(-1)], np.float32)
        guide = torch.from_numpy(wanted).to(vectors.device)
        others = self.workers.gather(guide)
        loss = Agreement(guide, others, len(others))
        return self._over_prefixes(loss, vectors, self.workers.gather(vectors))
