"""Time and memory of `adapt` by the number of documents, on generated text.

    python benchmarks/adaptation_scaling.py                      # 62,500 to 1,000,000, to results/
    python benchmarks/adaptation_scaling.py --documents 100000   # one size

A document has 20 to 180 words that follow Zipf's law. Vectors have 384 dimensions, in float16, and
are the means of random rows of the words, with noise. The command runs in a fresh process with a
zero prior.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import OPTIONS, add_options, check_clean, save
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS, DIM = 30_522, 384
SIZES = (62_500, 250_000, 1_000_000)
BLOCK = 10_000


def generate(folder: Path, documents: int) -> int:
    """Write the documents, their vectors and the tokenizer; return the number of words."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((WORDS, DIM)).astype(np.float32)
    shares = 1 / (np.arange(WORDS) + 3.7)
    cumulative = np.cumsum(shares / shares.sum())
    names = np.array([f"w{number}" for number in range(WORDS)])
    vocabulary = {name: number for number, name in enumerate(names.tolist())}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    shape = (documents, DIM)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float16, shape)
    total = 0
    with (folder / "documents.txt").open("w") as file:
        for first in range(0, documents, BLOCK):
            lengths = random.integers(20, 181, min(BLOCK, documents - first))
            ids = np.searchsorted(cumulative, random.random(int(lengths.sum()), np.float32))
            ids = np.minimum(ids, WORDS - 1)
            ends = np.cumsum(lengths)
            total += int(ends[-1])
            sums = np.add.reduceat(rows[ids], np.concatenate([[0], ends[:-1]]), axis=0)
            sums += np.sqrt(lengths)[:, None] * random.standard_normal(sums.shape)
            unit = sums / np.linalg.norm(sums, axis=1, keepdims=True)
            vectors[first : first + len(lengths)] = unit
            words = names[ids]
            file.writelines(
                " ".join(words[end - length : end]) + "\n"
                for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
            )
    vectors.flush()
    return total


def measure(documents: int) -> dict[str, float]:
    """Generate a collection, and adapt to it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        words = generate(folder, documents)
        command = [sys.executable, "-m", "staticemb_distiller", "adapt", "none"]
        command += ["--tokenizer", "tokenizer.json", "--documents", "documents.txt"]
        command += ["--vectors", "vectors.npy", "-o", "adapted.staticemb"]
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        print(done.stderr, file=sys.stderr, flush=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "documents": documents,
            "words": words,
            "seconds": round(time.perf_counter() - started, 1),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
            "peak_mb": round(used.ru_maxrss / 1024),
        }


def main() -> None:
    """Run all sizes, or one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--documents", type=int)
    options = parser.parse_args(namespace=OPTIONS)
    check_clean()
    if options.documents:
        print(json.dumps(measure(options.documents)), flush=True)
        return
    rows = []
    for documents in SIZES:
        command = [sys.executable, __file__, f"--documents={documents}", "--quick"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout))
        print(done.stdout, end="", flush=True)
    save("adaptation_scaling", {"rows": rows})


if __name__ == "__main__":
    main()
