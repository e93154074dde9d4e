"""One query of eight words, warm: the median and the 99th percentile."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import contestants
import harness

QUERY = "how do I reset my online banking password"
CALLS = 2_000
ROUNDS = 9


def main() -> None:
    """Run and save."""
    harness.one_core()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peers = {
            "ours int8": contestants.ours(contestants.write_file(folder, "int8")),
            "ours int8, damped": contestants.ours(
                contestants.write_file(folder, "int8", damped=True)
            ),
            "ours float32": contestants.ours(contestants.write_file(folder, "float32")),
        } | contestants.present(
            {
                "model2vec float32": lambda: contestants.model2vec("float32"),
                "sentence-transformers": contestants.sentence_transformers,
            }
        )
        times: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(ROUNDS):
            for peer, encode in peers.items():
                query: Any = QUERY
                for at in range(CALLS // ROUNDS):
                    start = time.perf_counter()
                    encode(query)
                    taken = time.perf_counter() - start
                    if at >= 20:
                        times[peer].append(taken * 1e6)
    rows = {}
    for peer, taken in times.items():
        ranked = sorted(taken)
        rows[peer] = {
            "p50_microseconds": round(statistics.median(ranked), 1),
            "p99_microseconds": round(ranked[int(len(ranked) * 0.99)], 1),
        }
        print(f"  {peer:24} p50 {rows[peer]['p50_microseconds']:9.1f} µs", end="")
        print(f"   p99 {rows[peer]['p99_microseconds']:9.1f} µs")
    harness.save("latency", {"query": QUERY, "calls": CALLS, "rows": rows})


if __name__ == "__main__":
    main()
