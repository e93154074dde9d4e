"""Training losses: contrast, agreement with a teacher, regression, supervised contrast.

Each loss takes the vectors of one batch and returns a scalar. `matryoshka` averages it over several
prefixes of these vectors. With several processes, each has a share of the queries, and all
candidates; the shares of a loss add up to the loss of the whole batch. If a batch has fewer
examples than there are processes, every share is empty, and its loss is 0.
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
    """Average a loss over normalized prefixes of vectors (Kusupati et al. 2022).

    Args:
        loss: A function of as many matrices as there are `vectors`.
        vectors: (n, D) each, not necessarily normalized.
        prefixes: Prefix lengths, at most D.
        weights: The weight of each prefix.

    Returns:
        The weighted mean, a scalar.
    """
    total = torch.zeros((), device=vectors[0].device)
    for prefix, weight in zip(prefixes, weights, strict=True):
        short = [functional.normalize(part[:, :prefix], dim=1) for part in vectors]
        total = total + weight * loss(*short)
    return total / sum(weights)


def with_full_width(
    prefixes: tuple[int, ...], weights: tuple[float, ...], width: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Add the full width, with weight 1, to the prefix lengths of a loss.

    Args:
        prefixes: Prefix lengths in ascending order, at least one.
        weights: The weight of each prefix; empty: all have weight 1.
        width: The full width; it is added unless it is the last prefix.

    Returns:
        The lengths and their weights.

    Example:
        >>> with_full_width((32, 64), (0.5, 2.0), 128)
        ((32, 64, 128), (0.5, 2.0, 1.0))
    """
    lengths = prefixes if prefixes[-1] == width else (*prefixes, width)
    return lengths, weights + (1.0,) * (len(lengths) - len(weights))


@dataclass(frozen=True, eq=False)
class Contrast:
    """The contrastive loss of queries and candidates.

    Attributes:
        targets: (q,) int64, the index of each query's own candidate.
        banned: (q, c) bool, candidates that are not negatives of a query.
        total: Number of queries in all processes.
        temperature: Divides the cosines.
    """

    targets: Tensor
    banned: Tensor
    total: int
    temperature: float

    def __call__(self, queries: Tensor, candidates: Tensor) -> Tensor:
        """Compute InfoNCE, also known as multiple negatives ranking (van den Oord et al. 2018).

        Args:
            queries: (q, d) unit vectors.
            candidates: (c, d) unit vectors.

        Returns:
            The sum of the negative log probabilities of the queries' own candidates, divided by
            `total`.
        """
        logits = (queries @ candidates.T) / self.temperature
        logits = logits.masked_fill(self.banned, _NEVER)
        return functional.cross_entropy(logits, self.targets, reduction="sum") / max(self.total, 1)


def false_negatives(
    queries: Tensor, answers: Tensor, candidates: Tensor, owners: Tensor, targets: Tensor
) -> Tensor:
    """Find candidates that are not negatives of a query, by equal texts.

    A candidate is not a negative if it has the text of the query or of the query's own answer, or
    if it answers the same query in another row.

    Args:
        queries: (q,) text numbers of the queries.
        answers: (q,) text numbers of their answers.
        candidates: (c,) text numbers of the candidates.
        owners: (c,) text numbers of the queries that the candidates answer; -1: an explicit
            negative, which answers no query.
        targets: (q,) the index of each query's own candidate, which is never banned.

    Returns:
        (q, c) bool, the mask of candidates that are not negatives.
    """
    banned = queries[:, None] == candidates[None]
    banned |= answers[:, None] == candidates[None]
    banned |= queries[:, None] == owners[None]
    return banned.scatter(1, targets[:, None], False)


@dataclass(frozen=True, eq=False)
class Agreement:
    """The loss for differences between the batch's cosines and the teacher's.

    Attributes:
        rows: (q, H) the teacher's unit vectors of this process's texts.
        columns: (c, H) the teacher's unit vectors of all texts.
        total: Number of texts in all processes.
    """

    rows: Tensor
    columns: Tensor
    total: int

    def __call__(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Compute the mean squared difference of the cosines of rows (q, d) and columns (c, d)."""
        difference = rows @ columns.T - self.rows @ self.columns.T
        return difference.square().sum() / max(self.total * len(columns), 1)


@dataclass(frozen=True, eq=False)
class Regression:
    """The loss for differences between the cosine of two texts and their score.

    Attributes:
        scores: (n,) between -1 and 1.
        total: Number of pairs in all processes.
    """

    scores: Tensor
    total: int

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        """Compute the mean squared difference for two matrices of unit vectors (n, d)."""
        return ((left * right).sum(1) - self.scores).square().sum() / max(self.total, 1)


@dataclass(frozen=True, eq=False)
class SupervisedContrast:
    """The supervised contrastive loss of labeled texts (Khosla et al. 2020, eq. 2).

    Attributes:
        mates: (q, c) bool: a different text with the same label.
        itself: (q, c) bool: the same text; never compared.
        total: Number of texts in all processes that have a mate.
        temperature: Divides the cosines.
    """

    mates: Tensor
    itself: Tensor
    total: int
    temperature: float

    def __call__(self, texts: Tensor, others: Tensor) -> Tensor:
        """Compute the mean over texts (q, d) of their mates' mean negative log probability."""
        logits = (texts @ others.T) / self.temperature
        # Finite, because a row of infinities would give NaN gradients.
        logits = logits.masked_fill(self.itself, _HARDLY)
        log = functional.log_softmax(logits, dim=1).masked_fill(~self.mates, 0.0)
        return -(log.sum(1) / self.mates.sum(1).clamp(min=1)).sum() / max(self.total, 1)
