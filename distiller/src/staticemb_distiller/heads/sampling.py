"""The texts and labels by which pooling and strength are chosen: all, or a sample of many.

A step of a fit takes labels × texts × dimensions products. The choice fits some ten times, so a
step of it is limited to `MOST_PRODUCTS`: first by fewer texts, and where fewer than
`TEXTS_A_LABEL` of each label were left, by fewer labels with all of their texts. A strength that is
right for some hundred labels is right for ten thousand: each label has as many texts.

Probabilities and scores of a part of the labels would be too good. So then a share of the texts of
all labels is held out of one fit to all others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .folds import fold_numbers
from .logistic import Weights
from .targets import Targets

MOST_TEXTS = 50_000
MOST_PRODUCTS = 4_000_000_000
TEXTS_A_LABEL = 20
_MOST_LOGITS = 50_000_000  # of held-out texts, in memory


class Sample(NamedTuple):
    """A sample of texts, and of labels.

    Attributes:
        rows: (n,) the numbers of the texts, ascending.
        labels: (L,) the numbers of the labels; None: all.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None

    def of(self, targets: Targets) -> Targets:
        """Return the targets of the texts and labels."""
        part = targets.take(self.rows)
        if self.labels is None:
            return part
        names = tuple(targets.labels[at] for at in self.labels.tolist())
        if targets.kind == "softmax":
            return Targets("softmax", names, np.searchsorted(self.labels, part.values))
        return Targets(targets.kind, names, part.values[:, self.labels])

    def weights(self, weights: Weights) -> Weights:
        """Return the weights of the texts and labels."""
        part = weights.take(self.rows)
        if self.labels is None or part.positive is None:
            return part
        return part._replace(positive=part.positive[self.labels])


def sample(targets: Targets, width: int, seed: int) -> Sample:
    """Draw the texts and labels to choose by.

    Args:
        targets: N targets.
        width: The dimension of the vectors.
        seed: The seed.

    Example:
        >>> few = Targets("softmax", ("a", "b"), np.array([0, 1, 0, 1]))
        >>> sample(few, 256, 0)
        Sample(rows=array([0, 1, 2, 3]), labels=None)
    """
    count, labels = len(targets), max(len(targets.labels), 1)
    most = min(count, MOST_TEXTS, _MOST_LOGITS // labels)
    random = np.random.default_rng(seed)
    if targets.kind != "linear":
        affordable = min(most, MOST_PRODUCTS // (width * labels))
        if affordable < min(count, TEXTS_A_LABEL * labels):
            return _of_some_labels(targets, width, random)
        most = affordable
    if most == count:
        return Sample(np.arange(count))
    return Sample(np.sort(random.permutation(count)[:most]))


def _of_some_labels(targets: Targets, width: int, random: np.random.Generator) -> Sample:
    """Draw labels and their texts; with several labels a text, any texts."""
    most = MOST_PRODUCTS // width  # texts times labels
    order = random.permutation(len(targets.labels))
    if targets.kind == "sigmoid":
        rows = np.sort(random.permutation(len(targets))[:MOST_TEXTS])
        return Sample(rows, np.sort(order[: max(1, most // len(rows))]))
    texts = np.minimum(np.cumsum(targets.counts()[order]), MOST_TEXTS)
    size = np.searchsorted(texts * np.arange(1, len(order) + 1), most, side="right")
    labels = np.sort(order[: max(2, int(size))])
    rows = np.flatnonzero(np.isin(targets.values, labels))
    kept = random.permutation(len(rows))[: min(MOST_TEXTS, most // len(labels))]
    return Sample(rows[np.sort(kept)], labels)


def held_out(
    targets: Targets, digests: NDArray[np.uint64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Hold texts of all labels out of a fit.

    Args:
        targets: N targets.
        digests: (N,) the digests of the texts.
        seed: The seed.

    Returns:
        (n,) the numbers of the texts held out, ascending; and for each of the N texts whether it is
        one of them or a copy of one.
    """
    fold = np.flatnonzero(fold_numbers(targets, digests, seed) == 0)
    most = min(MOST_TEXTS, _MOST_LOGITS // len(targets.labels), len(targets) // 10)
    rows = np.sort(np.random.default_rng(seed).permutation(fold)[: max(1, most)])
    return rows, np.isin(digests, digests[rows])
