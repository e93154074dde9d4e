"""Time of one query."""

from __future__ import annotations

from typing import Any

import drawing
from labels import PACKAGES, label

SLOWEST = ("minilm-en-small", "ours int8", "model2vec float32")


def section(content: dict[str, Any]) -> str:
    """The median of each contestant for a text and for a list of one, and some 99th percentiles."""
    rows = content["results"]["rows"]
    body = []
    for name, row in rows.items():
        one = row.get("list_of_one")
        body.append(
            [
                label(name),
                f"{row['p50_microseconds']:,.0f}",
                f"{one['p50_microseconds']:,.0f}" if one else "–",
                drawing.times(row.get("times_model2vec")),
            ]
        )
    slowest = ", ".join(
        f"{label(name)} {rows[name]['p99_microseconds']:,.0f}" for name in SLOWEST if name in rows
    )
    table = drawing.table(["eight known words", "text, µs", "list, µs", "× model2vec"], body)
    notes = [
        "Text: `encode(text)`; list: `encode([text])`. Medians; the ratio is for a text.",
        f"99th percentile for a text, µs: {slowest}.",
        drawing.not_measured(content),
        drawing.machine(content, *PACKAGES),
    ]
    return table + "\n\n" + " ".join(note for note in notes if note)
