"""Time, memory and agreement of finding near duplicates, beside semhash."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each collection and contestant."""
    heads = ["texts", "number", "contestant", "seconds", "µs a text", "MB", "kept"]
    heads += ["missed, %", "wrong, %"]
    results = content["results"]
    body = [
        [
            collection["kind"],
            f"{collection['texts']:,}",
            name,
            *_figures(run, collection["texts"], results["timeout"]),
        ]
        for collection in results["collections"]
        for name, run in collection["contestants"].items()
    ]
    note = (
        f"Cosine of at least {results['threshold']}. *Missed*: the share of kept texts "
        "that are similar to an earlier kept text. *Wrong*: the share of removed texts that are "
        "similar to no kept one. Both by brute force over a sample. All use the bundled model, "
        "whose embedding is included; memory is what the call adds to the process. "
    )
    return (
        drawing.table(heads, body, 2)
        + "\n\n"
        + note
        + drawing.machine(content, "numpy", "semhash", "usearch")
    )


def _figures(run: dict[str, Any] | None, texts: int, timeout: int) -> list[str]:
    if run is None:
        return [f"not ended in {timeout}", "", "", "", "", ""]
    return [
        f"{run['seconds']:.3g}",
        f"{1e6 * run['seconds'] / texts:.3g}",
        f"{run['memory'] / 1e6:,.0f}",
        f"{run['kept']:,}",
        f"{100 * run['missed']:.2f}",
        f"{100 * run['wrong']:.2f}",
    ]
