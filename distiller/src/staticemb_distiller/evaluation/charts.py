"""The report's drawings, as SVG that takes its colors from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from . import svg
from .report import TITLES, megabytes, number, rows
from .run import Results

WIDTH = 350
"""Pixels: a drawing that fits a phone as it is, and stands beside others on a desktop."""


def series(results: Results) -> list[str]:
    """The models that have a color, in its order: those that are not baselines."""
    return [name for name in results.models if name not in results.baseline]


def color(results: Results, model: str) -> int | None:
    """Number of a model's color and mark; None for a baseline, drawn in the text's color."""
    names = series(results)
    return names.index(model) if model in names else None


def _mark(results: Results, model: str, x: float, y: float, size: float = 5) -> str:
    index = color(results, model)
    if index is None:
        return svg.tag("circle", cx=float(x), cy=float(y), r=float(size), class_="ink")
    return svg.mark(index, x, y, size)


def swatch(results: Results, model: str, as_line: bool = False) -> str:
    """How a model is drawn, for a legend: its mark, or a level line for one without prefixes."""
    if color(results, model) is None or (as_line and results.prefixes(model) == [0]):
        parts = [svg.line(0, 7, 22, 7, class_=_level_style(results, model))]
        return svg.drawing(22, 14, model, parts, "swatch")
    return svg.drawing(14, 14, model, [_mark(results, model, 7, 7)], "swatch")


def speed(results: Results, width: int) -> str | None:
    """Quality against texts per second, a bubble's area its megabytes; None with no speed known."""
    points = []
    for model in results.models:
        facts = results.facts[model]
        rate, mean = facts.get("texts_per_second"), results.mean(model)
        if rate and not math.isnan(mean):
            points.append((model, float(rate), mean, float(facts.get("bytes") or 0)))
    if not points:
        return None
    height = 400 if width > WIDTH else 340
    frame = svg.Box(34, 30, width - 8, height - 40)
    across = svg.decades(min(p[1] for p in points), max(p[1] for p in points))
    low, high = min(p[2] for p in points), max(p[2] for p in points)
    room = 0.15 * (high - low) + 1  # for the bubbles' own size
    up = svg.round_ticks(low - room, high + room)
    x = svg.Scale(across[0], across[-1], frame.left + 12, frame.right - 12, log=True)
    y = svg.Scale(up[0], up[-1], frame.bottom, frame.top)
    parts = _axes(
        frame, [(x(v), svg.short_number(v)) for v in across], [(y(v), f"{v:g}") for v in up]
    )
    parts.append(svg.text(frame.left - 26, 16, "Mean of the kinds of task", class_="axis"))
    parts.append(
        svg.text(frame.right, height - 6, "texts per second →", class_="axis", text_anchor="end")
    )
    largest = max(p[3] for p in points) or 1.0
    reach = 34 if width > WIDTH else 24
    points.sort(key=lambda p: -p[3])
    marks = [(x(p[1]), y(p[2]), max(4.0, reach * math.sqrt(p[3] / largest))) for p in points]
    labels = [_bubble_label(results, p[0]) for p in points]
    for (model, rate, mean, _), (cx, cy, r) in zip(points, marks, strict=True):
        index = color(results, model)
        what = f"{model}: {number(mean)}, {rate:,.0f} texts/s, {megabytes(results.facts[model])} MB"
        parts.append(
            svg.tag(
                "circle",
                svg.tag("title", escape(what)),
                cx=cx,
                cy=cy,
                r=r,
                class_="bubble ink" if index is None else f"bubble fill{index % 8}",
            )
        )
    for (cx, cy, r), text, box in zip(
        marks,
        labels,
        svg.place_labels(marks, labels, svg.Box(2, 22, width - 2, frame.bottom)),
        strict=True,
    ):
        parts += _leader(cx, cy, r, box)
        parts.append(_beside(cx, box, text))
    return svg.drawing(width, height, "Quality against texts per second", parts)


def _bubble_label(results: Results, model: str) -> str:
    size = megabytes(results.facts[model])
    return svg.shortened(model, 24) + (f" · {size} MB" if size != "–" else "")


def _beside(cx: float, box: svg.Box, text: str) -> str:
    """A label in its box, ending or beginning on the side of its mark."""
    where, anchor = (box.left + box.right) / 2, "middle"
    if box.right <= cx:
        where, anchor = box.right, "end"
    elif box.left >= cx:
        where, anchor = box.left, "start"
    return svg.text(where, box.bottom - 4, text, class_="label", text_anchor=anchor)


def _leader(cx: float, cy: float, r: float, box: svg.Box) -> list[str]:
    """A thin line from a mark to a label that stands away from it."""
    tx, ty = min(max(cx, box.left), box.right), min(max(cy, box.top + 3), box.bottom - 3)
    away = math.hypot(tx - cx, ty - cy)
    if away <= r + 12:
        return []
    sx, sy = cx + (tx - cx) * r / away, cy + (ty - cy) * r / away
    return [svg.line(sx, sy, tx, ty, class_="leader")]


