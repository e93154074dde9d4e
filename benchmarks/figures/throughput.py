"""Texts per second beside the peers: known words, first pass, two workers, and a picture."""

from __future__ import annotations

from typing import Any

import drawing
from labels import PACKAGES, label

KINDS = ("titles", "news", "posts")
FIRST = ", first pass"
BASE = "model2vec float32"
ORDER = (
    "minilm-en-small",
    "ours float32",
    "ours float32, damped",
    "ours int8",
    "ours int8, damped",
    "ours int8, prefix 64",
    BASE,
    "model2vec int8",
    "sentence-transformers",
    "fastembed",
    "laghu",
    "laghu, Rust core",
    "WordLlama",
    "WordLlama, same table",
    "transformer",
    "embedding_bag, ids given",
)


def section(content: dict[str, Any]) -> str:
    """Known words: a row for each contestant, a column for each length of text."""
    results = content["results"]
    kinds = results["one_core"]
    lengths = ", ".join(
        f"{kind} of {row['tokens'] / row['texts']:.0f} tokens ({row['source']})"
        for kind, row in kinds.items()
    )
    notes = [
        f"Medians of {results['repetitions']} interleaved repetitions{_spread(results)}.",
        f"On average: {lengths}.",
        "The transformer cuts texts at 256 tokens. `embedding_bag` is given token ids; it is the "
        "pooling alone, in C++.",
        drawing.not_measured(content),
        drawing.machine(content, *PACKAGES),
    ]
    table = _table(kinds, "words known", "")
    return table + "\n\n" + " ".join(note for note in notes if note)


def further(content: dict[str, Any]) -> dict[str, str]:
    """The first pass and two workers, as blocks of their own."""
    results = content["results"]
    return {
        "throughput first pass": _table(results["one_core"], "first pass", FIRST),
        "throughput two workers": _two_workers(results.get("two_workers")),
    }


def _table(kinds: dict[str, Any], head: str, suffix: str) -> str:
    """Ratios to model2vec, and below them texts a second of two; without model2vec, of all."""
    measured = {
        name: [kinds[kind]["rows"][name + suffix] for kind in KINDS]
        for name in ORDER
        if all(name + suffix in kinds[kind]["rows"] for kind in KINDS)
    }
    texts = {
        name: [f"{row['texts_per_second']:,.0f}" for row in measured[name]] for name in measured
    }
    if not all("times_model2vec" in row for rows in measured.values() for row in rows):
        body = [[label(name), *figures] for name, figures in texts.items()]
        return drawing.table([f"{head}; texts a second", *KINDS], body)
    body = [
        [label(name), *(drawing.times(row["times_model2vec"]) for row in rows)]
        for name, rows in measured.items()
    ]
    body += [
        [f"{label(name)}, texts a second", *texts[name]]
        for name in ("minilm-en-small", BASE)
        if name in texts
    ]
    return drawing.table([f"{head}; × model2vec", *KINDS], body)


def _spread(results: dict[str, Any]) -> str:
    """How far single repetitions were from the median."""
    ratios = [
        row["times_model2vec"]
        for kind in results["one_core"].values()
        for row in kind["rows"].values()
        if "times_model2vec" in row
    ]
    if not ratios:
        return ""
    low = min(ratio["low"] / ratio["median"] for ratio in ratios) - 1
    high = max(ratio["high"] / ratio["median"] for ratio in ratios) - 1
    return f"; single ones were {-low * 100:.0f} % below to {high * 100:.0f} % above it"


def _two_workers(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return "Not measured in this run."
    body = [
        [
            label(name),
            f"×{row['times_one']['median']:.2f}",
            f"{row['times_one']['low']:.2f}–{row['times_one']['high']:.2f}",
            f"{row['texts_per_second']:,}",
        ]
        for name, row in measured["rows"].items()
    ]
    head = f"`workers=2`, {measured['texts']:,} news"
    return drawing.table([head, "× one", "range", "texts/s"], body)


def pictures(content: dict[str, Any]) -> dict[str, str]:
    """Draw bars of texts per second on news paragraphs."""
    rows = content["results"]["one_core"]["news"]["rows"]
    chosen = [
        ("bundled model", "minilm-en-small"),
        ("bundled model, first pass", "minilm-en-small, first pass"),
        ("damped mean (default)", "ours int8, damped"),
        ("damped mean, first pass", "ours int8, damped, first pass"),
        ("plain mean", "ours int8"),
        ("plain mean, first pass", "ours int8, first pass"),
        ("model2vec", BASE),
        ("fastembed", "fastembed"),
        ("laghu", "laghu"),
        ("laghu, Rust core", "laghu, Rust core"),
        ("StaticEmbedding", "sentence-transformers"),
        ("WordLlama", "WordLlama, same table"),
        ("the transformer", "transformer"),
    ]
    shown = [
        (
            name,
            rows[key]["texts_per_second"],
            _cell(rows[key]),
            drawing.OURS if key.startswith(("ours", "minilm")) else drawing.PEER,
        )
        for name, key in chosen
        if key in rows
    ]
    title = "News paragraphs a second on one core (× model2vec)"
    return {"speed.svg": drawing.bars(title, [(title, shown)])}


def _cell(row: dict[str, Any]) -> str:
    times = row.get("times_model2vec")
    return f"{row['texts_per_second']:,.0f}" + (f" ({drawing.times(times)})" if times else "")
