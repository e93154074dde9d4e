"""Texts per second on one core, and the gain of a second worker on two cores.

Warm: every word is in the word cache. First pass: a new model with an empty cache. The peers have
no cache, so for them both are the same work. Slow contestants get fewer texts: the transformer, and
WordLlama, which pads the texts of a batch to the longest.
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

from staticemb_runtime.loading import DEFAULT_FILE

COUNTS = {"titles": 20_000, "news": 7_600, "posts": 5_000}
FEWER = {
    "transformer": {"titles": 256, "news": 96, "posts": 16},
    "WordLlama": {"titles": 5_000, "news": 2_000, "posts": 128},
}
REPETITIONS = 7


def main() -> None:
    """Run and save."""
    harness.read_options()
    repetitions = harness.fewer(REPETITIONS, least=2)
    results: dict[str, Any] = {"repetitions": repetitions}
    results["table"] = list(contestants.table().shape)
    with tempfile.TemporaryDirectory() as name:
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        harness.one_core()
        lineup = Lineup(Path(name))
        results["not_measured"] = lineup.absent
        results["one_core"] = {kind: _one_core(kind, lineup, repetitions) for kind in texts.KINDS}
        if len(cores) > 1:
            os.sched_setaffinity(0, cores)
            results["workers"] = _workers(Path(name))
    harness.save("throughput", results)


class Lineup:
    """All contestants; each is made once.

    Attributes:
        warm: the contestants that encode the texts once before they are timed.
        files: the files of our models that are loaded again for each first pass.
        absent: the contestants that were left out -> the reason.
    """

    def __init__(self, folder: Path) -> None:
        float32 = contestants.write_file(folder, "float32")
        int8 = contestants.write_file(folder, "int8")
        damped = contestants.write_file(folder, "int8", damped=True)
        damped32 = contestants.write_file(folder, "float32", damped=True)
        ours = {
            "ours float32": contestants.ours(float32),
            "ours int8": contestants.ours(int8),
            "ours int8, prefix 128": contestants.ours(int8, truncate_dim=128),
            "ours int8, prefix 64": contestants.ours(int8, truncate_dim=64),
            "ours float32, damped": contestants.ours(damped32),
            "ours int8, damped": contestants.ours(damped),
            contestants.BUNDLED: contestants.ours(DEFAULT_FILE),
        }
        peers, self.absent = contestants.present(
            {
                contestants.BASE: lambda: contestants.model2vec("float32"),
                "model2vec int8": lambda: contestants.model2vec("int8"),
                "sentence-transformers": contestants.sentence_transformers,
                "WordLlama": contestants.wordllama,
                "transformer": contestants.teacher,
            },
            contestants.NEVER,
        )
        self.warm = ours | peers
        self.files = {
            "ours float32, first pass": float32,
            "ours int8, first pass": int8,
            "ours int8, damped, first pass": damped,
            f"{contestants.BUNDLED}, first pass": Path(DEFAULT_FILE),
        }


def _one_core(kind: str, lineup: Lineup, repetitions: int) -> dict[str, Any]:
    sample, source = texts.load(kind, harness.fewer(COUNTS[kind]))
    given = dict.fromkeys((*lineup.warm, *lineup.files), sample)
    for name, counts in FEWER.items():
        given[name] = sample[: harness.fewer(counts[kind], least=2)]
    calls: dict[str, Any] = {}
    for name, encode in lineup.warm.items():
        encode(given[name])
        calls[name] = lambda encode=encode, batch=given[name]: lambda: encode(batch)

    def fresh(path: Path) -> Any:
        encode = contestants.ours(path)
        encode([""])  # the tokenizer is loaded, no word is cached
        return lambda: encode(sample)

    for name, path in lineup.files.items():
        calls[name] = lambda path=path: fresh(path)
    seconds = harness.measure(calls, repetitions)
    tokens = sum(len(ids) for ids in _ids(sample))
    print(f"{kind}: {len(sample)} texts ({source}), {tokens / len(sample):.1f} tokens each")
    each = {
        name: [second / len(given[name]) for second in measured]
        for name, measured in seconds.items()
    }
    rows = {name: _row(name, each, tokens / len(sample)) for name in each}
    return {"source": source, "texts": len(sample), "tokens": tokens, "rows": rows}


def _row(name: str, each: dict[str, list[float]], tokens: float) -> dict[str, Any]:
    """Return one contestant's figures, from the seconds per text of all contestants."""
    median = statistics.median(each[name])
    row: dict[str, Any] = {"texts_per_second": harness.significant(1 / median)}
    if name not in FEWER and not name.startswith(contestants.BUNDLED):  # theirs are other tokens
        row["microseconds_per_token"] = round(median / tokens * 1e6, 4)
    row |= contestants.beside_base(each, name)
    print(f"  {name:32} {1 / median:10,.0f} texts/s  {contestants.shown(row)}")
    return row


def _ids(sample: list[str]) -> list[list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(contestants.tokenizer_json().decode())
    return [e.ids for e in tokenizer.encode_batch(sample, add_special_tokens=False)]


def _workers(folder: Path) -> dict[str, Any]:
    count = harness.fewer(100_000)
    sample, source = texts.load("news", count)
    sample = (sample * (count // len(sample) + 1))[:count]
    path = contestants.write_file(folder, "int8")
    calls: dict[str, Any] = {}
    for workers in (1, 2):
        encode = contestants.ours(path, workers=workers)
        encode(sample)
        calls[f"{workers}"] = lambda encode=encode: lambda: encode(sample)
    seconds = harness.measure(calls, harness.fewer(5, least=2))
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
