"""Scores of the bundled model, BM25, TF-IDF and the transformer, as rows for other tables."""

from __future__ import annotations

from collections.abc import Sequence

from columns import COLUMNS
from harness import load

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
    saved = load("bundled")["results"]["scores"]
    table = []
    for name in names:
        means = (column.mean(saved, name) for column in COLUMNS.values())
        cells = ["–" if mean is None else f"{mean:.1f}" for mean in means]
        table.append((NAMES[name], cells))
    return table
