"""What the figures of docs/ are made of: tables, the line about the machine, charts of bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import commits_of

from staticemb_distiller.evaluation.drawing import LIGHT, canvas, heading, panel, to_svg

OURS, PEER, TEACHER = LIGHT["c6"], LIGHT["peer"], LIGHT["faint"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """A Markdown table whose first columns are names and whose others are figures."""
    rule = ["---" if at < names else "---:" for at in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def machine(content: Mapping[str, Any], *packages: str) -> str:
    """What the figures were measured on: processor, versions of these packages, commit, day."""
    made = content["environment"]
    versions = "".join(
        f", {name} {made['versions'][name]}" for name in packages if made["versions"].get(name)
    )
    return (
        f"{made['processor']}, Python {made['python']}{versions}; "
        f"{commits(content)}, {made['date']}."
    )


def commits(content: Mapping[str, Any]) -> str:
    """The commits that were measured, in words; `-dirty` marks changes that were not committed."""
    names = commits_of(content)
    return f"commit{'s' if len(names) > 1 else ''} {', '.join(names)}"


def times(ratio: Mapping[str, float] | None) -> str:
    """A ratio as `harness.ratio` gives it, its median to two digits; a dash where there is none."""
    if ratio is None:
        return "–"
    median = ratio["median"]
    return f"×{median:.1f}" if median >= 0.95 else f"×{median:.2g}"


def not_measured(content: Mapping[str, Any]) -> str:
    """A sentence on contestants that could not take part, empty where all could."""
    absent = content["results"].get("not_measured", {})
    return " ".join(f"{name}: not measured; {reason}." for name, reason in absent.items())


Bar = tuple[str, float, str, str]
"""Name, length, the figure written at its end, and the color: one of `OURS`, `PEER`, `TEACHER`."""


def bars(
    label: str,
    groups: Sequence[tuple[str, Sequence[Bar]]],
    intervals: Mapping[tuple[str, str], tuple[float, float]] | None = None,
) -> str:
    """Charts of level bars, one below the other, as an SVG file for light and dark pages.

    Args:
        label: Names the whole picture for who cannot see it.
        groups: For each chart its title and its bars; the longest fills the width.
        intervals: For a chart's title and a bar's name, the ends of a line drawn over the bar.
    """
    width, left, step, gap = 580, 220, 28, 48
    height = sum(step * len(rows) + gap for _, rows in groups) - 16
    with canvas(width, height) as figure:
        top = 0.0
        for title, rows in groups:
            bottom = top + 30 + step * len(rows)
            heading(figure, title, 0, top + 18)
            axes = panel(figure, left, top + 30, width - 110, bottom)
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
                        fontsize=13,
                    )
            top = bottom + gap - 30
        return to_svg(figure, label, alone=True)
