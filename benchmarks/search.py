"""Quality and speed of the search index, beside BM25 alone and a transformer alone.

NDCG@10 × 100 on the collections in ../shared: `tune/` chose the weights, `eval/` is reported. The
bundled model's teacher is measured alone, as the second stage over a hundred candidates, and as the
maker of the documents' vectors, which static queries search; not in a quick run. Its vectors take
minutes, and are kept in build/teacher.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import bm25s
import harness
import intervals
import numpy as np
from intervals import INTERVALS
from numpy.typing import NDArray
from teacher_vectors import TeacherVectors

from staticemb_runtime.search import Index
from staticemb_runtime.search.fusion import RERANK_WEIGHT
from staticemb_runtime.search.lexicon import Lexicon
from staticemb_runtime.search.stop_words import ENGLISH

COLLECTIONS = {
    "nfcorpus": ("eval", "nfcorpus"),
    "cranfield": ("eval", "cranfield"),
    "cisi": ("tune", "cisi"),
    "squad": ("tune", "squad-sentences"),
}
ALONE = ("bm25s", "lexical", "vector", "hybrid", "teacher")
WEIGHTS = (0.0, 0.25, 0.35, 0.5, 0.75, 1.0)
RERANK_WEIGHTS = (0.25, 0.5, RERANK_WEIGHT, 1.0)


class Collection(NamedTuple):
    """Documents, queries with judgments, and the judgments by query."""

    ids: list[str]
    texts: list[str]
    query_ids: list[str]
    queries: list[str]
    judgments: dict[str, dict[str, int]]


def main() -> None:
    """Run and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    harness.add_options(parser)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COLLECTIONS)}")
    options = parser.parse_args(namespace=harness.OPTIONS)
    harness.check_clean()
    if not harness.SHARED.is_dir():
        print(f"not measured: the collections in {harness.SHARED} are missing")
        return
    encode = None if harness.quick() else TeacherVectors()
    results = {}
    for name in options.names or COLLECTIONS:
        results[name] = _measure(load(name), encode)
        print(name, json.dumps(results[name]), flush=True)
    harness.save("search", {"collections": results})


