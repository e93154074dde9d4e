"""Time and memory of a fit by the number of sentences, on generated text.

    python benchmarks/fit_scaling.py                      # 125,000 to 1,000,000, to results/
    python benchmarks/fit_scaling.py --sentences 250000   # one size, in this process

Tokens follow Zipf's law, and sentences have 5 to 35 tokens. The vocabulary has the size of
all-MiniLM-L6-v2's, and vectors have its dimension. Each size runs in its own process, with the
targets in memory as float16.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from harness import check_clean, save

from staticemb_distiller.fitting.ridge_fit import FitStep, count_matrix, fit

TOKENS, DIM = 30_522, 384


def measure(sentences: int, threads: int) -> dict[str, float]:
    """Fit once, with six steps in each of two rounds whatever the residual; return the costs."""
    random = np.random.default_rng(0)
    lengths = random.integers(5, 36, sentences)
    shares = 1 / (np.arange(TOKENS) + 3.7)
    cumulative = np.cumsum(shares / shares.sum())
    ids = np.searchsorted(cumulative, random.random(int(lengths.sum()), np.float32))
    counts = count_matrix(np.minimum(ids, TOKENS - 1).astype(np.int32), lengths, TOKENS)
    targets = np.empty((sentences, DIM), np.float16)
    for first in range(0, sentences, 50_000):
        block = random.normal(size=targets[first : first + 50_000].shape).astype(np.float32)
        targets[first : first + 50_000] = block / np.linalg.norm(block, axis=1, keepdims=True)
    prior = random.normal(size=(TOKENS, DIM)).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps: list[FitStep] = []
    started, worked = time.perf_counter(), time.process_time()
    fit(counts, targets, prior, iterations=6, tolerance=0, threads=threads, progress=steps.append)
    return {
        "sentences": sentences,
        "tokens": int(lengths.sum()),
        "threads": threads,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - worked, 1),
        "peak_mb_before_fit": round(before / 1024),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Run all sizes, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    check_clean()
    if options.sentences:
        print(json.dumps(measure(options.sentences, options.threads)), flush=True)
        return
    rows = []
    for sentences in (125_000, 250_000, 500_000, 1_000_000):
        command = [sys.executable, __file__, f"--sentences={sentences}"]
        command.append(f"--threads={options.threads}")
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout))
        print(done.stdout, end="", flush=True)
    save("fit_scaling", {"rows": rows})


if __name__ == "__main__":
    main()
