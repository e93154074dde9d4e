"""The report's charts: quality by speed, by vector length and by task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .drawing import LIGHT, MARKERS, SERIES, canvas, heading, label_below, panel, printable, to_svg
from .labels import Box, place_labels, text_width
from .tables import TITLES, megabytes, number, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from .results import Results

WIDTH: Final = 350
"""The width of a narrow chart in pixels: it fits a phone, and several fit side by side."""
WIDE: Final = 720
"""The width of a wide chart in pixels."""
LEVELS: Final = ("dashed", "dotted", "solid")
"""The line styles of baselines, in their order; CSS has the same names."""


def series(results: Results) -> list[str]:
    """Return the models that are not baselines; each has a color, in this order."""
    return [name for name in results.models if name not in results.baseline]


def color_number(results: Results, model: str) -> int | None:
    """Return the number of a model's color; None for a baseline, which has the text's color."""
    names = series(results)
    return names.index(model) % len(SERIES) if model in names else None


def level_style(results: Results, model: str) -> str:
    """Return the style of a model's horizontal line, one of `LEVELS`."""
    at = results.baseline.index(model) if model in results.baseline else 0
    return LEVELS[at % len(LEVELS)]


def marker(results: Results, model: str) -> str:
    """Return the marker of a model that is not a baseline.

    Colors repeat after eight models and markers after five, so that forty models look different.
    """
    return MARKERS[series(results).index(model) % len(MARKERS)]


def is_level(results: Results, model: str) -> bool:
    """Return whether a model is a horizontal line in charts by length.

    Baselines and models without vectors are.
    """
    return model in results.baseline or results.prefixes(model) == [0]


def speed(results: Results, width: int) -> str | None:
    """Draw quality against texts per second; the area of a bubble shows the model's size.

    Args:
        results: The results.
        width: The width in pixels, `WIDTH` or `WIDE`.

    Returns:
        The SVG; None if no speed was measured.
    """
    points = []
    for model in results.models:
        facts = results.facts[model]
        rate, mean = facts.get("texts_per_second"), results.mean(model)
        if rate and not math.isnan(mean):
            points.append((model, float(rate), mean, float(facts.get("bytes") or 0)))
    if not points:
        return None
    height, reach = (400, 34) if width == WIDE else (340, 24)
    points.sort(key=lambda point: -point[3])
    largest = points[0][3] or 1.0
    radii = [max(4.0, reach * math.sqrt(point[3] / largest)) for point in points]
    labels = [_bubble_label(results, point[0]) for point in points]
    notes: dict[str, str] = {}
    with canvas(width, height) as figure:
        axes = panel(figure, 34, 30, width - 8, height - 40)
        axes.set_xscale("log")
        _grid(axes)
        axes.margins(0, 0.2)
        rates = [math.log10(rate) for _, rate, _, _ in points]
        # Whole decades, and at least one of them.
        decades = math.floor(min(rates)), max(math.ceil(max(rates)), math.floor(min(rates)) + 1)
        axes.set_xlim(0.85 * 10.0 ** decades[0], 10.0 ** decades[1] / 0.85)
        for (model, rate, mean, _), radius in zip(points, radii, strict=True):
            size = megabytes(results.facts[model].get("bytes"))
            shown = f"{model}: {number(mean)}, {rate:,.0f} texts/s, {size} MB"
            axes.scatter(
                rate,
                mean,
                s=(2 * radius) ** 2,
                color=_color(results, model),
                alpha=0.75,
                edgecolors="none",
                clip_on=False,
                gid=_note(notes, shown),
            )
        axes.xaxis.set_major_formatter(_short_number)
        axes.minorticks_off()
        heading(figure, "Mean of the kinds of task", 8, 16, 12)
        label_below(axes, "texts per second →")
        axes.autoscale_view()  # or the limits would be set later, when the figure is drawn
        centers = axes.transData.transform([(rate, mean) for _, rate, mean, _ in points])
        marks = [(x, height - y, r) for (x, y), r in zip(centers, radii, strict=True)]
        boxes = place_labels(marks, labels, Box(2, 22, width - 2, height - 40))
        for mark, box, label in zip(marks, boxes, labels, strict=True):
            _write_label(axes, height, mark, box, label)
        return to_svg(figure, "Quality against texts per second", notes)


def prefixes(results: Results, kind: str | None) -> str | None:
    """Draw quality against prefix length.

    Args:
        results: The results.
        kind: The kind of task; None: the mean of the kinds.

    Returns:
        The SVG; None if no model was measured at two prefixes.
    """
    lines = {}
    for name in results.models:
        values = [(p, results.mean(name, kind, p)) for p in sorted(results.prefixes(name))]
        if known := [(p, value) for p, value in values if not math.isnan(value)]:
            lines[name] = known
    if not any(len(points) > 1 for name, points in lines.items() if not is_level(results, name)):
        return None
    title = TITLES[kind] if kind else "Mean of the kinds"
    height = 250
    notes: dict[str, str] = {}
    with canvas(WIDTH, height) as figure:
        axes = panel(figure, 34, 30, WIDTH - 8, height - 36)
        axes.set_xscale("log")
        _grid(axes, 4)
        lengths: list[int] = []
        for name, points in lines.items():
            color = _color(results, name)
            if is_level(results, name):
                gid = _note(notes, f"{name}: {number(points[-1][1])}")
                style = level_style(results, name)
                axes.axhline(points[-1][1], color=color, ls=style, lw=1.5, gid=gid)
                continue
            axes.plot(*zip(*points, strict=True), color=color, zorder=3)
            for p, value in points:
                gid = _note(notes, f"{name}, {p} dimensions: {number(value)}")
                axes.plot(
                    p, value, marker(results, name), color=color, zorder=4, gid=gid, clip_on=False
                )
            lengths += [p for p, _ in points]
        axes.set_xlim(min(lengths) / 1.08, max(lengths) * 1.08)
        # Lengths that most models have come first, so that their labels are kept.
        lengths = sorted(set(lengths), key=lambda p: (-lengths.count(p), -p))
        axes.set_xticks(lengths, _apart(axes, lengths))
        axes.minorticks_off()
        heading(figure, title, 0, 15)
        label_below(axes, "dimensions")
        return to_svg(figure, f"{title} against prefix length", notes)


