"""Markdown tables, the line about the machine, and charts of bars for the figures of docs/."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import commits_of

from staticemb_distiller.evaluation.drawing import FONT_SIZE, LIGHT, canvas, heading, panel, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FIGURE_SIZE = 13
_CHARACTER = 0.65  # the width of a character in a wide font, over its size: readers choose the font
OURS, OURS_TOO = LIGHT["c6"], LIGHT["c4"]
PEER, TEACHER = LIGHT["peer"], LIGHT["faint"]


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
                _beside(axes, name, 0.0, middle, -10, _FIGURE_SIZE)
                _beside(axes, figure_text, end, middle, 8, _FIGURE_SIZE)
            top = bottom + gap - 30
        return to_svg(figure, label, alone=True)


def grouped_bars(
    title: str,
    groups: Mapping[str, Sequence[float]],
    names: Mapping[str, str],
    intervals: Mapping[tuple[str, str], tuple[float, float]] | None = None,
) -> str:
    """Draw groups of thin horizontal bars with a legend, as SVG for light and dark pages.

    The drawing is narrow, so that its text can still be read at the width of a phone.

    Args:
        title: The heading, which is also the description for screen readers.
        groups: The name of each group -> the lengths of its bars, in the order of `names`.
        names: The name of each bar in the legend -> its color.
        intervals: (name of the group, name of the bar) -> ends of a line over the bar.
    """
    width, left, right, step, gap, top = 480, 96, 48, 15, 12, 62
    each = step * len(names) + gap
    height = top + each * len(groups)
    spans = intervals or {}
    longest = max(
        *(value for values in groups.values() for value in values),
        *(high for _, high in spans.values()),
        0.0,
    )
    with canvas(width, height) as figure:
        heading(figure, title, 0, 18)
        axes = panel(figure, left, top, width - right, height)
        axes.set_axis_off()
        axes.set(xlim=(0, longest), ylim=(height, top))
        at = 0.0
        for name, color in names.items():
            figure.text(at / width, 1 - 44 / height, "■", color=color, va="baseline")
            figure.text((at + 16) / width, 1 - 44 / height, name, va="baseline")
            at += 34 + len(name) * FONT_SIZE * _CHARACTER
        for row, (group, values) in enumerate(groups.items()):
            start = top + row * each
            _beside(axes, group, 0.0, start + step * len(names) / 2, -10, FONT_SIZE)
            for place, (bar, color) in enumerate(names.items()):
                middle, end = start + (place + 0.5) * step, values[place]
                axes.barh(middle, end, step - 3, color=color)
                if span := spans.get((group, bar)):
                    axes.plot(span, [middle] * 2, color=LIGHT["ink"], linewidth=1, clip_on=False)
                    end = max(end, span[1])
                _beside(axes, f"{values[place]:.1f}", end, middle, 6, FONT_SIZE - 1)
        return to_svg(figure, title, alone=True)


def _beside(axes: Axes, text: str, x: float, middle: float, shift: float, size: float) -> None:
    """Write a text in the middle of a line, `shift` pixels to the right or left of a place."""
    axes.annotate(
        text,
        (x, middle + size / 2 - 1.5),
        (shift, 0),
        textcoords="offset points",
        annotation_clip=False,
        ha="left" if shift > 0 else "right",
        va="baseline",
        fontsize=size,
    )


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
