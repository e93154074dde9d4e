"""Time and memory of the search index by the number of documents, beside bm25s and usearch.

Generated documents of 40 words, half by Zipf's law and half of the document's topic, and a
generated int8 table of 256 dimensions. Queries hold 1 to 20 words of a document, and three of the
collection's commonest. Then the sentences of ../shared, with the bundled model and questions. Each
contestant runs in its own process, and the time of a query includes embedding it. `recall` is the
share of the ten nearest vectors by exact float32 that a search by vectors finds, and `loss` how far
the mean cosine of its ten lies below theirs.

python benchmarks/search_scaling.py             10,000 and 100,000 documents, some minutes
python benchmarks/search_scaling.py --million   1,000,000 as well
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
import numpy as np
from numpy.typing import NDArray
from search_collections import DIMENSION, QUESTION, WORDS, generate, sentences

SIZES = (10_000, 100_000)
MILLION = 1_000_000
K = 10
_RECALL_OF = ("8", QUESTION)  # the lengths of the queries whose nearest vectors are compared
_BLOCK = 10_000

CONTESTANTS = ("staticemb", "bm25s", "usearch, exact", "usearch, HNSW")


def main() -> None:
    """Run all sizes, or one contestant on generated files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    harness.add_options(parser)
    parser.add_argument("--million", action="store_true", help="a million documents as well")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(namespace=harness.OPTIONS)
    if options.contestant:
        print(json.dumps(measure(options.contestant, options.folder)))
        return
    harness.check_clean()
    rows = []
    for documents in (*SIZES, *([MILLION] if options.million else [])):
        count = harness.fewer(documents, 500)
        rows += compare("generated", lambda folder: _generated(folder, count))  # noqa: B023 - called at once
    if harness.SHARED.is_dir():
        rows += compare("sentences", sentences)
    harness.save("search_scaling", {"dimension": DIMENSION, "words": WORDS, "rows": rows})


def _generated(folder: Path, documents: int) -> int:
    generate(folder, documents)
    return documents


def compare(texts: str, write: Callable[[Path], int]) -> list[dict[str, Any]]:
    """Write a collection into a folder; measure each contestant in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        documents = write(folder)
        nearest = exact(folder)
        for name in CONTESTANTS:
            command = [sys.executable, __file__, "--contestant", name, "--folder", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr}")
            row = {"texts": texts, "documents": documents, "name": name, **json.loads(done.stdout)}
            if (found := row.pop("found", None)) is not None:
                row |= _agreement(folder, found, nearest)
            print(json.dumps(row), flush=True)
            rows.append(row)
    return rows


def _agreement(folder: Path, found: list[list[int]], nearest: list[list[int]]) -> dict[str, float]:
    """Compare the rows that a contestant found with the nearest ones."""
    shares = [len({*a} & {*b}) / len(b) for a, b in zip(found, nearest, strict=True)]
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    losses = [
        (vectors[best] @ query).mean() - (vectors[rows] @ query).mean()
        for query, rows, best in zip(_asked(folder), found, nearest, strict=True)
    ]
    return {
        "recall": round(statistics.fmean(shares), 3),
        "loss": round(float(np.mean(losses)), 5),
    }


def _queries(folder: Path) -> dict[str, dict[str, list[str]]]:
    queries: dict[str, dict[str, list[str]]] = json.loads(
        (folder / "queries.json").read_text(encoding="utf-8")
    )
    return queries


def _recalled(queries: dict[str, dict[str, list[str]]]) -> list[str]:
    """Return the queries whose nearest vectors are compared."""
    by_length = queries["vector"]
    return next(by_length[length] for length in _RECALL_OF if length in by_length)


def _asked(folder: Path) -> NDArray[np.float32]:
    from staticemb_runtime import StaticModel

    model = StaticModel.load(folder / "model.staticemb")
    return np.asarray(model.encode_query(_recalled(_queries(folder))), np.float32)


def exact(folder: Path) -> list[list[int]]:
    """Find the ten nearest documents of queries by float32."""
    asked = _asked(folder)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    scores = np.concatenate(
        [
            np.asarray(vectors[first : first + _BLOCK]) @ asked.T
            for first in range(0, len(vectors), _BLOCK)
        ]
    )
    return [np.argsort(-column, kind="stable")[:K].tolist() for column in scores.T]


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Build one contestant's index and search it."""
    run = {
        "staticemb": _staticemb,
        "bm25s": _bm25s,
        "usearch, exact": lambda *given: _usearch(*given, approximate=False),
        "usearch, HNSW": lambda *given: _usearch(*given, approximate=True),
    }[name]
    return {**run(folder, _queries(folder)), "peak_mb": round(_peak() / 2**20)}


