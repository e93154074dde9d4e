"""The learning curve as an SVG file that needs no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..evaluation.drawing import LIGHT, MARKERS, SERIES, canvas, heading, panel, printable, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 640, 250
_NOT_DRAWN = ("step", "rate", "loss", "validation_loss", "value")
_MOST_MARKED = 20
"""Points of a line that are marked one by one; of more, the line alone is drawn."""

Series = dict[str, list[tuple[float, float]]]


def draw(history: Sequence[Mapping[str, Any]], best: int | None = None) -> str:
    """Draw the losses, and below them the measures of the held-out examples.

    Args:
        history: Entries of `material.Trained.history`: a step and whatever was measured there.
        best: The step whose table was kept.

    Returns:
        An SVG document.
    """
    losses: Series = {}
    measures: Series = {}
    for entry in history:
        for name, value in entry.items():
            if name in ("loss", "validation_loss"):
                shown = "training" if name == "loss" else "held out"
                losses.setdefault(shown, []).append((entry["step"], value))
            elif name not in _NOT_DRAWN:
                measures.setdefault(name, []).append((entry["step"], value))
    panels = [("Loss", losses), ("Held-out examples", measures)]
    panels = [panel for panel in panels if panel[1]]
    last = max((entry["step"] for entry in history), default=1)
    notes: dict[str, str] = {}
    with canvas(_WIDTH, _HEIGHT * max(len(panels), 1)) as figure:
        for number, (title, lines) in enumerate(panels):
            top = number * _HEIGHT
            heading(figure, title, 0, top + 16)
            axes = panel(figure, 48, top + 44, _WIDTH - 16, top + _HEIGHT - 34)
            _fill(axes, lines, notes)
            axes.set_xlim(0, max(last, 1))
            if best is not None:
                axes.axvline(best, color=LIGHT["soft"], linestyle="dashed", linewidth=1)
        return to_svg(figure, "Learning curve", notes, alone=True)


def _fill(axes: Axes, lines: Series, notes: dict[str, str]) -> None:
    """Draw the lines, their legend above them, and keep a note for each point that is marked."""
    from matplotlib.ticker import MaxNLocator

    axes.grid(axis="y")
    for axis, most in ((axes.xaxis, 6), (axes.yaxis, 4)):
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    for index, (name, points) in enumerate(lines.items()):
        color, marker = SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]
        label = printable(name)
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=color)
        axes.plot([], [], color=color, marker=marker, linestyle="none", label=label)
        for step, value in points if len(points) < _MOST_MARKED else ():
            gid = f"note{len(notes)}"
            notes[gid] = f"{name}, step {step:g}: {value:.4g}"
            axes.plot(step, value, color=color, marker=marker, gid=gid, clip_on=False)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(lines), frameon=False,
        borderaxespad=0.2, borderpad=0, handletextpad=0.2, columnspacing=1.5,
    )  # fmt: skip
    below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate("steps", (1, 0), (0, -30), ha="right", va="baseline", **below)
