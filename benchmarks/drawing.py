"""Markdown tables, the line about the machine, and charts of bars for the figures of docs/."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness import commits_of

from staticemb_distiller.evaluation.drawing import LIGHT, canvas, heading, panel, to_svg

_FIGURE_SIZE = 13
_CHARACTER = 0.65  # the width of a character in a wide font, over its size: readers choose the font
OURS, PEER, TEACHER = LIGHT["c6"], LIGHT["peer"], LIGHT["faint"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Format a Markdown table; the first `names` columns are aligned left, the others right."""
    rule = ["---" if at < names else "---:" for at in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def machine(content: Mapping[str, Any], *packages: str) -> str:
    """Describe the measurement: processor, versions of the given packages, commit, day."""
    made = content["environment"]
    versions = "".join(
        f", {name} {made['versions'][name]}" for name in packages if made["versions"].get(name)
    )
    return (
        f"{made['processor']}, Python {made['python']}{versions}; "
        f"{commits(content)}, {made['date']}."
    )


def commits(content: Mapping[str, Any]) -> str:
    """Name the measured commits."""
    names = commits_of(content)
    return f"commit{'s' if len(names) > 1 else ''} {', '.join(names)}"


def times(ratio: Mapping[str, float] | None) -> str:
    """Format the median of a ratio from `harness.ratio`; a dash without a ratio."""
    if ratio is None:
        return "–"
    median = ratio["median"]
    return f"×{median:.1f}" if median >= 0.95 else f"×{median:.2g}"


def not_measured(content: Mapping[str, Any]) -> str:
    """Name the contestants that were not measured, with the reasons; empty if all were."""
    absent = content["results"].get("not_measured", {})
    return " ".join(f"{name}: not measured; {reason}." for name, reason in absent.items())


Bar = tuple[str, float, str, str]
"""Name, length, the figure written at its end, and the color: one of `OURS`, `PEER`, `TEACHER`."""


def bars(
    label: str,
    groups: Sequence[tuple[str, Sequence[Bar]]],
    intervals: Mapping[tuple[str, str], tuple[float, float]] | None = None,
) -> str:
    """Draw charts of horizontal bars, one below the other, as SVG for light and dark pages.

    Args:
        label: The picture's description for screen readers.
        groups: The title and the bars of each chart; the longest bar fills the width.
        intervals: (title of the chart, name of the bar) -> ends of a line over the bar.
    """
    width, left, step, gap = 580, 220, 28, 48
    texts = [figure_text for _, rows in groups for _, _, figure_text, _ in rows]
    right = max(110, 8 + math.ceil(max(map(len, texts)) * _FIGURE_SIZE * _CHARACTER))
    height = sum(step * len(rows) + gap for _, rows in groups) - 16
    with canvas(width, height) as figure:
        top = 0.0
        for title, rows in groups:
            bottom = top + 30 + step * len(rows)
            heading(figure, title, 0, top + 18)
            axes = panel(figure, left, top + 30, width - right, bottom)
            axes.set_axis_off()
            spans = {name: (intervals or {}).get((title, name)) for name, *_ in rows}
            longest = max(max((value, *(spans[name] or ()))) for name, value, *_ in rows)
            axes.set(xlim=(0, longest), ylim=(bottom, top + 30))
            for at, (name, value, figure_text, color) in enumerate(rows):
                middle = top + 30 + (at + 0.5) * step
                end = value
                axes.barh(middle, value, step - 8, color=color)
                if span := spans[name]:
                    axes.plot(span, [middle] * 2, color=LIGHT["ink"], linewidth=1, clip_on=False)
                    end = span[1]
                for text, where, shift, side in (
                    (name, 0.0, -10, "right"),
                    (figure_text, end, 8, "left"),
                ):
                    axes.annotate(
                        text,
                        (where, middle + 5),
                        (shift, 0),
                        textcoords="offset points",
                        annotation_clip=False,
                        ha=side,
                        va="baseline",
                        fontsize=_FIGURE_SIZE,
                    )
            top = bottom + gap - 30
        return to_svg(figure, label, alone=True)


Line = tuple[str, Sequence[tuple[float, float]]]
"""The title and the points (size, cost) of a chart."""


def lines(label: str, charts: Sequence[Line]) -> str:
    """Draw small charts side by side in two columns: cost from zero, size on a logarithmic axis.

    Args:
        label: The picture's description for screen readers.
        charts: The charts.
    """
    wide, high = 290, 170
    rows = (len(charts) + 1) // 2
    with canvas(2 * wide, rows * high) as figure:
        for at, (title, points) in enumerate(charts):
            left, top = at % 2 * wide, at // 2 * high
            heading(figure, title, left + 8, top + 18, 12)
            axes = panel(figure, left + 40, top + 30, left + wide - 24, top + high - 32)
            sizes, costs = zip(*points, strict=True)
            axes.set_xscale("log")
            axes.grid(axis="y")
            axes.plot(sizes, costs, "o-", color=OURS, markersize=5, clip_on=False)
            axes.set_ylim(0, max(costs) * 1.15)
            axes.set_xlim(min(sizes), max(sizes))
            axes.set_xticks(sizes, [_short(size) for size in sizes])
            axes.minorticks_off()
        return to_svg(figure, label, alone=True)


def _short(size: float) -> str:
    """Format a size as an axis label: 1000 as 1k."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit and size % unit == 0:
            return f"{size / unit:g}{name}"
    return f"{size:g}"
