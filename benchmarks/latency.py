"""One query of eight known words, as a text and as a list of one: median and 99th percentile."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import contestants
import harness
import peers
from contestants import Encode

QUERY = "how do I reset my online banking password"
GIVEN = {"text": QUERY, "list": [QUERY]}
CALLS = 250
TEACHER_CALLS = 60
WARM = 20
ROUNDS = 9


def main() -> None:
    """Run and save."""
    harness.read_options()
    harness.one_core()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = contestants.our_files(folder)
        ours = {name: contestants.ours(path) for name, path in files.items()}
        found, absent = contestants.present(peers.encoders(folder))
        taken = _measure(ours | found)
    rows = _rows(taken["text"])
    for name, figures in _rows(taken["list"]).items():
        rows[name]["list_of_one"] = figures
        shown = "   ".join(
            f"{kind} p50 {row['p50_microseconds']:9.1f} p99 {row['p99_microseconds']:9.1f} µs"
            f" {contestants.shown(row)}"
            for kind, row in (("text", rows[name]), ("list", figures))
        )
        print(f"  {name:24} {shown}")
    harness.save("latency", {"query": QUERY, "not_measured": absent, "rows": rows})


def _measure(encoders: dict[str, Encode]) -> dict[str, dict[str, list[list[float]]]]:
    """Microseconds of each call, by what is given, contestant and round."""
    taken: dict[str, dict[str, list[list[float]]]] = {
        kind: {name: [] for name in encoders} for kind in GIVEN
    }
    for _ in range(harness.fewer(ROUNDS, least=2)):
        for name, encode in encoders.items():
            calls = harness.fewer(TEACHER_CALLS if name == "transformer" else CALLS)
            for kind, given in GIVEN.items():
                taken[kind][name].append(_round(encode, given, calls))
    return taken


def _round(encode: Encode, given: str | list[str], calls: int) -> list[float]:
    """Microseconds of calls in a row, after a few that are not counted."""
    taken = []
    for at in range(WARM + calls):
        start = time.perf_counter()
        encode(given)
        if at >= WARM:
            taken.append((time.perf_counter() - start) * 1e6)
    return taken


def _rows(taken: dict[str, list[list[float]]]) -> dict[str, dict[str, Any]]:
    """Each contestant's median and 99th percentile of all calls, and its ratio to model2vec."""
    medians = {name: [statistics.median(one) for one in rounds] for name, rounds in taken.items()}
    rows = {}
    for name, rounds in taken.items():
        ranked = sorted(call for one in rounds for call in one)
        rows[name] = {
            "p50_microseconds": round(statistics.median(ranked), 1),
            "p99_microseconds": round(ranked[int(len(ranked) * 0.99)], 1),
        } | contestants.beside_base(medians, name)
    return rows


if __name__ == "__main__":
    main()
