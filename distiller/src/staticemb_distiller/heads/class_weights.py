"""Weights of labels: given, or such that rare labels count as much as frequent ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingError
from .logistic import Weights
from .targets import Targets

ClassWeight: TypeAlias = "Literal['balanced'] | Mapping[str, float] | None"


def label_weights(targets: Targets, given: ClassWeight) -> NDArray[np.float32] | None:
    """Return how many times a text of each label counts, (K,); None: once.

    "balanced" is N / (K times the texts of the label), as in scikit-learn; for several labels a
    text, it is the number of texts without the label for each text with it.

    Raises:
        TrainingError: A label is unknown, a weight is not above 0, or targets are numbers.
    """
    if given is None:
        return None
    if targets.kind == "linear":
        raise TrainingError("class_weight: expected labels, found numbers as targets")
    counts = targets.counts().astype(np.float64)
    if isinstance(given, str):
        if given != "balanced":
            raise TrainingError(f"class_weight: expected balanced or LABEL=WEIGHT, found {given!r}")
        if targets.kind == "sigmoid":
            weights = (len(targets) - counts) / np.maximum(counts, 1)
        else:
            weights = len(targets) / (len(counts) * np.maximum(counts, 1))
        return weights.astype(np.float32)
    weights = np.ones(len(counts))
    number = {label: at for at, label in enumerate(targets.labels)}
    for label, weight in given.items():
        if str(label) not in number:
            raise TrainingError(f"class_weight: expected a label of the texts, found {label!r}")
        if not 0 < weight < float("inf"):
            raise TrainingError(
                f"class_weight: expected a number above 0 for {label!r}, found {weight}"
            )
        weights[number[str(label)]] = weight
    return weights.astype(np.float32)


def combined(
    targets: Targets, texts: NDArray[np.float32] | None, labels: NDArray[np.float32] | None
) -> Weights:
    """Combine the weights of texts (N,) and of labels (K,)."""
    if labels is None or targets.kind == "sigmoid":
        return Weights(texts, labels)
    by_label = labels[targets.values]
    return Weights(by_label if texts is None else by_label * texts)
