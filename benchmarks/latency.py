"""Time of one query of eight known words: the median and the 99th percentile."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import contestants
import harness

from staticemb_runtime.loading import DEFAULT_FILE

QUERY = "how do I reset my online banking password"
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
        int8, damped = (contestants.write_file(folder, "int8", damped=d) for d in (False, True))
        ours = {
            "ours int8": contestants.ours(int8),
            "ours int8, damped": contestants.ours(damped),
            "ours float32": contestants.ours(contestants.write_file(folder, "float32")),
            contestants.BUNDLED: contestants.ours(DEFAULT_FILE),
        }
        peers, absent = contestants.present(
            {
                contestants.BASE: lambda: contestants.model2vec("float32"),
                "sentence-transformers": contestants.sentence_transformers,
                "WordLlama": contestants.wordllama,
                "transformer": contestants.teacher,
            },
            contestants.NEVER,
        )
        taken: dict[str, list[list[float]]] = {peer: [] for peer in ours | peers}
        for _ in range(harness.fewer(ROUNDS, least=2)):
            for peer, encode in (ours | peers).items():
                calls = harness.fewer(TEACHER_CALLS if peer == "transformer" else CALLS)
                taken[peer].append(_round(encode, calls))
    medians = {peer: [statistics.median(one) for one in batch] for peer, batch in taken.items()}
    rows = {}
    for peer, rounds in taken.items():
        ranked = sorted(call for one in rounds for call in one)
        rows[peer] = {
            "p50_microseconds": round(statistics.median(ranked), 1),
            "p99_microseconds": round(ranked[int(len(ranked) * 0.99)], 1),
        } | contestants.beside_base(medians, peer)
        p50, p99 = rows[peer]["p50_microseconds"], rows[peer]["p99_microseconds"]
        print(f"  {peer:24} p50 {p50:9.1f} µs   p99 {p99:9.1f} µs  {contestants.shown(rows[peer])}")
    harness.save("latency", {"query": QUERY, "not_measured": absent, "rows": rows})


def _round(encode: Any, calls: int) -> list[float]:
    """Time consecutive calls, in microseconds; the first `WARM` calls do not count."""
    taken = []
    for at in range(WARM + calls):
        start = time.perf_counter()
        encode(QUERY)
        if at >= WARM:
            taken.append((time.perf_counter() - start) * 1e6)
    return taken


if __name__ == "__main__":
    main()
