"""NDCG@10 of the search index by collection, beside BM25 alone and a transformer alone."""

from typing import Any

import drawing
import intervals

# The weights were chosen on the other collections, so their figures prove nothing.
NAMES = {"nfcorpus": "NFCorpus", "cranfield": "Cranfield"}
WAYS = {"bm25s": "bm25s", "lexical": "BM25", "vector": "static vectors", "hybrid": "**together**"}

CHARTED = {
    "lexical": ("BM25", drawing.PEER),
    "vector": ("static", drawing.OURS_TOO),
    "hybrid": ("BM25 + static", drawing.OURS),
    "teacher": ("transformer", drawing.TEACHER),
}


def section(content: dict[str, Any]) -> str:
    """Return the table of the ways to search."""
    collections = _reported(content)
    heads = ["NDCG@10 × 100", *(NAMES[name] for name in collections)]
    body = [
        [label, *(f"{found[way]:.1f}" for found in collections.values())]
        for way, label in WAYS.items()
    ]
    lines = {
        "the teacher alone": lambda found: found["teacher"],
        "together, then the teacher over 100": _reranked,
        "static queries on the teacher's vectors, together": lambda found: found[
            "teacher_documents"
        ]["hybrid"],
    }
    if all("teacher" in found for found in collections.values()):
        body += [
            [label, *(f"{value(found):.1f}" for found in collections.values())]
            for label, value in lines.items()
        ]
    times = "; ".join(
        f"{NAMES[name]}: {found['documents']:,} documents indexed in "
        f"{found['seconds_to_index']:.2g} s, a query in {found['hybrid_milliseconds']:.2g} ms"
        for name, found in collections.items()
    )
    note = (
        f"{times}. {intervals.sentence(intervals.saved(collections))}{_over_bm25(collections)}"
        f"{drawing.machine(content, 'numpy', 'bm25s')}"
    )
    return f"{drawing.table(heads, body)}\n\n{note}"


def _over_bm25(collections: dict[str, Any]) -> str:
    """Give the paired difference of both rankings and BM25; empty if none is saved."""
    key = "hybrid_over_lexical"
    shown = ", ".join(
        f"{NAMES[name]} {intervals.shown_gain(found[key])}"
        for name, found in collections.items()
        if key in found
    )
    return f"Together less BM25, query by query: {shown}. " if shown else ""


def pictures(content: dict[str, Any]) -> dict[str, str]:
    """Draw BM25, vectors, both together and the transformer, by collection."""
    collections = _reported(content)
    ways = [way for way in CHARTED if all(way in found for found in collections.values())]
    groups = {NAMES[name]: [found[way] for way in ways] for name, found in collections.items()}
    spans = {
        (NAMES[name], CHARTED[way][0]): (low, high)
        for name, found in collections.items()
        for way, (low, high) in found.get(intervals.INTERVALS, {}).items()
        if way in ways
    }
    legend = dict(CHARTED[way] for way in ways)
    return {"search.svg": drawing.grouped_bars("NDCG@10 × 100", groups, legend, spans)}


def further(content: dict[str, Any]) -> dict[str, str]:
    """Return the table of the weights."""
    collections = _reported(content)
    weights = list(next(iter(collections.values()))["by_vector_weight"])
    body = [
        [weight, *(f"{found['by_vector_weight'][weight]:.1f}" for found in collections.values())]
        for weight in weights
    ]
    if all("teacher" in found for found in collections.values()):
        body.append(
            ["the teacher alone", *(f"{found['teacher']:.1f}" for found in collections.values())]
        )
    heads = ["weight of the vectors", *(NAMES[name] for name in collections)]
    return {"search_weights": drawing.table(heads, body)}


def _reranked(found: dict[str, Any]) -> float:
    """Return the figure of the default weight; older results do not name it."""
    weight = found.get("rerank_weight", "0.75")
    return float(found["reranked_by_weight"][weight])


def _reported(content: dict[str, Any]) -> dict[str, Any]:
    collections = content["results"]["collections"]
    return {name: found for name, found in collections.items() if name in NAMES}
