"""From scores to labels (SPEC 6.4), and to records for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..encoding.decimals import nine_digits
from ..errors import InvalidOptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..format.heads import Head

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


def labels_of(head: Head, probabilities: NDArray[np.float32], threshold: float | None) -> Labels:
    """Return the labels of texts.

    Args:
        head: the head; not `linear`.
        probabilities: (n, K); the logits do with `softmax` without a threshold.
        threshold: with `softmax`, a label whose probability is not above it becomes None; with
            `sigmoid`, it replaces the head's thresholds.

    Returns:
        With `softmax` a label or None for each text, with `sigmoid` a list of labels.
    """
    if head.kind == "sigmoid":
        limits: Any = head.thresholds if threshold is None else np.float32(threshold)
        rows, columns = np.nonzero(probabilities > limits)
        ends = np.searchsorted(rows, np.arange(1, len(probabilities) + 1)).tolist()
        flat = [head.labels[column] for column in columns.tolist()]
        return [flat[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    chosen = probabilities.argmax(axis=1)
    labels: list[str | None] = [head.labels[index] for index in chosen.tolist()]
    if threshold is not None:
        sure = probabilities[np.arange(len(chosen)), chosen] > np.float32(threshold)
        labels = [label if above else None for label, above in zip(labels, sure, strict=True)]
    return labels


def predictions(
    head: Head, scores: NDArray[np.float32], threshold: float | None, *, every: bool = False
) -> list[dict[str, Any]]:
    """Return the predictions of texts as records that JSON can hold.

    Args:
        head: the head.
        scores: (n, K) probabilities, or the numbers of a `linear` head.
        threshold: as in `labels_of`; without effect on numbers.
        every: whether a classifier gives the probability of every label.

    Returns:
        For each text `prediction`: a label or None with `softmax`, a list of labels with `sigmoid`,
        a number with `linear`, or several by the names of their targets. Beside a label
        `probability`, that of the likeliest label. Beside a list, or with `every`,
        `probabilities` by label. Numbers have nine digits, which identify a float32.
    """
    names = head.labels
    numbers: list[list[float]] = []
    if every or head.kind != "softmax":
        numbers = nine_digits(scores).tolist()
    if head.kind == "linear":
        single = len(names) == 1
        return [
            {"prediction": row[0] if single else dict(zip(names, row, strict=True))}
            for row in numbers
        ]
    records: list[dict[str, Any]] = []
    best = scores.max(axis=1) if head.kind == "softmax" else np.empty(0, np.float32)
    largest = nine_digits(best).tolist()
    places = {name: place for place, name in enumerate(names)}
    for at, label in enumerate(labels_of(head, scores, threshold)):
        record: dict[str, Any] = {"prediction": label}
        if head.kind == "softmax":
            record["probability"] = largest[at]
        if every:
            record["probabilities"] = dict(zip(names, numbers[at], strict=True))
        elif isinstance(label, list):
            record["probabilities"] = {name: numbers[at][places[name]] for name in label}
        records.append(record)
    return records