def bars(results: Results, kind: str) -> str:
    """Draw the tasks of a kind: a bar for each model, and a vertical line for each baseline."""
    tasks = [task for task in results.tasks if task.startswith(f"{kind}/")]
    whole = {model: results.prefixes(model)[0] for model, _ in rows(results)}
    height = 30 + len(tasks) * (29 + 13 * len(series(results)))
    notes: dict[str, str] = {}
    with canvas(WIDTH, height) as figure:
        axes = panel(figure, 0, 0, WIDTH - 42, height)
        axes.set_axis_off()
        axes.set(xlim=(0, 100), ylim=(height, 0))
        side: dict[str, Any] = {
            "fontsize": 11,
            "color": LIGHT["soft"],
            "ha": "right",
            "va": "baseline",
        }
        right = 100 * WIDTH / (WIDTH - 42)
        heading(figure, TITLES[kind], 0, 15)
        top = 30.0
        for task in tasks:
            axes.text(0, top + 10, printable(task.partition("/")[2], 32), va="baseline")
            bottom = top + 17
            for model, prefix in whole.items():
                value = results.value(model, task, prefix)
                if math.isnan(value) or model in results.baseline:
                    continue
                gid = _note(notes, f"{model}: {number(value)}")
                length = max(min(value, 100), 0)
                axes.barh(bottom + 5, length, 10, color=_color(results, model), gid=gid)
                axes.text(right, bottom + 9, number(value), **side)
                bottom += 13
            levels = [(name, results.value(name, task)) for name in results.baseline]
            levels = [(name, value) for name, value in levels if not math.isnan(value)]
            for name, value in levels:
                gid = _note(notes, f"{name}: {number(value)}")
                style = level_style(results, name)
                axes.plot([value] * 2, [top + 14, bottom], color=LIGHT["ink"], ls=style, gid=gid)
            if levels:
                shown = ", ".join(number(value) for _, value in levels)
                axes.text(right, top + 10, shown, **side)
            top = bottom + 12
        return to_svg(figure, f"{TITLES[kind]} by task", notes)


def _note(notes: dict[str, str], text: str) -> str:
    """Add a note for `to_svg`; return the `gid` of its artist."""
    gid = f"note{len(notes)}"
    notes[gid] = text
    return gid


def _color(results: Results, model: str) -> str:
    index = color_number(results, model)
    return LIGHT["ink"] if index is None else SERIES[index]


def _grid(axes: Axes, steps: int = 5) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(steps, steps=[1, 2, 2.5, 5, 10]))


def _short_number(value: float, _: object = None) -> str:
    """Format a tick's label: 1000 as 1k, 1000000 as 1M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _apart(axes: Axes, values: Sequence[int]) -> list[str]:
    """Return the labels of ticks; a label that would touch an earlier one is empty."""
    places = axes.transData.transform([(value, axes.get_ylim()[0]) for value in values])[:, 0]
    written: list[tuple[float, float]] = []
    labels = []
    for value, place in zip(values, places, strict=True):
        half = text_width(str(value)) / 2
        free = all(abs(place - other) > half + width + 4 for other, width in written)
        written += [(place, half)] if free else []
        labels.append(str(value) if free else "")
    return labels


def _bubble_label(results: Results, model: str) -> str:
    size = megabytes(results.facts[model].get("bytes"))
    return printable(model, 24) + (f" · {size} MB" if size != "–" else "")


def _write_label(
    axes: Axes, height: float, mark: tuple[float, float, float], box: Box, label: str
) -> None:
    """Write a label in its box, with a thin line to its mark if the mark is not close."""
    from matplotlib.transforms import IdentityTransform

    x, y, r = mark
    side, place = "center", (box.left + box.right) / 2
    if box.right <= x:
        side, place = "right", box.right
    elif box.left >= x:
        side, place = "left", box.left
    pixels: dict[str, Any] = {"transform": IdentityTransform(), "zorder": 6}
    axes.text(place, height - box.bottom + 4, label, ha=side, va="baseline", **pixels)
    to_x = min(max(x, box.left), box.right)
    to_y = min(max(y, box.top + 3), box.bottom - 3)
    away = math.hypot(to_x - x, to_y - y)
    if away > r + 12:
        from_x, from_y = x + (to_x - x) * r / away, y + (to_y - y) * r / away
        look: dict[str, Any] = {"color": LIGHT["soft"], "linewidth": 0.75, "clip_on": False}
        ends = [height - from_y, height - to_y]
        axes.plot([from_x, to_x], ends, scalex=False, scaley=False, **look, **pixels)
