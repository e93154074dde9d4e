"""What training lowers: contrast, agreement with a teacher, regression, supervised contrast.

Each takes the vectors of one batch and gives a scalar. Under `matryoshka` it is taken over several
prefixes of these vectors. In a run of several processes each holds a share of the queries and all
candidates; the shares of a loss then add up to that of the whole batch. Of a batch that is too
small for all of them every share is empty, and its loss 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_NEVER = float("-inf")
_HARDLY = -1e9


def matryoshka(
    loss: Callable[..., Tensor],
    vectors: Sequence[Tensor],
    prefixes: Sequence[int],
    weights: Sequence[float],
) -> Tensor:
    """A loss over unit-length prefixes of vectors (Kusupati et al. 2022).

    Args:
        loss: Takes as many matrices as there are `vectors`.
        vectors: Each (n, D), of any length.
        prefixes: Prefix lengths, at most D.
        weights: How much each counts.

    Returns:
        The weighted mean, a scalar.
    """
    total = torch.zeros((), device=vectors[0].device)
    for prefix, weight in zip(prefixes, weights, strict=True):
        short = [functional.normalize(part[:, :prefix], dim=1) for part in vectors]
        total = total + weight * loss(*short)
    return total / sum(weights)


@dataclass(frozen=True, eq=False)
class Contrast:
    """Which candidate belongs to which query, and which are no fair negatives.

    Attributes:
        targets: (q,) int64, each query's own candidate.
        banned: (q, c) bool, candidates that do not count as negatives for a query.
        total: Number of queries in all processes.
        temperature: Divides the cosines.
    """

    targets: Tensor
    banned: Tensor
    total: int
    temperature: float

    def __call__(self, queries: Tensor, candidates: Tensor) -> Tensor:
        """InfoNCE, also known as multiple negatives ranking (van den Oord et al. 2018).

        Args:
            queries: (q, d) unit vectors.
            candidates: (c, d) unit vectors.

        Returns:
            The sum over queries of the negative log probability of their own candidate, over the
            number of all queries.
        """
        logits = (queries @ candidates.T) / self.temperature
        logits = logits.masked_fill(self.banned, _NEVER)
        return functional.cross_entropy(logits, self.targets, reduction="sum") / max(self.total, 1)


def false_negatives(
    queries: Tensor, answers: Tensor, candidates: Tensor, owners: Tensor, targets: Tensor
) -> Tensor:
    """Which candidates are no negatives, by equal texts on either side.

    A candidate is none if it is the query itself or the query's own answer once more, or if it
    answers the same query in another row.

    Args:
        queries: (q,) numbers of the queries' texts.
        answers: (q,) numbers of their answers' texts.
        candidates: (c,) numbers of the candidates' texts.
        owners: (c,) numbers of the texts that candidates answer; -1: an explicit negative, that
            answers none.
        targets: (q,) each query's own candidate, which is never banned.

    Returns:
        (q, c) bool.
    """
    banned = queries[:, None] == candidates[None]
    banned |= answers[:, None] == candidates[None]
    banned |= queries[:, None] == owners[None]
    return banned.scatter(1, targets[:, None], False)


@dataclass(frozen=True, eq=False)
class Agreement:
    """Cosines within the batch should be those of the teacher's vectors.

    Attributes:
        rows: (q, H) the teacher's unit vectors of this process' texts.
        columns: (c, H) of all texts.
        total: Number of texts in all processes.
    """

    rows: Tensor
    columns: Tensor
    total: int

    def __call__(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The mean squared difference of cosines, rows (q, d) against columns (c, d)."""
        difference = rows @ columns.T - self.rows @ self.columns.T
        return difference.square().sum() / max(self.total * len(columns), 1)


@dataclass(frozen=True, eq=False)
class Regression:
    """The cosine of two texts should be their score.

    Attributes:
        scores: (n,) between -1 and 1.
        total: Number of pairs in all processes.
    """

    scores: Tensor
    total: int

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        """The mean squared difference, for unit vectors (n, d) on either side."""
        return ((left * right).sum(1) - self.scores).square().sum() / max(self.total, 1)


@dataclass(frozen=True, eq=False)
class SupervisedContrast:
    """Texts of one label should be closer than those of others (Khosla et al. 2020, eq. 2).

    Attributes:
        mates: (q, c) bool: same label, and not the same place.
        itself: (q, c) bool: the same place or the same text; never compared.
        total: Number of texts in all processes that have a mate.
        temperature: Divides the cosines.
    """

    mates: Tensor
    itself: Tensor
    total: int
    temperature: float

    def __call__(self, texts: Tensor, others: Tensor) -> Tensor:
        """The mean over texts (q, d) of their mates' mean negative log probability."""
        logits = (texts @ others.T) / self.temperature
        # A finite number: where nothing is left to compare, infinities would give NaN gradients.
        logits = logits.masked_fill(self.itself, _HARDLY)
        log = functional.log_softmax(logits, dim=1).masked_fill(~self.mates, 0.0)
        return -(log.sum(1) / self.mates.sum(1).clamp(min=1)).sum() / max(self.total, 1)
