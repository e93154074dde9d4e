"""Growth of the time of `encode`, and the memory that a million texts need; int8 tables.

The time is measured by the length of a text, the number of texts, the vocabulary, the dimension
and the number of distinct words.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import contestants
import harness
import texts
import vocabularies

from staticemb_runtime import StaticModel

REPETITIONS = 5
TEXTS = 20_000
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
for block in model.encode_stream(texts(int(sys.argv[3]))):
    rows += len(block)
print(rows, time.perf_counter() - start, peak() - before)
"""

_HOSTILE = """
import sys, time, random
from staticemb_runtime import StaticModel
model = StaticModel.load(sys.argv[1])
kind, size = sys.argv[2], int(sys.argv[3])
rng = random.Random(0)
def words(n):
    return " ".join(f"{rng.getrandbits(40):x}" for _ in range(n // 11))
texts = {
    "short texts": lambda: [words(1_000) for _ in range(size // 1_000)],
    "one text": lambda: [words(size)],
    "one word": lambda: ["ab" * (size // 2)],
}[kind]()
model.encode(["caf\u00e9"])
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
before, start = peak(), time.perf_counter()
vectors = model.encode(texts)
print(time.perf_counter() - start, peak() - before - vectors.nbytes)
"""

Rows = dict[str, float]


def main() -> None:
    """Run and save."""
    harness.read_options()
    harness.one_core()
    results: dict[str, Rows] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = contestants.write_file(folder, "int8")
        sample = " ".join(texts.generate("posts", 4_000))
        titles = texts.generate("titles", harness.fewer(100_000))
        measured: dict[str, Callable[[], Rows]] = {
            "nanoseconds per character by text length": lambda: _length(path, sample),
            "microseconds per text by number of texts": lambda: _number(path, titles),
            "microseconds per text by dimension": lambda: _dimension(folder, titles),
            "microseconds per text by vocabulary": lambda: _vocabulary(folder),
            "microseconds per text first pass by distinct words": lambda: _distinct(path),
            "stream of a million texts": lambda: _stream(folder, path, sample),
            "text that defeats the cache": lambda: _hostile(path),
        }
        for title, rows in measured.items():
            print(title)
            results[title.replace(" ", "_")] = found = rows()
            for label, value in found.items():
                print(f"  {label:>12}  {value:,}")
    harness.save("growth", results)


def _sizes(*sizes: int) -> tuple[int, ...]:
    """Return the sizes to measure; a quick run measures only the first two."""
    return sizes[:2] if harness.quick() else sizes


def _median(call: Callable[[], object], units: int, scale: float) -> float:
    """Time a call repeatedly, after one call that does not count.

    Returns:
        The median time for one unit, in seconds times `scale`.
    """
    call()
    seconds = []
    for _ in range(harness.fewer(REPETITIONS, least=2)):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return harness.significant(statistics.median(seconds) / units * scale)


def _length(path: Path, sample: str) -> Rows:
    model, rows = StaticModel.load(path), {}
    model.encode([sample])
    for size in _sizes(1_000, 10_000, 100_000, 1_000_000, 10_000_000):
        text = (sample * (size // len(sample) + 1))[:size]
        rows[f"{size:,}"] = _median(lambda text=text: model.encode([text]), size, 1e9)
    return rows


def _number(path: Path, titles: list[str]) -> Rows:
    model, rows = StaticModel.load(path), {}
    model.encode(titles)
    for count in _sizes(1_000, 10_000, 100_000, 1_000_000):
        batch = (titles * (count // len(titles) + 1))[:count]
        rows[f"{count:,}"] = _median(lambda batch=batch: model.encode(batch), count, 1e6)
    return rows


def _dimension(folder: Path, titles: list[str]) -> Rows:
    batch, rows = titles[:TEXTS], {}
    for dim in _sizes(64, 128, 256, 512, 1024):
        model = StaticModel.load(contestants.write_file(folder, "int8", dim=dim))
        rows[f"{dim}"] = _median(lambda model=model: model.encode(batch), len(batch), 1e6)
    return rows


def _vocabulary(folder: Path) -> Rows:
    """Time texts of nine words, few of them frequent, with a memory-mapped table."""
    rows = {}
    for count in _sizes(30_000, 100_000, 300_000, 1_000_000):
        model = StaticModel.load(vocabularies.words(folder, count))
        rng = random.Random(1)
        batch = [
            " ".join(f"w{int(rng.paretovariate(0.6)) % count}" for _ in range(9))
            for _ in range(TEXTS)
        ]
        rows[f"{count:,}"] = _median(
            lambda model=model, batch=batch: model.encode(batch), len(batch), 1e6
        )
    return rows


def _distinct(path: Path) -> Rows:
    """Time the first pass over texts of nine words, drawn from this many distinct words."""
    rows = {}
    for distinct in _sizes(1_000, 10_000, 100_000, 1_000_000):
        rng = random.Random(2)
        batch = [" ".join(f"x{rng.randrange(distinct):x}y" for _ in range(9)) for _ in range(TEXTS)]
        model = StaticModel.load(path)
        model.encode(["w1"])
        start = time.perf_counter()
        model.encode(batch)
        rows[f"{distinct:,}"] = harness.significant((time.perf_counter() - start) / TEXTS * 1e6)
    return rows


def _stream(folder: Path, path: Path, sample: str) -> Rows:
    words = folder / "words.txt"
    words.write_text("\n".join(sample.split()[:50_000]), encoding="utf-8")
    wanted = str(harness.fewer(1_000_000))
    count, seconds, grown = harness.in_fresh_process(
        _MILLION, str(path), str(words), wanted
    ).split()
    return {
        "texts": int(count),
        "seconds": round(float(seconds), 2),
        "megabytes grown": round(int(grown) / 1e6, 1),
    }


def _hostile(path: Path) -> Rows:
    """Time new words only: in texts of 1,000 characters, in one text, and as one long word."""
    rows = {}
    for kind in ("short texts", "one text", "one word"):
        for megabytes in _sizes(1, 10):
            size = str(megabytes * 1_000_000)
            seconds, grown = harness.in_fresh_process(_HOSTILE, str(path), kind, size).split()
            rows[f"{kind}, {megabytes} MB: seconds"] = harness.significant(float(seconds))
            rows[f"{kind}, {megabytes} MB: megabytes grown"] = round(int(grown) / 1e6, 1)
    return rows


if __name__ == "__main__":
    main()
