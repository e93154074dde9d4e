"""How cost grows."""

from typing import Any


def section(content: dict[str, Any]) -> str:
    """A row for each thing that grows."""
    lines = ["| what grows | measured |", "|---|---|"]
    for title, rows in content["results"].items():
        cells = ", ".join(f"{label}: {value:,}" for label, value in rows.items())
        lines.append(f"| {title.replace('_', ' ')} | {cells} |")
    return "\n".join(lines)
