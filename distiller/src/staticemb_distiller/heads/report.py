"""The report of a head: what was chosen, how right it is, and what word counts alone can do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation.record import plain
from ..file.head import HeadKind
from ..version import __version__
from .scores import Scores

_WEAKEST = 5  # labels shown on a terminal
_SHARES = {"accuracy", "macro F1", "micro F1", "all labels right"}


@dataclass(frozen=True, eq=False)
class HeadReport:
    """The result of a fit.

    Attributes:
        path: The file.
        model: The model that the head was added to.
        name: The head's name.
        kind: "softmax", "sigmoid" or "linear".
        labels: The labels in the order of the head's outputs.
        texts: The number of training texts.
        pooling: The pooling of the vectors.
        strength: The inverse of the regularization, C.
        temperature: What logits are divided by.
        hidden: The outputs of the hidden layer; 0: there is none.
        tuned: Whether the table was trained with the head.
        method: How it was measured: "5 folds" or the held-out source.
        scores: The scores of held-out texts.
        baseline: The scores of TF-IDF with the same kind of layer; None: not measured.
        choices: What was tried and kept or not, in words.
        warnings: What the user should know about the texts.
    """

    path: Path
    model: str
    name: str
    kind: HeadKind
    labels: tuple[str, ...]
    texts: int
    pooling: str
    strength: float
    temperature: float
    method: str
    scores: Scores
    hidden: int = 0
    tuned: bool = False
    baseline: Scores | None = None
    choices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        lines = [
            f"Head {self.name!r}: {self.summary()}",
            *self.choices,
            f"Measured on {self.method}:",
        ]
        width = max(len(name) for name in self.scores.main)
        columns = ["this head"] + (["TF-IDF"] if self.baseline is not None else [])
        lines.append(f"  {'':{width}}  " + "  ".join(f"{column:>9}" for column in columns))
        for name, value in self.scores.main.items():
            cells = [spelled(name, value)]
            if self.baseline is not None:
                cells.append(spelled(name, self.baseline.main[name]))
            lines.append(f"  {name:{width}}  " + "  ".join(f"{cell:>9}" for cell in cells))
        if self.kind != "linear" and len(self.labels) > 2:
            known = [row for row in self.scores.by_label if row[1] > 0]
            weakest = sorted(known, key=lambda row: row[-1])[:_WEAKEST]
            shown = ", ".join(f"{row[0][:40]} {100 * row[-1]:.0f}" for row in weakest)
            lines.append(f"Lowest F1: {shown}")
        for right, given, count in self.scores.most_confused[:3]:
            lines.append(f"Confused: {right[:40]} taken for {given[:40]}, {count:,} times")
        return lines

    def summary(self) -> str:
        """Return a line of what was fitted."""
        predicted = {
            "softmax": f"one of {len(self.labels):,} labels",
            "sigmoid": f"any of {len(self.labels):,} labels",
            "linear": f"{len(self.labels)} number{'' if len(self.labels) == 1 else 's'}",
        }[self.kind]
        hidden = f", hidden layer of {self.hidden}" if self.hidden else ""
        tuned = ", table tuned" if self.tuned else ""
        pooling = self.pooling.replace("_", " ")
        return f"{predicted}, {self.texts:,} texts, {pooling}, C {self.strength:.3g}{hidden}{tuned}"

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "format": "staticemb-head-report",
            "version": 1,
            "distiller": __version__,
            "file": str(self.path),
            "model": self.model,
            "head": self.name,
            "kind": self.kind,
            "labels": list(self.labels),
            "texts": self.texts,
            "pooling": self.pooling,
            "strength": self.strength,
            "temperature": self.temperature,
            "hidden": self.hidden,
            "tuned": self.tuned,
            "measured_on": self.method,
            "held_out_texts": self.scores.texts,
            "scores": {name: plain(value) for name, value in self.scores.main.items()},
            "baseline": None
            if self.baseline is None
            else {name: plain(value) for name, value in self.baseline.main.items()},
            "by_label": [list(row) for row in self.scores.by_label],
            "confusions": None
            if self.scores.confusions is None
            else self.scores.confusions.tolist(),
            "most_confused": [list(row) for row in self.scores.most_confused],
            "choices": list(self.choices),
            "warnings": list(self.warnings),
        }

    def dumps(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"


def spelled(name: str, value: float) -> str:
    """Format a score: shares times 100, errors with three digits.

    >>> spelled("accuracy", 0.91234), spelled("Brier score", 0.1234)
    ('91.2', '0.123')
    """
    return f"{100 * value:.1f}" if name in _SHARES else f"{value:.3g}"