def _axes(
    frame: svg.Box, across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]]
) -> list[str]:
    """Grid, ticks and their labels; of labels across that touch, the earlier stays."""
    parts = []
    for y, label in up:
        parts.append(svg.line(frame.left, y, frame.right, y, class_="grid"))
        parts.append(svg.text(frame.left - 6, y + 4, label, class_="tick", text_anchor="end"))
    written: list[tuple[float, float]] = []
    for x, label in across:
        half = svg.text_width(label) / 2
        parts.append(svg.line(x, frame.bottom, x, frame.bottom + 4, class_="axis-line"))
        # A label that would touch one written before it is left out.
        if all(abs(x - other) > half + width + 4 for other, width in written):
            parts.append(svg.text(x, frame.bottom + 18, label, class_="tick", text_anchor="middle"))
            written.append((x, half))
    parts.append(svg.line(frame.left, frame.bottom, frame.right, frame.bottom, class_="axis-line"))
    return parts


def prefixes(results: Results, kind: str | None) -> str | None:
    """Quality against prefix length for one kind, or the mean of kinds.

    None where no model was measured at two prefixes.
    """
    lines = {
        name: [
            (p, results.mean(name, kind, p))
            for p in sorted(results.prefixes(name))
            if not math.isnan(results.mean(name, kind, p))
        ]
        for name in results.models
    }
    lines = {name: points for name, points in lines.items() if points}
    shown = [p for name in series(results) for p, _ in lines.get(name, ()) if p]
    # The lengths of most models come first: their labels are the ones to keep.
    lengths = sorted(set(shown), key=lambda p: (-shown.count(p), -p))
    if not any(len(points) > 1 for points in lines.values()):
        return None
    values = [v for points in lines.values() for _, v in points]
    height = 250
    frame = svg.Box(34, 30, WIDTH - 8, height - 36)
    up = svg.round_ticks(min(values), max(values), 4)
    x = svg.Scale(min(lengths), max(lengths), frame.left + 12, frame.right - 14, log=True)
    y = svg.Scale(up[0], up[-1], frame.bottom, frame.top)
    parts = _axes(frame, [(x(p), str(p)) for p in lengths], [(y(v), f"{v:g}") for v in up])
    heading = TITLES[kind] if kind else "Mean of the kinds"
    parts.append(svg.text(0, 15, heading, class_="heading"))
    parts.append(svg.text(frame.right, height - 2, "dimensions", class_="axis", text_anchor="end"))
    for name, points in lines.items():
        index = color(results, name)
        if index is None or points == [(0, points[0][1])]:
            style = _level_style(results, name)
            parts.append(
                svg.line(frame.left, y(points[-1][1]), frame.right, y(points[-1][1]), class_=style)
            )
            continue
        path = " ".join(f"{x(p):.1f},{y(v):.1f}" for p, v in points)
        parts.append(svg.tag("polyline", points=path, class_=f"line stroke{index % 8}"))
        for p, v in points:
            what = f"{name}, {p} dimensions: {number(v)}"
            parts.append(
                svg.tag("g", svg.tag("title", escape(what)) + svg.mark(index, x(p), y(v), 4.5))
            )
    return svg.drawing(WIDTH, height, f"{heading} against prefix length", parts)


def _level_style(results: Results, model: str) -> str:
    """How a model without prefixes is drawn: a level line."""
    index = color(results, model)
    if index is None:
        return f"base base{results.baseline.index(model) % 3}"
    return f"base stroke{index % 8}"


def bars(results: Results, kind: str) -> str:
    """One kind's tasks: a bar for each model, a line across them for each baseline."""
    x = svg.Scale(0, 100, 0, WIDTH - 42)
    parts = [svg.text(0, 15, TITLES[kind], class_="heading")]
    top = 30.0
    for task in (t for t in results.tasks if t.startswith(f"{kind}/")):
        levels = [(b, results.value(b, task)) for b in results.baseline]
        levels = [(b, v) for b, v in levels if not math.isnan(v)]
        parts.append(
            svg.text(0, top + 10, svg.shortened(task.partition("/")[2], 32), class_="label")
        )
        bottom = top + 17
        for model, prefix in _longest(results):
            value = results.value(model, task, prefix)
            index = color(results, model)
            if math.isnan(value) or index is None:
                continue
            what = svg.tag("title", escape(f"{model}: {number(value)}"))
            parts.append(
                svg.tag(
                    "rect",
                    what,
                    x=0.0,
                    y=bottom,
                    width=max(x(min(value, 100)), 0.0),
                    height=10.0,
                    rx=1.5,
                    class_=f"fill{index % 8}",
                )
            )
            parts.append(
                svg.text(WIDTH, bottom + 9, number(value), class_="value", text_anchor="end")
            )
            bottom += 13
        for name, value in levels:
            style = f"base base{results.baseline.index(name) % 3} over"
            what = svg.tag("title", escape(f"{name}: {number(value)}"))
            parts.append(
                svg.tag("g", what + svg.line(x(value), top + 14, x(value), bottom, class_=style))
            )
        if levels:
            shown = ", ".join(number(value) for _, value in levels)
            parts.append(svg.text(WIDTH, top + 10, shown, class_="value", text_anchor="end"))
        top = bottom + 12
    return svg.drawing(WIDTH, top, f"{TITLES[kind]} by task", parts)


def _longest(results: Results) -> list[tuple[str, int]]:
    longest: dict[str, int] = {}
    for model, prefix in rows(results):
        longest.setdefault(model, prefix)
    return list(longest.items())
