"""The charts of a head's report: calibration, confusions, and predicted against right numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..evaluation.drawing import (
    LIGHT,
    SERIES,
    canvas,
    heading,
    label_below,
    panel,
    printable,
    to_svg,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from .calibration import Reliability

_WIDTH: Final = 350
MOST_DRAWN: Final = 24
"""Labels up to which the confusions are drawn."""
_CELL = 26
_LEFT = 110
_NAME = 14  # characters of a label at the axis
_SHOWN = 12  # labels up to which the cells have figures


def calibration(bins: Reliability) -> str:
    """Draw the share of right predictions against their probability."""
    filled = bins.counts > 0
    notes: dict[str, str] = {}
    with canvas(_WIDTH, 300) as figure:
        axes = panel(figure, 34, 30, _WIDTH - 8, 300 - 40)
        axes.grid(axis="y")
        axes.set(xlim=(0, 100), ylim=(0, 100))
        axes.plot([0, 100], [0, 100], color=LIGHT["soft"], ls="dashed", lw=1)
        confidence, right = 100 * bins.confidence[filled], 100 * bins.right[filled]
        axes.plot(confidence, right, color=SERIES[0], zorder=3)
        shares = bins.counts[filled] / bins.counts.max()
        for x, y, share, count in zip(
            confidence, right, shares, bins.counts[filled].tolist(), strict=True
        ):
            gid = f"note{len(notes)}"
            notes[gid] = f"probability {x:.0f} %: {y:.0f} % right of {count:,}"
            axes.scatter(
                x, y, s=20 + 180 * share, color=SERIES[0], zorder=4, gid=gid, clip_on=False
            )
        heading(figure, "Right, in %", 0, 15)
        label_below(axes, "probability, in %")
        return to_svg(figure, "Share of right predictions against probability", notes)


def matrix_width(count: int) -> int:
    """Return the width in pixels of the confusions of as many labels."""
    return max(_LEFT + _CELL * count + 8, 250)


def confusions(matrix: NDArray[np.int64], labels: Sequence[str]) -> str:
    """Draw the confusions (K, K): a row for each right label, a column for each predicted one."""
    count = len(labels)
    left, top = _LEFT, 44
    width, height = matrix_width(count), top + _CELL * count + 30
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    notes: dict[str, str] = {}
    with canvas(width, height) as figure:
        axes = panel(figure, 0, 0, width, height)
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(height, 0))
        heading(figure, "Right label (row), predicted (column)", 0, 15, 12)
        for row, label in enumerate(labels):
            middle = top + _CELL * (row + 0.5)
            name = f"{row + 1} {printable(label, _NAME)}"
            axes.text(left - 6, middle + 4, name, ha="right", va="baseline", fontsize=11)
            at = left + _CELL * (row + 0.5)
            axes.text(at, top - 6, str(row + 1), ha="center", va="baseline", fontsize=11)
            for column, other in enumerate(labels):
                number = int(matrix[row, column])
                gid = f"note{len(notes)}"
                notes[gid] = f"{label} taken for {other}: {number:,}"
                _cell(
                    axes,
                    left + _CELL * column,
                    top + _CELL * row,
                    shares[row, column],
                    gid,
                    right=row == column,
                )
                if number and count <= _SHOWN:
                    axes.text(
                        left + _CELL * (column + 0.5),
                        middle + 4,
                        f"{number}" if number < 10_000 else f"{number // 1000}k",
                        ha="center",
                        va="baseline",
                        fontsize=10,
                    )
        return to_svg(figure, "Confusions", notes)


def _cell(axes: Axes, x: float, y: float, share: float, gid: str, *, right: bool) -> None:
    from matplotlib.patches import Rectangle

    color = SERIES[2] if right else SERIES[1]
    axes.add_patch(Rectangle((x, y), _CELL - 2, _CELL - 2, color=LIGHT["panel"], lw=0))
    axes.add_patch(
        Rectangle((x, y), _CELL - 2, _CELL - 2, color=color, alpha=0.55 * share, lw=0, gid=gid)
    )


def numbers(points: NDArray[np.float64]) -> str:
    """Draw predicted against right numbers (n, 2)."""
    with canvas(_WIDTH, 300) as figure:
        axes = panel(figure, 44, 30, _WIDTH - 8, 300 - 40)
        axes.grid(axis="y")
        axes.margins(0.05, 0.05)
        low, high = float(points.min()), float(points.max())
        axes.plot([low, high], [low, high], color=LIGHT["soft"], ls="dashed", lw=1)
        axes.plot(points[:, 0], points[:, 1], "o", color=SERIES[0], alpha=0.35, markersize=4)
        heading(figure, "Predicted", 0, 15)
        label_below(axes, "right")
        return to_svg(figure, "Predicted against right numbers")
