"""Scores of the bundled model, BM25, TF-IDF and the transformer, as rows for other tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from columns import COLUMNS
from harness import RESULTS

NAMES = {
    "minilm-en-small": "**minilm-en-small**, the bundled model, 192 dimensions",
    "bm25": "BM25",
    "tfidf": "TF-IDF",
    "transformer": "the transformer",
}


def rows(
    names: Sequence[str] = ("minilm-en-small", "bm25", "tfidf"),
) -> list[tuple[str, list[str]]]:
    """Return the label and a cell for each of `COLUMNS`, from results/bundled.json."""
    saved = json.loads((RESULTS / "bundled.json").read_text(encoding="utf-8"))["scores"]
    table = []
    for name in names:
        scores = [score for score in saved if score["model"] == name]
        cells = []
        for column in COLUMNS.values():
            values = [
                s["value"] for s in scores if column.shows(s["task"], s["metric"], main=s["main"])
            ]
            cells.append(f"{statistics.fmean(values):.1f}" if values else "–")
        table.append((NAMES[name], cells))
    return table
