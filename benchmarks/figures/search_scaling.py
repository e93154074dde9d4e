"""Time and memory of search by the number of documents, beside bm25s and usearch."""

from typing import Any

import drawing

NAMES = {"hybrid": "both", "lexical": "words", "vector": "vectors"}


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each number of documents, contestant and way to search."""
    results = content["results"]
    rows = [row for row in results["rows"] if row["texts"] == "generated"]
    lengths = list(next(iter(rows[0]["milliseconds"].values()))) if rows else []
    heads = ["contestant", "search by", "documents"]
    heads += [f"ms, {length} words" for length in lengths]
    heads += ["recall@10", "built, documents/s", "peak MB"]
    body = [
        [
            row["name"],
            NAMES[way],
            f"{row['documents']:,}",
            *(f"{milliseconds[length]:.3g}" for length in lengths),
            f"{row['recall']:.3f}" if way == "vector" else "",
            f"{row['documents'] / row['build_seconds']:,.0f}",
            f"{row['peak_mb']:,}",
        ]
        for row in rows
        for way, milliseconds in row["milliseconds"].items()
    ]
    loads = ", ".join(
        f"{row['load_seconds']:.2g} s for {row['documents']:,}"
        for row in rows
        if "load_seconds" in row
    )
    note = (
        f"Generated documents of {results['words']} words, {results['dimension']} dimensions. "
        "Medians of a warm query of ten hits, embedding included; queries hold three of the "
        "commonest words as well, and each way to search has queries of its own. Recall: of the "
        "ten nearest by exact float32. The peak includes building; usearch is given vectors, which "
        "it holds as float16, and staticemb and bm25s texts. The first query of "
        f"staticemb also reads the vectors: {loads}. "
    )
    return (
        drawing.table(heads, body, 2)
        + "\n\n"
        + note
        + drawing.machine(content, "numpy", "bm25s", "usearch")
    )


def further(content: dict[str, Any]) -> dict[str, str]:
    """Return the table of the recall, also of real sentences."""
    heads = ["texts", "documents", "contestant", "recall@10", "loss of mean cosine"]
    body = [
        [
            row["texts"],
            f"{row['documents']:,}",
            row["name"],
            f"{row['recall']:.3f}",
            f"{row['loss']:.5f}",
        ]
        for row in content["results"]["rows"]
        if "recall" in row
    ]
    return {"search_recall": drawing.table(heads, body, 1)}
