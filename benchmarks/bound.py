"""Pooling alone against C: `torch.nn.functional.embedding_bag` on one thread, the same table."""

from __future__ import annotations

import statistics
from typing import Any

import contestants
import harness
import numpy as np

from staticemb_runtime.pooling import pool
from staticemb_runtime.table import Table

REPETITIONS = 9
LENGTHS = {"8 tokens": (20_000, 8), "41 tokens": (7_600, 41), "300 tokens": (1_500, 300)}


def main() -> None:
    """Run and save."""
    import torch

    torch.set_num_threads(1)
    harness.one_core()
    rows = contestants.table()
    scale = np.abs(rows).max(axis=0) / 127
    ours = {
        "ours float32": (Table(rows), {}),
        "ours int8": (Table(np.rint(rows / scale).astype(np.int8), scale), {}),
    }
    damped = {"pooling": "damped_mean", "beta": 1.0, "dims": 64}
    ours |= {f"{name}, damped": (table, damped) for name, (table, _) in list(ours.items())}
    weight = torch.from_numpy(rows)
    results: dict[str, Any] = {}
    for label, (texts, length) in LENGTHS.items():
        rng = np.random.default_rng(1)
        # Zipf's law decides how many rows are in the cache, as in text.
        ids = np.minimum(rng.zipf(1.3, texts * length), len(rows) - 1).astype(np.int32)
        lengths = np.full(texts, length, np.int64)
        offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)[:-1]]))
        indices = torch.from_numpy(ids.astype(np.int64))
        calls: dict[str, Any] = {
            "embedding_bag": lambda indices=indices, offsets=offsets: (
                lambda: torch.nn.functional.embedding_bag(indices, weight, offsets, mode="mean")
            )
        }
        for name, (table, request) in ours.items():
            calls[name] = lambda table=table, request=request, ids=ids, lengths=lengths: (
                lambda: pool(table, ids, lengths, **request)
            )
        for set_up in calls.values():
            set_up()()
        seconds = harness.measure(calls, REPETITIONS)
        results[label] = {
            name: {
                "microseconds_per_token": round(statistics.median(s) / len(ids) * 1e6, 4),
                "times_slower_than_c": harness.ratio(s, seconds["embedding_bag"]),
            }
            for name, s in seconds.items()
        }
        print(label)
        for name, row in results[label].items():
            print(f"  {name:24} {row['microseconds_per_token']:.3f} µs/token", end="")
            print(f"  ×{row['times_slower_than_c']['median']:.2f}")
    harness.save("bound", results)


if __name__ == "__main__":
    main()
