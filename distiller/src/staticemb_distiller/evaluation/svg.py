"""Small parts of a drawing: escaped text, marks, round ticks, labels that do not collide."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

FONT = 12
"""Size of a chart's text, in pixels at the drawing's own width."""


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map from values to pixels.

    >>> Scale(0, 100, 0, 50)(50)
    25.0
    >>> Scale(1, 100, 0, 50, log=True)(10)
    25.0
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About so many round numbers, the first at or below low, the last at or above high.

    >>> round_ticks(52.3, 78.9, 4)
    [50.0, 60.0, 70.0, 80.0]
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(s * power for s in (1, 2, 2.5, 5, 10, 20) if span / (s * power) <= count or s == 20)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten, the first at or below low, the last at or above high."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def short_number(value: float) -> str:
    """A tick's label: 1000 as 1k, 1000000 as 1M.

    >>> short_number(20000), short_number(2.5)
    ('20k', '2.5')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def shortened(text: str, limit: int = 30) -> str:
    """A name that fits into a drawing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text is drawn, in pixels; a little too wide rather than too narrow."""
    return size * sum(1.05 if unicodedata.east_asian_width(c) in "WF" else 0.57 for c in text)


def tag(element: str, content: str = "", **attributes: str | float) -> str:
    """An element; `class_` and `stroke_width` become `class` and `stroke-width`."""
    parts = [element]
    for key, value in attributes.items():
        shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    return f"<{' '.join(parts)}>{content}</{element}>"


def text(x: float, y: float, content: str, **attributes: str) -> str:
    """A line of text."""
    return tag("text", escape(content), x=float(x), y=float(y), **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str) -> str:
    """A straight line."""
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), **attributes)


def drawing(width: float, height: float, title: str, parts: Sequence[str], class_: str = "") -> str:
    """The whole drawing, as wide as its place allows; screen readers hear its title."""
    return tag(
        "svg",
        tag("title", escape(title)) + "".join(parts),
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=title,
        class_=class_,
    )


def mark(index: int, x: float, y: float, size: float = 5) -> str:
    """A series' mark: colors repeat after eight, shapes after five, so that no two look alike."""
    shapes: Sequence[Sequence[tuple[float, float]]] = (
        (),
        ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
        ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
        ((0, 1.2), (1.1, -0.8), (-1.1, -0.8)),
    )
    shape, color = shapes[index % len(shapes)], f"fill{index % 8}"
    if not shape:
        return tag("circle", cx=float(x), cy=float(y), r=float(size), class_=color)
    points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in shape)
    return tag("polygon", points=points, class_=color)


@dataclass(frozen=True)
class Box:
    """A rectangle that something is drawn in."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that two boxes share."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)

    def outside(self, frame: Box) -> float:
        """The area of this box that lies outside a frame."""
        return (self.right - self.left) * (self.bottom - self.top) - self.overlap(frame)


def place_labels(
    marks: Sequence[tuple[float, float, float]], labels: Sequence[str], frame: Box
) -> list[Box]:
    """Where to write each label, so that none covers another, a mark, or leaves the frame.

    Args:
        marks: Center and radius of each mark.
        labels: A text for each.
        frame: Where labels may lie.

    Returns:
        A box for each label: the free place nearest to its mark, or the least covered.
    """
    taken = [Box(x - r, y - r, x + r, y + r) for x, y, r in marks]
    placed: list[Box] = []
    for (x, y, r), label in zip(marks, labels, strict=True):
        wide, high = text_width(label), FONT * 1.25
        options: list[tuple[float, int, Box]] = []
        for far in range(8):
            gap = r + 4 + 14 * far
            for dx, dy in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
                middle_x = x + dx * (gap + wide / 2) * (0.75 if dy else 1)
                middle_y = y + dy * (gap + high / 2)
                box = Box(
                    middle_x - wide / 2,
                    middle_y - high / 2,
                    middle_x + wide / 2,
                    middle_y + high / 2,
                )
                covered = sum(box.overlap(other) for other in (*taken, *placed))
                options.append((covered + 10 * box.outside(frame), len(options), box))
        placed.append(min(options, key=lambda option: option[:2])[2])
    return placed
