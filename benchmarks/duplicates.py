"""Finding near duplicates: time, memory and agreement with brute force, beside semhash.

All contestants use the bundled model's vectors and one threshold. Agreement is computed from the
vectors: `missed` is the share of kept texts that are similar to an earlier kept text, `wrong` the
share of removed texts that are similar to no kept one. Each contestant runs in its own process,
which is ended after four minutes; the table then says so.

    python benchmarks/duplicates.py             # 20 Newsgroups, 25,000 and 100,000 generated texts
    python benchmarks/duplicates.py --million   # a million generated texts as well

Every contestant runs three times on collections of up to 25,000 texts. On larger ones each runs
once, without `exact`, whose time grows with the square of the number.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np
import texts

from staticemb_runtime import StaticModel

THRESHOLD = 0.9
REPETITIONS = 3
_REPEATED = 25_000
GENERATED = (25_000, 100_000)
MILLION = 1_000_000
TIMEOUT = 240  # seconds
_SAMPLE = 2_000  # texts whose neighbors are computed by brute force
_ROUNDING = 1e-5

_PROGRAM = """
import json, sys, time
import numpy as np
from staticemb_runtime import StaticModel
kind, path, threshold = sys.argv[1], sys.argv[2], float(sys.argv[3])
texts = json.load(open(path, encoding="utf-8"))
model = StaticModel()
model.encode(texts[:100])
if kind == "semhash":
    from semhash import SemHash
else:
    from staticemb_runtime.search import deduplicate
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
before, start, used = peak(), time.perf_counter(), time.process_time()
if kind == "semhash":
    result = SemHash.from_records(texts, model=model).self_deduplicate(threshold)
    selected, places = set(result.selected), {}
    kept = []
    for number, text in enumerate(texts):
        if text in selected and text not in places:
            places[text] = number
            kept.append(number)
else:
    found = deduplicate(model, texts, threshold=threshold, exact=kind == "exact")
    kept = found.kept().tolist()
seconds, used, memory = time.perf_counter() - start, time.process_time() - used, peak() - before
print(json.dumps({"seconds": seconds, "processor": used, "memory": memory, "kept": kept}))
"""

CONTESTANTS = {"staticemb": "default", "staticemb, exact": "exact", "semhash": "semhash"}


def main() -> None:
    """Run and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    harness.add_options(parser)
    parser.add_argument("--million", action="store_true", help="a million generated texts as well")
    options = parser.parse_args(namespace=harness.OPTIONS)
    harness.check_clean()
    posts = texts.load("posts", harness.fewer(20_000, 300))[0]
    results = [_measure("20 Newsgroups", posts)]
    for count in (*GENERATED, MILLION) if options.million else GENERATED:
        results.append(_measure("generated", edited(harness.fewer(count))))
    harness.save("duplicates", {"threshold": THRESHOLD, "timeout": TIMEOUT, "collections": results})


def edited(count: int, seed: int = 0) -> list[str]:
    """Generate texts; a third are others with one or two words replaced, in random order."""
    rng = random.Random(seed)
    words = " ".join(texts.generate("news", 2_000, seed)).split()  # they follow Zipf's law
    made = [" ".join(rng.choices(words, k=rng.randint(8, 40))) for _ in range(count - count // 3)]
    for _ in range(count // 3):
        changed = rng.choice(made).split()
        for _ in range(rng.randint(1, 2)):
            changed[rng.randrange(len(changed))] = rng.choice(words)
        made.append(" ".join(changed))
    rng.shuffle(made)
    return made


def _measure(kind: str, found: list[str]) -> dict[str, Any]:
    is_small = len(found) <= _REPEATED
    repetitions = harness.fewer(REPETITIONS) if is_small else 1
    print(f"{kind}, {len(found):,} texts, {repetitions} times", file=sys.stderr)
    vectors = StaticModel().encode(found, on_empty="zero")
    names = [name for name in CONTESTANTS if is_small or CONTESTANTS[name] != "exact"]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(found), encoding="utf-8")
        for _ in range(repetitions):
            for name in names:
                if (run := _run(CONTESTANTS[name], path)) is not None:
                    runs[name].append(run)
                seconds = "not ended" if run is None else f"{run['seconds']:.1f} s"
                print(f"  {name}: {seconds}", file=sys.stderr)
    results: dict[str, Any] = {}
    for name, repeated in runs.items():
        results[name] = _summary(repeated, vectors) if len(repeated) == repetitions else None
        print(kind, len(found), name, results[name], flush=True)
    return {"kind": kind, "texts": len(found), "contestants": results}


def _run(kind: str, path: Path) -> dict[str, Any] | None:
    """Run a contestant once; return None if it does not end in time."""
    try:
        printed = harness.in_fresh_process(
            _PROGRAM, kind, str(path), str(THRESHOLD), timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return None
    run: dict[str, Any] = json.loads(printed)
    return run


def _summary(runs: list[dict[str, Any]], vectors: np.ndarray) -> dict[str, Any]:
    kept = np.array(runs[0]["kept"], np.int64)
    return {
        "seconds": harness.significant(_median(runs, "seconds")),
        "processor seconds": harness.significant(_median(runs, "processor")),
        "memory": int(_median(runs, "memory")),
        "kept": len(kept),
    } | agreement(vectors, kept)


def _median(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def agreement(vectors: np.ndarray, kept: np.ndarray) -> dict[str, float]:
    """Compare a choice of texts with brute force, for a sample of the texts.

    Args:
        vectors: (n, d) float32 of unit length.
        kept: (k,) the numbers of the texts that were kept, ascending.

    Returns:
        `missed` and `wrong`, as above.
    """
    rng = np.random.default_rng(0)
    removed = np.setdiff1d(np.arange(len(vectors)), kept)
    chosen = rng.permutation(kept)[:_SAMPLE]
    earlier = near(vectors[chosen], vectors[kept], chosen, kept, least=THRESHOLD + _ROUNDING)
    gone = rng.permutation(removed)[:_SAMPLE]
    cosines = near(vectors[gone], vectors[kept], gone, kept, least=THRESHOLD - _ROUNDING, any_=True)
    return {
        "missed": float(earlier.mean()) if len(chosen) else 0.0,
        "wrong": float(1 - cosines.mean()) if len(gone) else 0.0,
    }


def near(
    queries: np.ndarray,
    vectors: np.ndarray,
    query_numbers: np.ndarray,
    numbers: np.ndarray,
    *,
    least: float,
    any_: bool = False,
) -> np.ndarray:
    """Return whether each query has a similar vector of a smaller number, or of any other one."""
    found = np.zeros(len(queries), np.bool_)
    for begin in range(0, len(queries), 256):
        part = slice(begin, begin + 256)
        similar = queries[part] @ vectors.T >= least
        if any_:
            similar &= numbers != query_numbers[part, None]
        else:
            similar &= numbers < query_numbers[part, None]
        found[part] = similar.any(axis=1)
    return found


if __name__ == "__main__":
    main()
