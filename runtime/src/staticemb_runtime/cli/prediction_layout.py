"""The layout of predictions at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .layout import Span, Styles, columns_of, fit, terminal_width, visible, wrap
from .process import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..format.heads import Head
    from ..heads.explanation import PredictionExplanation

_LABELS: Final = 3  # of the likeliest labels
_TOKENS: Final = 6
_LINES: Final = 3
_MARGIN: Final = "  "
_COLORED: Final = 0.1  # of the largest share of a token


def prediction_lines(
    head: Head, text: str, scores: NDArray[np.float32], row: dict[str, Any], *, every: bool
) -> list[str]:
    """Return the lines of a text and its prediction.

    Args:
        head: the head.
        text: the text.
        scores: (K,) the probabilities, or the numbers of a `linear` head.
        row: the prediction, as of `predictions`; with `explanation`, the tokens are colored.
        every: whether all labels are shown, one a line.
    """
    styles, width = Styles(), terminal_width()
    room = width - len(_MARGIN)
    explanation: PredictionExplanation | None = row.get("explanation")
    spans = [Span(visible(text))] if explanation is None else _colored(text, explanation)
    lines = [styles.line(line) for line in wrap(spans, width, lines=_LINES)] or [""]
    if head.kind == "linear":
        pairs = zip(head.labels, scores.tolist(), strict=True)
        lines += [
            f"{_MARGIN}{fit(printable(name), room - 12)} {styles.paint(f'{value:.4g}', 'bold')}"
            for name, value in pairs
        ]
    else:
        labels = row["prediction"]
        given = labels if isinstance(labels, list) else [labels]
        lines += [_MARGIN + line for line in _labels(head, scores, given, styles, room, every)]
    if explanation is not None:
        wrapped = wrap(_sum(explanation), room, lines=_LINES)
        lines += [_MARGIN + styles.line(line) for line in wrapped]
    return lines


def _labels(
    head: Head,
    scores: NDArray[np.float32],
    given: list[str],
    styles: Styles,
    room: int,
    every: bool,
) -> list[str]:
    """Return the likeliest labels in a line, or all in a line each; predicted ones are bold.

    Of labels that are not predicted, those that do not fit into the line are left out.
    """
    order = np.argsort(-scores, kind="stable").tolist()
    if not every:
        order = order[: max(_LABELS, len(given))]
    shown: list[list[Span]] = []
    used = 0
    for place in order:
        name = fit(printable(head.labels[place]), room - len(" 0.00"))
        style = "bold" if head.labels[place] in given else "dim"
        used += columns_of(name) + len(" 0.00 ")
        if style == "dim" and shown and not every and used > room:
            break
        shown.append([Span(f"{name} {scores[place]:.2f}", style), Span("  ")])
    if every:
        return [styles.line(spans[:1]) for spans in shown]
    none = [] if given and given != [None] else [Span("no label:", "bad"), Span(" ")]
    spans = [*none, *(span for pair in shown for span in pair)]
    return [styles.line(line) for line in wrap(spans, room, lines=_LINES)]


def _colored(text: str, explanation: PredictionExplanation) -> list[Span]:
    """Return the text, its tokens colored by the sign of their shares."""
    shares = explanation.shares
    least = _COLORED * float(np.abs(shares).max(initial=0.0))
    spans, done = [], 0
    for (start, end), share in zip(explanation.spans, shares.tolist(), strict=True):
        if start < done or abs(share) < least or not share:
            continue  # of the prompt, or too small to matter
        spans += [
            Span(visible(text[done:start])),
            Span(visible(text[start:end]), "good" if share > 0 else "bad"),
        ]
        done = end
    return [*spans, Span(visible(text[done:]))]


def _sum(explanation: PredictionExplanation) -> list[Span]:
    """Return the logit as the sum of its largest shares, by distinct tokens."""
    totals: dict[str, float] = {}
    for piece, share in zip(explanation.pieces, explanation.shares.tolist(), strict=True):
        totals[piece] = totals.get(piece, 0.0) + share
    largest = sorted(totals.items(), key=lambda item: -abs(item[1]))[:_TOKENS]
    spans = [Span(f"{printable(explanation.label)}: logit {explanation.logit:.2f} ="), Span(" ")]
    for piece, share in largest:
        style = "good" if share >= 0 else "bad"
        spans += [Span(f"{share:+.2f}", style), Span(f" {printable(piece)} ")]
    rest = sum(totals.values()) - sum(share for _, share in largest)
    if len(totals) > len(largest):
        spans.append(Span(f"{rest:+.2f} others "))
    spans.append(Span(f"{explanation.bias:+.2f} bias", "dim"))
    return spans
