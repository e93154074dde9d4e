"""Start, memory and reduction of large published layouts."""

from typing import Any

import drawing
from labels import label

_PACKAGES = ("numpy", "tokenizers", "model2vec", "sentence-transformers", "torch")


def section(content: dict[str, Any]) -> str:
    """Return two tables: starts up to a first vector, and what `convert` takes."""
    layouts = content["results"]["layouts"]
    starts = [
        [
            _titled(name, layout, contestant == next(iter(layout["start"]))),
            label(contestant),
            f"{row['times_import_numpy']['median']:,.1f}",
            f"{row['peak_bytes'] / 1e6:,.0f}",
            f"{row['model_bytes'] / 1e6:,.0f}",
        ]
        for name, layout in layouts.items()
        for contestant, row in layout["start"].items()
    ]
    making = [
        [
            _titled(name, layout, step == next(iter(layout["making"]))),
            step,
            f"{row['seconds']:,.0f}",
            f"{row['peak_bytes'] / 1e6:,.0f}",
            f"{row['peak_bytes'] / layout['table_bytes']:.1f}",
        ]
        for name, layout in layouts.items()
        for step, row in layout["making"].items()
    ]
    absent = {
        peer: why for layout in layouts.values() for peer, why in layout["not_measured"].items()
    }
    left_out = drawing.not_measured({"results": {"not_measured": absent}})
    heads = ["layout", "opened by", "start, × numpy", "peak MB", "on disk, MB"]
    made = ["layout", "`convert`", "seconds", "peak MB", "× the table"]
    note = (
        "Random rows and a made-up vocabulary in the layout of each model. Start: up to the vector "
        "of a text that is not plain English. Peak: the resident set, pages of mapped files among "
        "it. *Cut*: to the tokens of 20,000 texts."
    )
    return "\n\n".join(
        [
            drawing.table(heads, starts, 2),
            drawing.table(made, making, 2),
            f"{note} {left_out} {drawing.machine(content, *_PACKAGES)}".replace("  ", " "),
        ]
    )


def _titled(name: str, layout: dict[str, Any], first: bool) -> str:
    """Name a layout in its first row."""
    return f"{name}, {layout['tokens']:,} × {layout['dimension']:,}" if first else ""
