"""The one table of the benchmarks' first page: quality and cost by job, from several results."""

from __future__ import annotations

from collections.abc import Mapping

import drawing
from harness import commits_of, load

from staticemb_runtime.loading import DEFAULT_MODEL

NFCORPUS, CRANFIELD = "nfcorpus", "cranfield"
SCORES = {
    "similarity of sentences: STS-B": ("sts/stsb-en-test", "tfidf", "TF-IDF"),
    "similarity of sentences: SICK": ("sts/sick-test", "tfidf", "TF-IDF"),
    "classes, many: Banking77": ("classification/banking77", "tfidf", "TF-IDF"),
    "classes, sentiment: SST-2": ("classification/sst2", "tfidf", "TF-IDF"),
}


def blocks() -> dict[str, str]:
    """Return the tables of quality and of cost."""
    return {"overview quality": _quality(), "overview cost": _cost()}


def _quality() -> str:
    scores = {
        (score["model"], score["task"]): score["value"]
        for score in load("bundled")["results"]["scores"]
        if score["main"]
    }
    body = []
    for title, (task, words, words_name) in SCORES.items():
        ours, whole = scores[DEFAULT_MODEL, task], scores["transformer", task]
        body.append(_row(title, ours, f"{words_name} {scores[words, task]:.1f}", whole))
    search = load("search")["results"]["collections"]
    adapted = load("adaptation")["results"]["collections"]
    for key, title in ((NFCORPUS, "NFCorpus"), (CRANFIELD, "Cranfield")):
        found, ndcg = search[key], adapted[key]["ndcg"]
        words = f"BM25 {found['lexical']:.1f}"
        mixed = ndcg["teacher"]["with BM25"]
        rows = {
            "vectors alone": (found["vector"], found["teacher"]),
            "with BM25": (found["hybrid"], mixed),
            "adapted, with BM25": (ndcg["adapted"]["with BM25"], mixed),
        }
        body += [
            _row(f"search: {title}, {way}", ours, words, whole)
            for way, (ours, whole) in rows.items()
        ]
    heads = ["job", "static", "words alone", "transformer", "share"]
    note = (
        "Static: the bundled model; *adapted*: a model fitted to the collection's documents, whose "
        "queries search the transformer's vectors. Transformer: all-MiniLM-L6-v2; in the rows with "
        "BM25 it has BM25 too. Spearman (similarity), accuracy (classes) and NDCG@10 (search), "
        f"times 100. Share: of the transformer's figure. {_scored()}Search: "
        f"{_measured('search')}; with BM25 and adapted: {_measured('adaptation')}."
    )
    return f"{drawing.table(heads, body)}\n\n{note}"


def _row(title: str, ours: float, words: str, whole: float) -> list[str]:
    return [title, f"{ours:.1f}", words, f"{whole:.1f}", f"{ours / whole:.0%}"]


def _cost() -> str:
    speed = load("throughput")["results"]["one_core"]["news"]["rows"]
    latency = load("latency")["results"]["rows"]
    start = load("start")["results"]["rows"]
    models = (DEFAULT_MODEL, "transformer")
    lines: Mapping[str, list[float]] = {
        "a query of eight words, ms": [latency[name]["p50_microseconds"] / 1e3 for name in models],
        "news paragraphs a second, one core": [speed[name]["texts_per_second"] for name in models],
        "start to the first vector, s": [start[name]["seconds"] for name in models],
        "memory, MB": [start[name]["peak_megabytes"] for name in models],
        "model on disk, MB": [start[name]["model_bytes"] / 1e6 for name in models],
    }
    body = [[title, *(_figure(value) for value in values)] for title, values in lines.items()]
    table = drawing.table(["cost on a CPU", "static", "transformer"], body)
    made = load("throughput")["environment"]
    measured = [
        f"{title}: {_measured(name)}"
        for title, name in (("Query", "latency"), ("paragraphs", "throughput"), ("rest", "start"))
    ]
    return f"{table}\n\n{made['processor']}, Python {made['python']}. {'; '.join(measured)}."


def _measured(name: str) -> str:
    """Name the commit and the day of results."""
    content = load(name)
    return f"{drawing.commits(content)}, {content['environment']['date']}"


def _scored() -> str:
    """Name the commit of the scores; empty for results that were saved without one."""
    named = commits_of(load("bundled"))
    return f"Similarity and classes: {_measured('bundled')}. " if named else ""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
