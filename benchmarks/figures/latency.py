"""Time of one query."""

from typing import Any

import drawing

from .throughput import LABELS


def section(content: dict[str, Any]) -> str:
    """Return a table with the median and the 99th percentile of each contestant."""
    body = []
    for name, row in content["results"]["rows"].items():
        p50, p99 = (f"{row[f'{p}_microseconds']:,.0f}" for p in ("p50", "p99"))
        body.append([LABELS.get(name, name), p50, p99, drawing.times(row.get("times_model2vec"))])
    header = ["one query of eight words, warm", "p50, µs", "p99, µs", "as fast as model2vec"]
    return drawing.table(header, body)
