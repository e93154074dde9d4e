"""One query."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """The median and the 99th percentile of each contestant."""
    body = [
        [name, f"{row['p50_microseconds']:.0f}", f"{row['p99_microseconds']:.0f}"]
        for name, row in content["results"]["rows"].items()
    ]
    return drawing.table(["one query of eight words, warm", "p50, µs", "p99, µs"], body)
