"""Positions for the labels of a chart's marks, without overlaps where possible."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .drawing import FONT_SIZE


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; y grows downward."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the area that two boxes share, in square pixels."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)

    def outside(self, frame: Box) -> float:
        """Return the area of this box outside a frame, in square pixels."""
        return (self.right - self.left) * (self.bottom - self.top) - self.overlap(frame)


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Estimate the width of a text in a browser, in pixels; the estimate is rather too large.

    No font is measured, because the reader's browser chooses the font.
    """
    return size * sum(1.05 if unicodedata.east_asian_width(c) in "WF" else 0.57 for c in text)


def place_labels(
    marks: Sequence[tuple[float, float, float]], labels: Sequence[str], frame: Box
) -> list[Box]:
    """Choose a box for each label within the frame that covers no mark and no other label.

    Args:
        marks: Center x, center y and radius of each mark, in pixels.
        labels: The text of each mark.
        frame: The area for labels.

    Returns:
        A box for each label: the free position nearest to its mark, or, if none is free, the
        position with the least overlap.
    """
    taken = [Box(x - r, y - r, x + r, y + r) for x, y, r in marks]
    placed: list[Box] = []
    for (x, y, r), label in zip(marks, labels, strict=True):
        wide, high = text_width(label), FONT_SIZE * 1.25
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
