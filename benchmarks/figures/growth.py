"""How cost grows."""

from typing import Any


def section(content: dict[str, Any]) -> str:
    """A row for each thing that grows."""
    lines = ["| what grows | measured |", "| --- | --- |"]
    for title, rows in content["results"].items():
        cells = ", ".join(f"{label}: {_figure(value)}" for label, value in rows.items())
        lines.append(f"| {title.replace('_', ' ')} | {cells} |")
    return "\n".join(lines)


def _figure(value: float) -> str:
    """Three digits, and all of a whole number's."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
