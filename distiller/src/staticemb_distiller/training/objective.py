"""The loss of a batch of any kind."""

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
        dataset: The texts and the kinds of the batches.
        prefixes: The prefix lengths for which each loss is computed.
        prefix_weights: The weight of each prefix.
        temperature: The divisor of cosines in contrastive losses.
        workers: The processes that share the batch.
        guide: (T, H) the teacher's vectors of all texts; None: no teacher.
        guide_weight: The weight of agreement with the teacher; the batch's own loss has weight 1.
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
        """Compute the loss of a batch and its gradient, both over the shares of all processes.

        Returns:
            The loss, the (U,) numbers of its rows, and its (U, D) gradient in these rows.
        """
        loss, which, rows = self._forward(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None
        which, gradient = self.workers.sum_rows(which, rows.grad)
        return self.workers.total(loss), which, gradient

    def value(self, batch: Batch) -> float:
        """Compute the loss of a batch without a gradient."""
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
        """Compute this process's share of the loss; `vectors` has (b, D) for each column."""
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
        """Return the indices of this process's share among `world` shares of `count` examples."""
        first = self.workers.rank * count
        return torch.arange(first, first + count, device=self.bag.device)

    def _contrast(self, vectors: list[Tensor], numbers: Tensor) -> Tensor:
        """Compute InfoNCE from queries to answers and negatives, and from answers to queries."""
        queries, answers = vectors[:2]
        all_numbers = self.workers.gather(numbers)
        all_queries, all_answers = all_numbers[:, 0], all_numbers[:, 1]
        negatives = [self.workers.gather(part) for part in vectors[2:]]
        candidates = torch.cat([self.workers.gather(answers), *negatives])
        candidate_texts = torch.cat([all_answers, *all_numbers[:, 2:].T])
        owners = torch.full_like(candidate_texts, -1)
        owners[: len(all_numbers)] = all_queries
        own = self._own(len(numbers))
        banned = false_negatives(numbers[:, 0], numbers[:, 1], candidate_texts, owners, own)
        banned_back = false_negatives(numbers[:, 1], numbers[:, 0], all_queries, all_answers, own)
        total = len(all_numbers)
        forward = Contrast(own, banned, total, self.temperature)
        backward = Contrast(own, banned_back, total, self.temperature)
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
        all_labels, all_numbers = self.workers.gather(labels), self.workers.gather(numbers)
        itself = numbers[:, None] == all_numbers[None]
        mates = (labels[:, None] == all_labels[None]) & ~itself
        total = self.workers.total(mates.any(1).sum())
        loss = SupervisedContrast(mates, itself, int(total), self.temperature)
        return self._over_prefixes(loss, texts, self.workers.gather(texts))

    def _agreement(self, columns: NDArray[np.int32], vectors: Tensor) -> Tensor:
        assert self.guide is not None
        guide_rows = np.asarray(self.guide[columns.T.reshape(-1)], np.float32)
        guide = torch.from_numpy(guide_rows).to(vectors.device)
        all_guides = self.workers.gather(guide)
        loss = Agreement(guide, all_guides, len(all_guides))
        return self._over_prefixes(loss, vectors, self.workers.gather(vectors))
