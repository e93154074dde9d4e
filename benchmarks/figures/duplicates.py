"""Time, memory and agreement of finding near duplicates, beside semhash."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each collection and contestant."""
    heads = ["texts", "number", "contestant", "seconds", "µs a text", "MB", "kept"]
    heads += ["missed, %", "wrong, %"]
    body = [
        [
            collection["kind"],
            f"{collection['texts']:,}",
            name,
            f"{run['seconds']:.3g}",
            f"{1e6 * run['seconds'] / collection['texts']:.3g}",
            f"{run['memory'] / 1e6:,.0f}",
            f"{run['kept']:,}",
            f"{100 * run['missed']:.2f}",
            f"{100 * run['wrong']:.2f}",
        ]
        for collection in content["results"]["collections"]
        for name, run in collection["contestants"].items()
    ]
    note = (
        f"Cosine of at least {content['results']['threshold']}. *Missed*: the share of kept texts "
        "that are similar to an earlier kept text. *Wrong*: the share of removed texts that are "
        "similar to no kept one. Both by brute force over a sample. All use the bundled model, "
        "whose embedding is included; memory is what the call adds. "
    )
    return (
        drawing.table(heads, body, 2)
        + "\n\n"
        + note
        + drawing.machine(content, "numpy", "semhash", "usearch")
    )
