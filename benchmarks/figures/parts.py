"""Time of each part of `encode`."""

from typing import Any

import drawing

KINDS = ("titles", "news", "posts")

ROWS = {
    "words": "text to token ids",
    "gather and sum": "gather and sum",
    "unit length": "unit length",
    "rest": "everything else",
    "whole": "**`encode`, int8**",
    "gather and sum, float32": "gather and sum, float32 table",
    "gather and sum, damped": "gather and sum, damped",
    "embedding_bag, float32": "floor: torch's C++ `embedding_bag`, float32",
    "the tokenizer itself": "`tokenizers` alone, without the word cache",
}


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each part and a column for each length of text."""
    results = content["results"]["microseconds_per_token"]
    body = [
        [label, *(_time(results[kind][part]) for kind in KINDS)]
        for part, label in ROWS.items()
        if all(part in results[kind] for kind in KINDS)
    ]
    table = drawing.table(["µs a token, one core, warm", *KINDS], body)
    return f"{table}\n\n{drawing.machine(content, 'numpy', 'tokenizers', 'torch')}"


def _time(value: float) -> str:
    """Format a time; what is left over may be below the noise of the parts, and then negative."""
    return f"{value:.3f}" if value >= 0 else "below the noise"
