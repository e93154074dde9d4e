"""Growth of time and memory with the input."""

from typing import Any


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each quantity that grows."""
    lines = ["| what grows | measured |", "| --- | --- |"]
    for title, rows in content["results"].items():
        cells = ", ".join(f"{label}: {_figure(value)}" for label, value in rows.items())
        lines.append(f"| {title.replace('_', ' ')} | {cells} |")
    return "\n".join(lines)


def _figure(value: float) -> str:
    """Format with three significant digits, or as a whole number from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
