"""Time to make a model."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each distiller."""
    body = [
        [name, f"{row['seconds']:.0f}", drawing.times(row.get("times_model2vec"))]
        for name, row in content["results"]["rows"].items()
    ]
    cores = content["environment"]["cores"]
    head = f"all-MiniLM-L6-v2 to 256 dimensions, no text, {cores} cores"
    table = drawing.table([head, "s", "as fast as model2vec"], body)
    return f"{table}\n\n{drawing.machine(content, 'numpy', 'torch', 'model2vec')}"
