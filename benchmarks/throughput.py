"""Texts per second on one core, and what a second core adds.

Warm: every word was seen before. First pass: a fresh model, its word cache empty, new texts; for
the peers, which keep nothing, both are the same work.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import contestants
import harness
import texts

COUNTS = {"titles": 20_000, "news": 7_600, "posts": 5_000}
REPETITIONS = 7


def main() -> None:
    """Run and save."""
    results: dict[str, Any] = {"repetitions": REPETITIONS, "table": list(contestants.table().shape)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        harness.one_core()
        results["one_core"] = {kind: _one_core(kind, folder) for kind in texts.KINDS}
        if cores and len(cores) > 1:
            os.sched_setaffinity(0, cores)
            results["workers"] = _workers(folder)
    harness.save("throughput", results)


def _one_core(kind: str, folder: Path) -> dict[str, Any]:
    sample, source = texts.load(kind, COUNTS[kind])
    float32 = contestants.write_file(folder, "float32")
    int8 = contestants.write_file(folder, "int8")
    damped = contestants.write_file(folder, "int8", damped=True)
    damped32 = contestants.write_file(folder, "float32", damped=True)
    warm = {
        "ours float32": contestants.ours(float32),
        "ours int8": contestants.ours(int8),
        "ours int8, prefix 128": contestants.ours(int8, truncate_dim=128),
        "ours int8, prefix 64": contestants.ours(int8, truncate_dim=64),
        "ours float32, damped": contestants.ours(damped32),
        "ours int8, damped": contestants.ours(damped),
    } | contestants.present(
        {
            "model2vec float32": lambda: contestants.model2vec("float32"),
            "model2vec int8": lambda: contestants.model2vec("int8"),
            "sentence-transformers": contestants.sentence_transformers,
        }
    )
    for encode in warm.values():
        encode(sample)
    calls = {name: lambda encode=encode: lambda: encode(sample) for name, encode in warm.items()}

    def fresh(path: Path) -> Any:
        def set_up() -> Any:
            encode = contestants.ours(path)
            encode([""])  # the tokenizer is loaded, no word is cached
            return lambda: encode(sample)

        return set_up

    calls["ours float32, first pass"] = fresh(float32)
    calls["ours int8, first pass"] = fresh(int8)
    calls["ours int8, damped, first pass"] = fresh(damped)
    seconds = harness.measure(calls, REPETITIONS)
    tokens = sum(len(ids) for ids in _ids(sample))
    print(f"{kind}: {len(sample)} texts ({source}), {tokens / len(sample):.1f} tokens each")
    rows = {}
    for name, measured in seconds.items():
        median = statistics.median(measured)
        rows[name] = {
            "texts_per_second": round(len(sample) / median),
            "microseconds_per_token": round(median / tokens * 1e6, 4),
            "times_model2vec": harness.ratio(seconds["model2vec float32"], measured),
        }
        ratio = rows[name]["times_model2vec"]
        spread = f"×{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
        per_token = median / tokens * 1e6
        print(
            f"  {name:32} {len(sample) / median:10,.0f} texts/s  {per_token:7.3f} µs/token {spread}"
        )
    return {"source": source, "texts": len(sample), "tokens": tokens, "rows": rows}


def _ids(sample: list[str]) -> list[list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(contestants.tokenizer_json().decode())
    return [e.ids for e in tokenizer.encode_batch(sample, add_special_tokens=False)]


def _workers(folder: Path) -> dict[str, Any]:
    sample, source = texts.load("news", 100_000)
    sample = (sample * (100_000 // len(sample) + 1))[:100_000]
    path = contestants.write_file(folder, "int8")
    calls: dict[str, Any] = {}
    for workers in (1, 2):
        encode = contestants.ours(path, workers=workers)
        encode(sample)
        calls[f"{workers}"] = lambda encode=encode: lambda: encode(sample)
    seconds = harness.measure(calls, 5)
    gain = harness.ratio(seconds["1"], seconds["2"])
    print(f"two workers on {len(sample):,} texts: ×{gain['median']:.2f}")
    return {
        "source": source,
        "texts": len(sample),
        "texts_per_second": {
            k: round(len(sample) / statistics.median(v)) for k, v in seconds.items()
        },
        "two_workers_times_one": gain,
    }


if __name__ == "__main__":
    main()
