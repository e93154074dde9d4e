"""Quality by the amount of text: scores at 256 dimensions, compared with no text."""

from __future__ import annotations

from typing import Any

import drawing
import references
from columns import COLUMNS


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each model; an arrow marks a difference from no text."""
    results = content["results"]
    rows = []
    for name, dims in results["scores"].items():
        cells = dims[max(dims, key=int)]
        rows.append([name, *(_cell(cells.get(column)) for column in COLUMNS)])
    rows += [[name, *cells] for name, cells in references.rows(tuple(references.NAMES))]
    note = (
        f"256 dimensions, int8. ↑ better and ↓ worse than {results['baseline']} outside the 95 % "
        f"interval of a paired bootstrap ({results['resamples']:,} resamples). Columns as in the "
        f"table of the peers. {drawing.machine(content, 'torch')} Intervals, commands and "
        "recipes: `benchmarks/results/text_amount.json`."
    )
    return drawing.table(["sentences", *COLUMNS], rows) + "\n\n" + note


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "–"
    over = cell.get("over_baseline", {"low": 0, "high": 0})
    mark = "↑" if over["low"] > 0 else "↓" if over["high"] < 0 else ""
    return f"{cell['value']:.1f}{mark}"
