"""Time and memory of search by the number of documents, beside bm25s and usearch."""

from typing import Any

import drawing

NAMES = {"hybrid": "both", "lexical": "words", "vector": "vectors"}


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each number of documents, contestant and way to search."""
    results = content["results"]
    heads = ["contestant", "search by", "documents", "ms, 3 words", "ms, 8 words", "recall@10"]
    heads += ["built, documents/s", "peak MB"]
    body = []
    for row in results["rows"]:
        for way, milliseconds in row["milliseconds"].items():
            recall = f"{row['recall']:.3f}" if way == "vector" else ""
            body.append(
                [
                    row["name"],
                    NAMES[way],
                    f"{row['documents']:,}",
                    *(f"{milliseconds[length]:.3g}" for length in ("3", "8")),
                    recall,
                    f"{row['documents'] / row['build_seconds']:,.0f}",
                    f"{row['peak_mb']:,}",
                ]
            )
    loads = ", ".join(
        f"{row['load_seconds']:.2g} s for {row['documents']:,}"
        for row in results["rows"]
        if "load_seconds" in row
    )
    note = (
        f"Generated documents of {results['words']} words, {results['dimension']} dimensions. "
        "Medians of a warm query of ten hits, embedding included; queries hold three of the "
        "commonest words as well. Recall: of the ten nearest by exact float32. The peak includes "
        "building; usearch is given vectors, which it holds as float16, and "
        "staticemb and bm25s texts. The first query of "
        f"staticemb also reads the vectors: {loads}. "
    )
    return (
        drawing.table(heads, body, 2)
        + "\n\n"
        + note
        + drawing.machine(content, "numpy", "bm25s", "usearch")
    )
