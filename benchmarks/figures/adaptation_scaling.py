"""Time and memory of `adapt` by the number of documents."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each number of documents."""
    heads = ["documents", "words", "seconds", "CPU seconds", "peak MB"]
    body = [
        [
            f"{row['documents']:,}",
            f"{row['words']:,}",
            f"{row['seconds']:,.0f}",
            f"{row['cpu_seconds']:,.0f}",
            f"{row['peak_mb']:,}",
        ]
        for row in content["results"]["rows"]
    ]
    return drawing.table(heads, body, 0) + "\n\n" + drawing.machine(content, "numpy")
