"""NDCG@10 of adapted models, by collection, by number of documents, and with several subjects."""

from __future__ import annotations

from typing import Any

import drawing
import intervals

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
    note += intervals.sentence(intervals.saved(collections)) + _over_the_teacher(collections)
    return drawing.table(heads, body) + "\n\n" + note + drawing.machine(content, "numpy")


def _over_the_teacher(collections: dict[str, Any]) -> str:
    """Give the paired difference of the adapted model and its teacher; empty if none is saved."""
    found = {
        NAMES[name]: each["ndcg"]["adapted"]["over the teacher"]
        for name, each in collections.items()
        if "over the teacher" in each["ndcg"]["adapted"]
    }
    shown = ", ".join(f"{name} {intervals.shown_gain(each)}" for name, each in found.items())
    return f"Adapted less the teacher, query by query: {shown}. " if shown else ""


def further(content: dict[str, Any]) -> dict[str, str]:
    """Return the tables of fewer documents and of several subjects."""
    results = content["results"]
    counts = list(next(iter(results["fewer"].values())))
    body = []
    for name, fewer in results["fewer"].items():
        ndcg = results["collections"][name]["ndcg"]
        adapted = [*fewer.values(), results["half"][name], ndcg["adapted"]]
        for way, title in (("alone", NAMES[name]), ("with BM25", f"{NAMES[name]}, with BM25")):
            ways = [ndcg["general"], *adapted, ndcg["teacher"]]
            body.append([title, f"{ndcg['BM25']['alone']:.1f}", *(f"{w[way]:.1f}" for w in ways)])
    heads = ["adapted to documents", "BM25", "none", *counts, "the first half", "all", "teacher"]
    rows, shown = [], []
    for union in results["union"]:
        for name, found in union["ndcg"].items():
            if name not in NAMES:  # knobs were chosen on it, so its figures prove nothing
                continue
            shown.append(found)
            teacher, adapted = found["teacher"], found["adapted"]
            share = f"{adapted['alone'] / teacher['alone']:.0%}"
            ways = [found["BM25"]["alone"], teacher["alone"], adapted["alone"]]
            cells = [*(f"{way:.1f}" for way in ways), share]
            cells += [f"{way['with BM25']:.1f}" for way in (teacher, adapted)]
            number = f"{len(union['ndcg'])}"
            rows.append([number, NAMES[name], f"{union['documents']:,}", *cells])
    union_heads = [
        "collections",
        "queries of",
        "adapted to documents",
        "BM25",
        "teacher",
        "adapted",
        "share",
    ]
    union_heads += ["teacher with BM25", "adapted with BM25"]
    return {
        "adaptation_fewer": _with_sentence(
            drawing.table(heads, body), [results["fewer"], results["half"]]
        ),
        "adaptation_union": _with_sentence(drawing.table(union_heads, rows, 2), shown),
    }


def _with_sentence(table: str, found: Any) -> str:
    return f"{table}\n\n{intervals.sentence(intervals.saved(found))}".rstrip()
