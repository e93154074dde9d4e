"""From scores to labels (SPEC 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import InvalidOptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scoring import Scorer

    Labels = list[str | None] | list[list[str]]


def check_threshold(threshold: object) -> float | None:
    """Return a threshold of probabilities.

    Raises:
        InvalidOptionError: it is neither None nor a number from 0 to 1.
    """
    if threshold is None:
        return None
    number = isinstance(threshold, (int, float, np.integer, np.floating))
    if isinstance(threshold, bool) or not number or not 0 <= cast(float, threshold) <= 1:
        raise InvalidOptionError(f"threshold: expected 0 to 1 or None, found {threshold!r:.40}")
    return float(cast(float, threshold))


def labels_of(
    scorer: Scorer, probabilities: NDArray[np.float32], threshold: float | None
) -> Labels:
    """Return the labels of texts.

    Args:
        scorer: the head; not `linear`.
        probabilities: (n, K).
        threshold: with `softmax`, a label whose probability is not above it becomes None; with
            `sigmoid`, it replaces the head's thresholds.

    Returns:
        With `softmax` a label or None for each text, with `sigmoid` a list of labels.
    """
    names, head = scorer.labels, scorer.head
    if head.kind == "sigmoid":
        limits: Any = head.thresholds if threshold is None else np.float32(threshold)
        given = probabilities > limits
        rows, columns = np.nonzero(given)
        ends = np.searchsorted(rows, np.arange(1, len(given) + 1)).tolist()
        flat: list[str] = names[columns].tolist()
        return [flat[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    chosen = probabilities.argmax(axis=1)
    labels: list[str | None] = names[chosen].tolist()
    if threshold is not None:
        sure = probabilities[np.arange(len(chosen)), chosen] > np.float32(threshold)
        labels = [label if above else None for label, above in zip(labels, sure, strict=True)]
    return labels
