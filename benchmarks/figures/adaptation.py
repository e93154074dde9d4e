"""NDCG@10 of adapted models, by collection, by number of documents, and with several subjects."""

from __future__ import annotations

from typing import Any

import drawing

NAMES = {"nfcorpus": "NFCorpus", "cranfield": "Cranfield"}
WAYS = {
    "BM25": "BM25",
    "teacher": "teacher",
    "general, both sides": "general model, both sides",
    "general": "general model, teacher's documents",
    "adapted, both sides": "adapted, both sides",
    "zero prior": "adapted from zero, teacher's documents",
    "adapted, int8": "adapted, teacher's documents, int8",
    "adapted": "**adapted, teacher's documents**",
}


def section(content: dict[str, Any]) -> str:
    """Return a table of the ways to search, alone and with BM25."""
    collections = content["results"]["collections"]
    heads = ["NDCG@10 × 100"]
    for name in collections:
        heads += [NAMES[name], "with BM25"]
    body = []
    for way, label in WAYS.items():
        cells = [label]
        for found in collections.values():
            teacher = found["ndcg"]["teacher"]["alone"]
            cell = found["ndcg"][way]
            share = "" if way in ("BM25", "teacher") else f" ({cell['alone'] / teacher:.0%})"
            mixed = f"{cell['with BM25']:.1f}" if "with BM25" in cell else ""
            cells += [f"{cell['alone']:.1f}{share}", mixed]
        body.append(cells)
    times = ", ".join(
        f"{NAMES[name]} ({found['documents']:,}) {found['ndcg']['adapted']['seconds']:g} s"
        for name, found in collections.items()
    )
    note = (
        "In brackets: the share of the teacher's figure. Wall time of the command with vectors at "
        f"hand, by documents: {times}. "
    )
    return drawing.table(heads, body) + "\n\n" + note + drawing.machine(content, "numpy")


def further(content: dict[str, Any]) -> dict[str, str]:
    """Return the tables of fewer documents and of several subjects."""
    results = content["results"]
    counts = list(next(iter(results["fewer"].values())))
    body = []
    for name, fewer in results["fewer"].items():
        ndcg = results["collections"][name]["ndcg"]
        body.append(
            [
                NAMES[name],
                f"{ndcg['BM25']['alone']:.1f}",
                f"{ndcg['general']['alone']:.1f}",
                *(f"{fewer[count]:.1f}" for count in counts),
                f"{results['half'][name]['the first half']:.1f}",
                f"{ndcg['adapted']['alone']:.1f}",
                f"{ndcg['teacher']['alone']:.1f}",
            ]
        )
    heads = ["adapted to documents", "BM25", "none", *counts, "the first half", "all", "teacher"]
    rows = []
    for union in results["union"]:
        for name, found in union["ndcg"].items():
            if name not in NAMES:  # knobs were chosen on it, so its figures prove nothing
                continue
            share = found["adapted"] / found["teacher"]
            figures = [f"{found['teacher']:.1f}", f"{found['adapted']:.1f}", f"{share:.0%}"]
            rows.append([f"{len(union['ndcg'])}", NAMES[name], *figures])
    union_heads = ["collections", "queries of", "teacher", "adapted", "share"]
    return {
        "adaptation_fewer": drawing.table(heads, body),
        "adaptation_union": drawing.table(union_heads, rows, 2),
    }