def load(name: str) -> Collection:
    """Read a collection of ../shared."""
    kind, folder = COLLECTIONS[name]
    root = harness.SHARED / kind / "retrieval" / folder
    documents = [json.loads(line) for line in (root / "corpus.jsonl").open(encoding="utf-8")]
    queries = [json.loads(line) for line in (root / "queries.jsonl").open(encoding="utf-8")]
    judgments: dict[str, dict[str, int]] = {}
    (path,) = (root / "qrels").glob("*.tsv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        next(rows)
        for query, document, grade in rows:
            judgments.setdefault(query, {})[document] = int(grade)
    judged = [query for query in queries if query["_id"] in judgments]
    judged = judged[: harness.fewer(len(judged), 5)]
    return Collection(
        [document["_id"] for document in documents],
        [f"{document.get('title', '')} {document['text']}".strip() for document in documents],
        [query["_id"] for query in judged],
        [query["text"] for query in judged],
        judgments,
    )


def ndcg(shares: Sequence[float]) -> float:
    """Return the mean × 100 of the queries' NDCG@10."""
    return round(100 * statistics.fmean(shares), 2)


def by_query(collection: Collection, rankings: Iterable[Sequence[str]]) -> list[float]:
    """Compute the NDCG@10 of the ranked ids of each query."""
    shares = []
    for query, ranking in zip(collection.query_ids, rankings, strict=True):
        grades = collection.judgments[query]
        discounts = 1 / np.log2(np.arange(2, 12))
        found = np.array([grades.get(key, 0) for key in ranking[:10]])
        ideal = np.array(sorted(grades.values(), reverse=True)[:10])
        shares.append(found @ discounts[: len(found)] / (ideal @ discounts[: len(ideal)]))
    return shares


def _measure(collection: Collection, encode: TeacherVectors | None) -> dict[str, Any]:
    result: dict[str, Any] = {"documents": len(collection.ids), "queries": len(collection.queries)}
    shares = {"bm25s": by_query(collection, _bm25s(collection))}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with Index.create(Path(folder) / "index.db") as index:
            index.add(collection.texts, ids=collection.ids)
            result["seconds_to_index"] = harness.significant(time.perf_counter() - started)
            index.search(collection.queries[:20])  # reads the vectors
            for method in ("lexical", "vector", "hybrid"):
                rankings, milliseconds = _timed(index, collection, method)
                shares[method] = by_query(collection, rankings)
                result[f"{method}_milliseconds"] = milliseconds
            result["by_vector_weight"] = {
                str(weight): ndcg(_searched(index, collection, vector_weight=weight))
                for weight in WEIGHTS
            }
            if encode is not None:
                documents, queries = encode(collection.texts), encode(collection.queries)
                second, by_way = _second_stage(index, collection, documents, queries)
                result |= second
                shares |= by_way
        if encode is not None:
            with Index.create(Path(folder) / "teacher.db") as index:
                index.add(collection.texts, ids=collection.ids, vectors=documents)
                by_method = {
                    method: _searched(index, collection, method=method)
                    for method in ("vector", "hybrid")
                }
            result["teacher_documents"] = {way: ndcg(each) for way, each in by_method.items()}
            shares["teacher_documents"] = by_method["hybrid"]
    result |= {way: ndcg(shares[way]) for way in ALONE if way in shares}
    result[INTERVALS] = {way: intervals.ends(each) for way, each in shares.items()}
    result["hybrid_over_lexical"] = intervals.gain(shares["hybrid"], shares["lexical"])
    return result


def _timed(index: Index, collection: Collection, method: str) -> tuple[list[list[str]], float]:
    """Search query by query; return the ranked ids, and the median of the milliseconds."""
    rankings, seconds = [], []
    for query in collection.queries:
        started = time.perf_counter()
        hits = index.search(query, method=method)
        seconds.append(time.perf_counter() - started)
        rankings.append([hit.id for hit in hits])
    return rankings, harness.significant(1000 * statistics.median(seconds))


def _searched(index: Index, collection: Collection, **options: Any) -> list[float]:
    found = index.search(collection.queries, **options)
    return by_query(collection, [[hit.id for hit in hits] for hits in found])


def _second_stage(
    index: Index,
    collection: Collection,
    documents: NDArray[np.float32],
    queries: NDArray[np.float32],
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Measure a teacher alone, and its cosines as a scorer of the first stage's hundred.

    Returns:
        What is saved, and the NDCG@10 of each query, alone and with the default weight.
    """
    alone = queries @ documents.T
    ids = np.array(collection.ids)
    ranked = [list(ids[np.argsort(-row, kind="stable")[:10]]) for row in alone]
    found = index.search(collection.queries, k=100)
    recall = [
        len({hit.id for hit in hits} & wanted) / len(wanted)
        for hits, query in zip(found, collection.query_ids, strict=True)
        if (wanted := {key for key, grade in collection.judgments[query].items() if grade > 0})
    ]
    scorer = _scorer(collection, documents, queries)
    reranked = {
        str(weight): _searched(index, collection, rerank=scorer, rerank_weight=weight)
        for weight in RERANK_WEIGHTS
    }
    shares = {
        "teacher": by_query(collection, ranked),
        "reranked": reranked[str(RERANK_WEIGHT)],
    }
    return {
        "recall_at_100": round(100 * statistics.fmean(recall), 1),
        "reranked_by_weight": {weight: ndcg(each) for weight, each in reranked.items()},
        "rerank_weight": str(RERANK_WEIGHT),
    }, shares


def _scorer(
    collection: Collection, documents: NDArray[Any], queries: NDArray[Any]
) -> Callable[[str, Sequence[str]], NDArray[Any]]:
    by_text = dict(zip(collection.texts, documents, strict=True))
    by_query = dict(zip(collection.queries, queries, strict=True))

    def score(query: str, texts: Sequence[str]) -> NDArray[Any]:
        return np.array([by_text[text] @ by_query[query] for text in texts])

    return score


def _bm25s(collection: Collection) -> list[list[str]]:
    """Rank by bm25s with its English stop words and with FTS5's stemmer."""
    lexicon = Lexicon("words", ENGLISH)

    def stem(words: list[str]) -> list[str]:
        terms = lexicon.terms(words)
        return [terms[word] or word for word in words]

    tokens, queries = (
        bm25s.tokenize(texts, stopwords="en", stemmer=stem, show_progress=False)
        for texts in (collection.texts, collection.queries)
    )
    retriever = bm25s.BM25()
    retriever.index(tokens, show_progress=False)
    found, _ = retriever.retrieve(queries, k=10, show_progress=False)
    lexicon.close()
    return [[collection.ids[place] for place in row] for row in found]


if __name__ == "__main__":
    main()
