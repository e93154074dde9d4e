"""The targets of a head: one label of several, any number of labels, or numbers.

Values of any source are read one after the other; labels become numbers of columns.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..corpus.labels import label_text
from ..errors import TrainingError
from ..file.head import HeadKind

HeadTask = Literal["classification", "multilabel", "regression"]
KINDS: dict[HeadTask, HeadKind] = {
    "classification": "softmax",
    "multilabel": "sigmoid",
    "regression": "linear",
}

MOST_LABELS = 65_536
MOST_LABEL_BYTES = 1_024
_NAMED = 3  # labels and rows named in a message


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of N texts.

    Attributes:
        kind: The kind of the head.
        labels: The K labels; for numbers the names of their columns.
        values: softmax: (N,) int32, the column of each text's label, -1 for a label that is not
            among `labels`; sigmoid: (N, K) sparse uint8; linear: (N, K) float64.
    """

    kind: HeadKind
    labels: tuple[str, ...]
    values: Any

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def take(self, rows: NDArray[np.int64] | slice) -> Targets:
        """Select the targets of some texts."""
        return Targets(self.kind, self.labels, self.values[rows])

    def dense(self, rows: NDArray[np.int64] | slice) -> NDArray[Any]:
        """Return the values of some texts as an array: (n,) or (n, K)."""
        values = self.values[rows]
        return np.asarray(values.toarray() if self.kind == "sigmoid" else values)

    def counts(self) -> NDArray[np.int64]:
        """Count the texts of each label, (K,); for numbers, all texts."""
        if self.kind == "softmax":
            return np.bincount(self.values[self.values >= 0], minlength=len(self.labels))
        if self.kind == "sigmoid":
            return np.asarray(self.values.sum(axis=0, dtype=np.int64)).ravel()
        return np.full(len(self.labels), len(self))


@dataclass
class TargetReader:
    """Reads label values one by one, and numbers the labels.

    Args:
        task: What the values are; None: seen from the first value.
        separator: A string between the labels of one text; None: a text has one label, or a list.
        names: The names of the columns that values come from.
        known: The labels of the training texts, for texts held out; None: labels are collected.
    """

    task: HeadTask | None = None
    separator: str | None = None
    names: tuple[str, ...] = ("value",)
    known: tuple[str, ...] | None = None
    unseen: dict[str, int] = field(default_factory=dict)
    _columns: dict[str, int] = field(default_factory=dict)
    _codes: array[int] = field(default_factory=lambda: array("i"))
    _ends: array[int] = field(default_factory=lambda: array("q"))
    _numbers: array[float] = field(default_factory=lambda: array("d"))
    _given: bool = False

    def __post_init__(self) -> None:
        self._given = self.task is not None or self.separator is not None
        if self.separator is not None:
            if self.task not in (None, "multilabel"):
                raise TrainingError(f"separator: expected the task multilabel, found {self.task}")
            self.task = "multilabel"
        if self.known is not None and self.task != "regression":
            self._columns = {label: number for number, label in enumerate(self.known)}

    def add(self, where: str, value: object) -> bool:
        """Read the value of one text.

        Returns:
            Whether there is a value. A text without a value has no target and is left out; with
            several labels, an empty list or cell means that no label applies.

        Raises:
            TrainingError: The value is invalid for the task.
        """
        if self.task is None:
            if _is_missing(value):
                return False
            self.task = _recognized_task(where, value)
        if self.task == "regression":
            if value is None or (isinstance(value, str) and not value.strip()):
                return False
            return self._add_numbers(where, value)
        if self.task == "classification":
            if _is_missing(value):
                return False
            self._codes.append(self._code(where, value))
            return True
        if value is None:
            return False
        codes = {self._code(where, label) for label in self._several(where, value)}
        self._codes.extend(sorted(codes - {-1}))
        self._ends.append(len(self._codes))
        return True

    def finish(self) -> Targets:
        """Return the targets of all texts added.

        Raises:
            TrainingError: There are too few or too many labels.
        """
        if self.task == "regression":
            numbers = np.array(self._numbers, np.float64).reshape(-1, len(self.names))
            return Targets("linear", self.names, numbers)
        labels = self.known
        codes = np.array(self._codes, np.int32)
        if labels is None:
            seen = list(self._columns)
            order = sorted(range(len(seen)), key=lambda at: _sort_key(seen[at]))
            labels = tuple(seen[at] for at in order)
            codes = np.argsort(order).astype(np.int32)[codes] if len(order) else codes
        if self.task != "multilabel":
            return Targets("softmax", labels, codes)
        pointers = np.concatenate([[0], np.array(self._ends, np.int64)])
        ones = np.ones(len(codes), np.uint8)
        shape = (len(self._ends), len(labels))
        matrix = csr_matrix((ones, codes, pointers), shape)
        matrix.sort_indices()
        return Targets("sigmoid", labels, matrix)

    def _several(self, where: str, value: object) -> Sequence[object]:
        """Split a value into labels."""
        if isinstance(value, (list, tuple, np.ndarray)):
            if self._indicators and len(value) == len(self.names):
                return [n for n, v in zip(self.names, value, strict=True) if _flag(where, n, v)]
            return [label for label in value if not _is_missing(label)]
        if isinstance(value, str):
            parts = value.split(self.separator) if self.separator else [value]
            return [part for part in map(str.strip, parts) if part]
        return [value]

    @property
    def _indicators(self) -> bool:
        """Whether several columns hold 0 or 1 each, one column a label."""
        return len(self.names) > 1

    def _code(self, where: str, value: object) -> int:
        label = label_text(value)
        if label is None:
            kind = type(value).__name__
            raise TrainingError(f"{where}: expected a label, found the {kind} {value!a:.60}")
        number = self._columns.get(label)
        if number is not None:
            return number
        if self.known is not None:
            self.unseen[label] = self.unseen.get(label, 0) + 1
            return -1
        if not self._given and _is_fraction(value):
            raise TrainingError(
                f"{where}: expected a label, found the number {label}; for numbers give the task "
                "regression, for labels the task classification"
            )
        if len(label.encode()) > MOST_LABEL_BYTES:
            raise TrainingError(
                f"{where}: expected a label of at most {MOST_LABEL_BYTES} bytes, found one of "
                f"{len(label.encode()):,}: {label[:40]!r}…"
            )
        if len(self._columns) == MOST_LABELS:
            raise TrainingError(f"{where}: expected at most {MOST_LABELS:,} labels, found more")
        self._columns[label] = len(self._columns)
        return len(self._columns) - 1

    def _add_numbers(self, where: str, value: object) -> bool:
        values = value if isinstance(value, (tuple, list, np.ndarray)) else (value,)
        if len(values) != len(self.names):
            raise TrainingError(
                f"{where}: expected {len(self.names)} numbers, found {len(values)} in {value!a:.60}"
            )
        numbers = []
        for name, each in zip(self.names, values, strict=True):
            try:
                number = float(each) if not isinstance(each, bool) else math.nan
            except (TypeError, ValueError, OverflowError):
                number = math.nan
            if not math.isfinite(number):
                raise TrainingError(
                    f"{where}: expected a finite number in {name!r}, found {each!a:.60}"
                )
            numbers.append(number)
        self._numbers.extend(numbers)
        return True


