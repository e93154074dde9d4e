"""The bundled model, BM25, TF-IDF and the transformer, for tables of other models."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from harness import RESULTS

NAMES = {
    "minilm-en-small": "**minilm-en-small**, the bundled model, 192 dimensions",
    "bm25": "BM25",
    "tfidf": "TF-IDF",
    "transformer": "the transformer",
}
TASKS = {
    "STS-B": "sts/stsb-en-test",
    "SICK": "sts/sick-test",
    "words": "wordsim/",
    "NFCorpus": "retrieval/nfcorpus",
    "Cranfield": "retrieval/cranfield",
    "Banking77": "classification/banking77",
    "SST-2": "classification/sst2",
}


def rows(
    columns: Sequence[str], names: Sequence[str] = ("minilm-en-small", "bm25", "tfidf")
) -> list[tuple[str, list[str]]]:
    """A name and a cell for each column, from the run that measured all of them (bundled.json)."""
    saved = json.loads((RESULTS / "bundled.json").read_text(encoding="utf-8"))["scores"]
    table = []
    for name in names:
        cells = []
        for column in columns:
            values = [
                score["value"]
                for score in saved
                if score["model"] == name
                and score["main"]
                and score["task"].startswith(TASKS[column])
            ]
            cells.append(f"{statistics.fmean(values):.1f}" if values else "–")
        table.append((NAMES[name], cells))
    return table
