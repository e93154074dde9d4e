"""Time and memory of a fit by the number of sentences."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each number of sentences."""
    heads = ["sentences", "seconds", "CPU seconds", "peak MB, before the fit", "peak MB"]
    body = [
        [
            f"{row['sentences']:,}",
            f"{row['seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['peak_mb_before_fit']:,}",
            f"{row['peak_mb']:,}",
        ]
        for row in content["results"]["rows"]
    ]
    return drawing.table(heads, body) + "\n\n" + drawing.machine(content, "numpy")