def check_labels(targets: Targets, place: str) -> None:
    """Check that a head can be fitted.

    Raises:
        TrainingError: There is one label only, most labels have one text, or numbers are all equal.
    """
    if targets.kind == "linear":
        for name, column in zip(targets.labels, targets.values.T, strict=True):
            if np.ptp(column) == 0:
                raise TrainingError(
                    f"{place}: expected numbers that differ in {name!r}, found {column[0]:g} in all"
                )
        return
    counts = targets.counts()
    if targets.kind == "sigmoid":
        if not len(targets.labels):
            raise TrainingError(f"{place}: expected labels, found none in {len(targets):,} texts")
        return
    if len(targets.labels) < 2:
        raise TrainingError(
            f"{place}: expected at least two labels, found {targets.labels[0]!a:.60} alone in "
            f"{len(targets):,} texts"
        )
    single = int((counts == 1).sum())
    if 2 * single > len(targets.labels) and len(targets.labels) > _NAMED:
        examples = ", ".join(f"{label!a:.30}" for label in targets.labels[:_NAMED])
        raise TrainingError(
            f"{place}: expected labels that repeat, found {len(targets.labels):,} labels in "
            f"{len(targets):,} texts, {single:,} of them once: {examples}, …"
        )
    if len(targets) < 4 or counts.max() < 2:
        raise TrainingError(
            f"{place}: expected at least two texts of a label and four in all, found "
            f"{len(targets):,} texts of {len(targets.labels):,} labels"
        )


def _recognized_task(where: str, value: object) -> HeadTask:
    if isinstance(value, tuple):
        if all(each in (0, 1, "0", "1") for each in value):
            return "multilabel"
        raise TrainingError(
            f"{where}: expected 0 or 1 in each of several label columns, found {value!a:.60}; for "
            "numbers give the task regression"
        )
    return "multilabel" if isinstance(value, (list, np.ndarray)) else "classification"


def _flag(where: str, name: str, value: object) -> bool:
    if value in (0, 1, "0", "1"):
        return int(value) == 1
    raise TrainingError(f"{where}: expected 0 or 1 in column {name!r}, found {value!a:.60}")


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _is_fraction(value: object) -> bool:
    """Return whether a label is a number with a fraction."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return math.isfinite(number) and not number.is_integer()


def _sort_key(label: str) -> tuple[int, int, str]:
    """Sort labels by text, and labels that are whole numbers by their size, before the others."""
    number = label.isascii() and label.removeprefix("-").isdigit() and len(label) < 19
    return (0, int(label), label) if number else (1, 0, label)