def _timed(search: Callable[[str], object], queries: Sequence[str]) -> float:
    """Return the median of the milliseconds of a query, after a tenth of them for warming."""
    for query in queries[: max(1, len(queries) // 10)]:
        search(query)
    seconds = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        seconds.append(time.perf_counter() - started)
    return harness.significant(1000 * statistics.median(seconds))


def _milliseconds(
    search: Callable[[str], object], queries: dict[str, list[str]]
) -> dict[str, float]:
    return {length: _timed(search, asked) for length, asked in queries.items()}


def _staticemb(folder: Path, queries: dict[str, dict[str, list[str]]]) -> dict[str, Any]:
    from staticemb_runtime.search import Index

    path = folder / "documents.db"
    documents = len(np.load(folder / "vectors.npy", mmap_mode="r"))
    started = time.perf_counter()
    with (
        (folder / "documents.txt").open(encoding="utf-8") as file,
        Index.create(path, folder / "model.staticemb") as index,
    ):
        index.add((line.rstrip("\n") for line in file), ids=map(str, range(documents)))
        index.optimize()
    built = time.perf_counter() - started
    with Index.open(path) as index:
        started = time.perf_counter()
        index.search(_recalled(queries)[0])
        loaded = time.perf_counter() - started
        found = [
            [int(hit.id) for hit in index.search(query, K, method="vector")]
            for query in _recalled(queries)
        ]
        return {
            "build_seconds": harness.significant(built),
            "load_seconds": harness.significant(loaded),
            "file_mb": round(path.stat().st_size / 2**20),
            "milliseconds": {
                way: _milliseconds(lambda query: index.search(query, K, method=way), asked)  # noqa: B023 - called at once
                for way, asked in queries.items()
            },
            "found": found,
        }


def _bm25s(folder: Path, queries: dict[str, dict[str, list[str]]]) -> dict[str, Any]:
    import bm25s

    started = time.perf_counter()
    texts = (folder / "documents.txt").read_text(encoding="utf-8").splitlines()
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(texts, stopwords=None, show_progress=False), show_progress=False)
    built = time.perf_counter() - started

    def search(query: str) -> object:
        tokens = bm25s.tokenize(query, stopwords=None, show_progress=False)
        return retriever.retrieve(tokens, k=K, show_progress=False)

    return {
        "build_seconds": harness.significant(built),
        "milliseconds": {"lexical": _milliseconds(search, queries["lexical"])},
    }


def _usearch(
    folder: Path, queries: dict[str, dict[str, list[str]]], *, approximate: bool
) -> dict[str, Any]:
    from usearch.compiled import MetricKind
    from usearch.index import Index
    from usearch.index import search as search_all

    from staticemb_runtime import StaticModel

    model = StaticModel.load(folder / "model.staticemb")
    started = time.perf_counter()
    # The vectors exist already; embedding them takes the same time for both.
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    if approximate:
        # Its int8 has one scale for all vectors, which costs recall at this dimension.
        index = Index(ndim=vectors.shape[1], metric=MetricKind.Cos, dtype="f16")
        for first in range(0, len(vectors), _BLOCK):
            block = np.asarray(vectors[first : first + _BLOCK])
            index.add(np.arange(first, first + len(block)), block)
    else:
        half: NDArray[np.float16] = np.asarray(vectors, np.float16)
    built = time.perf_counter() - started

    def search(query: str) -> Any:
        asked = model.encode_query(query)
        if approximate:
            return index.search(asked, K).keys
        return search_all(half, asked.astype(np.float16), K, MetricKind.Cos, exact=True).keys

    return {
        "build_seconds": harness.significant(built),
        "milliseconds": {"vector": _milliseconds(search, queries["vector"])},
        "found": [[int(key) for key in search(query)] for query in _recalled(queries)],
    }


def _peak() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    main()
