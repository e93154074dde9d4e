"""The learning curve as a drawing that needs nothing beside itself."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ..evaluation import svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 640.0, 250.0
_STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff } text { fill: #1b1f24 }
.grid { stroke: #d7dce1 } .axis { stroke: #59636e } .heading { font-size: 14px; font-weight: 600 }
.soft { fill: #59636e } .line { fill: none; stroke-width: 2 } .best { stroke-dasharray: 4 3 }
""" + "".join(
    f".fill{number} {{ fill: {color} }} .stroke{number} {{ stroke: {color} }}\n"
    for number, color in enumerate(("#0b62b5", "#c2410c", "#0f7b5f", "#8b2fa8", "#8f5b00"))
)
_NOT_DRAWN = ("step", "rate", "loss", "validation_loss", "value")

Series = dict[str, list[tuple[float, float]]]


def draw(history: Sequence[Mapping[str, Any]], best: int | None = None) -> str:
    """Draw the losses, and below them the measures of the held-out examples.

    Args:
        history: Entries of `loop.Trained.history`: a step and whatever was measured there.
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
    parts = [svg.tag("style", _STYLE)]
    for number, (heading, lines) in enumerate(panels):
        parts += _panel(heading, lines, last, number * _HEIGHT, best)
    drawn = svg.drawing(_WIDTH, _HEIGHT * max(len(panels), 1), "Learning curve", parts)
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _panel(heading: str, lines: Series, last: int, top: float, best: int | None) -> list[str]:
    frame = svg.Box(48, top + 44, _WIDTH - 16, top + _HEIGHT - 34)
    values = [value for points in lines.values() for _, value in points]
    up = svg.round_ticks(min(values), max(values), 4)
    across = [tick for tick in svg.round_ticks(0, last, 6) if tick <= last]
    x = svg.Scale(0, max(last, 1), frame.left, frame.right)
    y = svg.Scale(up[0], up[-1], frame.bottom, frame.top)
    parts = [svg.text(0, top + 16, heading, class_="heading")]
    for tick in up:
        parts.append(svg.line(frame.left, y(tick), frame.right, y(tick), class_="grid"))
        parts.append(
            svg.text(frame.left - 6, y(tick) + 4, f"{tick:g}", class_="soft", text_anchor="end")
        )
    for tick in across:
        parts.append(
            svg.text(x(tick), frame.bottom + 16, f"{tick:g}", class_="soft", text_anchor="middle")
        )
    parts.append(svg.text(frame.right, frame.bottom + 30, "steps", text_anchor="end"))
    if best is not None:
        parts.append(svg.line(x(best), frame.top, x(best), frame.bottom, class_="axis best"))
    place = frame.left
    for index, (name, points) in enumerate(lines.items()):
        path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)
        parts.append(svg.tag("polyline", points=path, class_=f"line stroke{index % 5}"))
        if len(points) < 20:
            parts += [
                svg.tag(
                    "g",
                    svg.tag("title", f"{escape(name)}, step {step:g}: {value:.4g}")
                    + svg.mark(index % 5, x(step), y(value), 3.5),
                )
                for step, value in points
            ]
        parts.append(svg.mark(index % 5, place + 5, top + 30, 4))
        parts.append(svg.text(place + 14, top + 34, name))
        place += 30 + svg.text_width(name)
    return parts
