"""Time and memory of the search index by the number of documents, beside bm25s and usearch.

Generated documents of 40 words, half by Zipf's law and half of the document's topic, and a
generated table of 256 dimensions. Queries hold three or eight words of a document, and three of the
collection's commonest. Each contestant runs in its own process, and the time of a query includes
embedding it. `recall` is the share of the ten nearest vectors by exact float32 that a search by
vectors finds.

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

SIZES = (10_000, 100_000)
MILLION = 1_000_000
DIMENSION = 256
VOCABULARY = 50_000
WORDS = 40  # of a document
COMMON = 150  # words that count as the commonest
QUERIES = 100
LENGTHS = (3, 8)  # words of a query, without the common ones
K = 10
TOPICS, TOPIC_WORDS = 1_000, 200
_BLOCK = 10_000
_DECAY = 0.2  # the deviation of dimension d of the bundled model's vectors falls as d to the -0.2
_RANK = 2.7  # Zipf's law as in texts.py: the frequency of a word is 1 / (rank + 2.7)

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
        rows += compare(harness.fewer(documents, 500))
    harness.save("search_scaling", {"dimension": DIMENSION, "words": WORDS, "rows": rows})


def compare(documents: int) -> list[dict[str, Any]]:
    """Generate a collection; measure each contestant in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate(folder, documents)
        nearest = exact(folder)
        for name in CONTESTANTS:
            command = [sys.executable, __file__, "--contestant", name, "--folder", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr}")
            row = {"documents": documents, "name": name, **json.loads(done.stdout)}
            if (found := row.pop("found", None)) is not None:
                shares = [len({*a} & {*b}) / len(b) for a, b in zip(found, nearest, strict=True)]
                row["recall"] = round(statistics.fmean(shares), 3)
            print(json.dumps(row), flush=True)
            rows.append(row)
    return rows


def generate(folder: Path, documents: int) -> None:
    """Write model.staticemb, documents.txt, vectors.npy (n, D) float32, queries.json."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    from staticemb_distiller.file.writer import Settings, write
    from staticemb_distiller.table.parts import Parts

    random = np.random.default_rng(0)
    names = made_up(VOCABULARY)
    shares = 1 / (np.arange(VOCABULARY) + _RANK)
    shares /= shares.sum()
    rows = random.standard_normal((VOCABULARY + 1, DIMENSION)).astype(np.float32)
    rows *= np.arange(1, DIMENSION + 1, dtype=np.float32) ** -_DECAY
    rows[1:] *= (1e-3 / (1e-3 + shares))[:, None].astype(np.float32)  # SIF: rare words weigh most
    vocabulary = {"[UNK]": 0} | {name: number for number, name in enumerate(names, start=1)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    parts = Parts(rows, tokenizer.to_str().encode())
    write(folder / "model.staticemb", parts, Settings(unknown_token_id=0))
    cumulative = np.cumsum(shares)
    array = np.array(names, object)
    vectors = np.lib.format.open_memmap(
        folder / "vectors.npy", "w+", np.float32, (documents, DIMENSION)
    )
    topics = random.integers(COMMON, VOCABULARY, (TOPICS, TOPIC_WORDS))
    kept: list[NDArray[np.int64]] = []  # documents that queries are of
    with (folder / "documents.txt").open("w", encoding="utf-8") as file:
        for first in range(0, documents, _BLOCK):
            count = min(_BLOCK, documents - first)
            ids = np.searchsorted(cumulative, random.random((count, WORDS)))
            ids = np.minimum(ids, VOCABULARY - 1)
            about = topics[
                random.integers(0, TOPICS, (count, 1)), random.integers(0, TOPIC_WORDS, ids.shape)
            ]
            ids = np.where(random.random(ids.shape) < 0.5, about, ids)
            kept.append(ids[: max(1, 4 * QUERIES * _BLOCK // max(documents, _BLOCK))])
            file.writelines(" ".join(words) + "\n" for words in array[ids].tolist())
            means = rows[ids + 1].mean(axis=1)
            vectors[first : first + count] = means / np.linalg.norm(means, axis=1, keepdims=True)
    vectors.flush()
    rare = [np.unique(row[row >= COMMON]) for row in np.concatenate(kept)]
    rare = [row for row in rare if len(row) >= max(LENGTHS)]
    queries: dict[str, list[str]] = {}
    for length in LENGTHS:
        chosen = random.permutation(len(rare))[:QUERIES].tolist()
        asked = [
            [*random.integers(0, 20, 3), *random.choice(rare[place], length, replace=False)]
            for place in chosen
        ]
        queries[str(length)] = [" ".join(array[ids].tolist()) for ids in asked]
    (folder / "queries.json").write_text(json.dumps(queries), encoding="utf-8")


def made_up(count: int) -> list[str]:
    """Make distinct words of syllables, the shortest first."""
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "or")]
    words = [a + b for a in syllables for b in syllables]
    words += [a + b for a in words for b in syllables]
    return words[:count]


def exact(folder: Path) -> list[list[int]]:
    """Find the ten nearest documents of the longer queries by float32."""
    from staticemb_runtime import StaticModel

    queries = json.loads((folder / "queries.json").read_text(encoding="utf-8"))[str(LENGTHS[-1])]
    asked = StaticModel.load(folder / "model.staticemb").encode_query(queries)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    scores = np.concatenate(
        [
            np.asarray(vectors[first : first + _BLOCK]) @ asked.T
            for first in range(0, len(vectors), _BLOCK)
        ]
    )
    best: list[list[int]] = np.argsort(-scores, axis=0, kind="stable")[:K].T.tolist()
    return best


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Build one contestant's index and search it."""
    queries = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    run = {
        "staticemb": _staticemb,
        "bm25s": _bm25s,
        "usearch, exact": lambda folder, queries: _usearch(folder, queries, approximate=False),
        "usearch, HNSW": lambda folder, queries: _usearch(folder, queries, approximate=True),
    }[name]
    return {**run(folder, queries), "peak_mb": round(_peak() / 2**20)}


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


def _staticemb(folder: Path, queries: dict[str, list[str]]) -> dict[str, Any]:
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
        index.search(queries["3"][0])
        loaded = time.perf_counter() - started
        found = [
            [int(hit.id) for hit in index.search(query, K, method="vector")]
            for query in queries[str(LENGTHS[-1])]
        ]
        return {
            "build_seconds": harness.significant(built),
            "load_seconds": harness.significant(loaded),
            "file_mb": round(path.stat().st_size / 2**20),
            "milliseconds": {
                method: _milliseconds(lambda query: index.search(query, K, method=method), queries)  # noqa: B023 - called at once
                for method in ("hybrid", "lexical", "vector")
            },
            "found": found,
        }


def _bm25s(folder: Path, queries: dict[str, list[str]]) -> dict[str, Any]:
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
        "milliseconds": {"lexical": _milliseconds(search, queries)},
    }


def _usearch(folder: Path, queries: dict[str, list[str]], *, approximate: bool) -> dict[str, Any]:
    from usearch.index import Index, MetricKind
    from usearch.index import search as search_all

    from staticemb_runtime import StaticModel

    model = StaticModel.load(folder / "model.staticemb")
    started = time.perf_counter()
    # The vectors exist already; embedding them takes the same time for both.
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    if approximate:
        # Its int8 has one scale for all vectors, which costs recall at this dimension.
        index = Index(ndim=DIMENSION, metric=MetricKind.Cos, dtype="f16")
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
        "milliseconds": {"vector": _milliseconds(search, queries)},
        "found": [[int(key) for key in search(query)] for query in queries[str(LENGTHS[-1])]],
    }


def _peak() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    main()
