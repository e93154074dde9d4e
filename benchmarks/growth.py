"""How cost grows, and the peak memory of encoding a million texts.

With a text's length, the number of texts, the vocabulary, the dimension, and the number of
distinct words.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import contestants
import harness
import numpy as np
import texts

from staticemb_distiller.write import Parts, Settings, write
from staticemb_runtime import StaticModel

_MILLION = """
import sys, time, random
from staticemb_runtime import StaticModel
model = StaticModel.load(sys.argv[1])
words = open(sys.argv[2], encoding="utf-8").read().split()
rng = random.Random(0)
def texts(n):
    for _ in range(n):
        yield " ".join(rng.choices(words, k=8))
model.encode(list(texts(20_000)))
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
before, start, rows = peak(), time.perf_counter(), 0
for block in model.encode_stream(texts(1_000_000)):
    rows += len(block)
print(rows, time.perf_counter() - start, peak() - before)
"""


def main() -> None:
    """Run and save."""
    harness.one_core()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = contestants.write_file(folder, "int8")
        sample = " ".join(texts.generate("posts", 4_000))
        model = StaticModel.load(path)
        model.encode([sample])

        rows = {}
        for size in (1_000, 10_000, 100_000, 1_000_000, 10_000_000):
            text = (sample * (size // len(sample) + 1))[:size]
            rows[f"{size:,}"] = _nanoseconds(lambda text=text: model.encode([text]), size)
        results["nanoseconds_per_character_by_text_length"] = rows

        rows = {}
        titles = texts.generate("titles", 100_000)
        model.encode(titles)
        for count in (1_000, 10_000, 100_000, 1_000_000):
            some = (titles * (count // len(titles) + 1))[:count]
            taken = _nanoseconds(lambda some=some: model.encode(some), count)
            rows[f"{count:,}"] = round(taken / 1e3, 3)
        results["microseconds_per_text_by_number_of_texts"] = rows

        rows = {}
        for dim in (64, 128, 256, 512, 1024):
            fresh = StaticModel.load(contestants.write_file(folder, "int8", dim=dim))
            fresh.encode(titles[:20_000])
            taken = _nanoseconds(lambda fresh=fresh: fresh.encode(titles[:20_000]), 20_000)
            rows[f"{dim}"] = round(taken / 1e3, 3)
        results["microseconds_per_text_by_dimension"] = rows

        rows = {}
        for count in (30_000, 100_000, 300_000, 1_000_000):
            fresh = StaticModel.load(_word_level(folder, count))
            fresh.encode(["w1"])
            rng = random.Random(1)
            words = [
                " ".join(f"w{int(rng.paretovariate(0.6)) % count}" for _ in range(9))
                for _ in range(20_000)
            ]
            fresh.encode(words)
            taken = _nanoseconds(lambda fresh=fresh, words=words: fresh.encode(words), 20_000)
            rows[f"{count:,}"] = round(taken / 1e3, 3)
        results["microseconds_per_text_by_vocabulary"] = rows

        rows = {}
        for distinct in (1_000, 10_000, 100_000, 1_000_000):
            rng = random.Random(2)
            words = [
                " ".join(f"x{rng.randrange(distinct):x}y" for _ in range(9)) for _ in range(20_000)
            ]
            fresh = StaticModel.load(path)
            fresh.encode(["w1"])
            start = time.perf_counter()
            fresh.encode(words)
            rows[f"{distinct:,}"] = round((time.perf_counter() - start) / 20_000 * 1e6, 3)
        results["microseconds_per_text_first_pass_by_distinct_words"] = rows

        vocabulary = folder / "words.txt"
        vocabulary.write_text("\n".join(sample.split()[:50_000]), encoding="utf-8")
        printed = harness.in_fresh_process(_MILLION, str(path), str(vocabulary))
        count, seconds, grown = printed.split()
        results["stream_of_a_million_texts"] = {
            "texts": int(count),
            "seconds": round(float(seconds), 2),
            "megabytes_grown": round(int(grown) / 1e6, 1),
        }
    for title, rows in results.items():
        print(title.replace("_", " "))
        for label, value in rows.items():
            print(f"  {label:>12}  {value:,}")
    harness.save("growth", results)


def _nanoseconds(call: Any, units: int) -> float:
    """The least of five, for each unit."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return round(best / units * 1e9, 3)


def _word_level(folder: Path, count: int) -> Path:
    path = folder / f"vocabulary-{count}.staticemb"
    definition = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {f"w{i}": i for i in range(count)},
            "unk_token": "w0",
        },
    }
    table = np.random.default_rng(0).integers(-127, 128, (count, 256)).astype(np.int8)
    scale = np.full(256, 0.01, np.float32)
    write(path, Parts(table, json.dumps(definition).encode(), scale=scale), Settings())
    return path


if __name__ == "__main__":
    main()
