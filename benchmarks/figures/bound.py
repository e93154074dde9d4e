"""Pooling against C."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Microseconds a token of each way to pool, by the texts' length."""
    results = content["results"]
    body = []
    for name in next(iter(results.values())):
        cells = [
            f"{row['microseconds_per_token']:.3f} (×{row['times_slower_than_c']['median']:.1f})"
            for row in (rows[name] for rows in results.values())
        ]
        body.append([name, *cells])
    head = "pooling alone, µs a token (× torch's C++ `embedding_bag`)"
    return drawing.table([head, *results], body)
