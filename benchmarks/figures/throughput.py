"""Texts per second of our models and the peers': a table, and the README's first chart."""

from typing import Any

import drawing

KINDS = {"titles": "short titles", "news": "news paragraphs", "posts": "long posts"}
ORDER = (
    "minilm-en-small",
    "minilm-en-small, first pass",
    "ours int8",
    "ours float32",
    "ours int8, damped",
    "ours float32, damped",
    "ours int8, first pass",
    "ours float32, first pass",
    "ours int8, damped, first pass",
    "ours int8, prefix 128",
    "ours int8, prefix 64",
    "model2vec float32",
    "model2vec int8",
    "sentence-transformers",
    "WordLlama",
    "transformer",
)
LABELS = {
    "minilm-en-small": "**minilm-en-small**, the bundled model (192 dimensions, int8, damped)",
    "minilm-en-small, first pass": "**minilm-en-small**, first pass",
    "sentence-transformers": "sentence-transformers `StaticEmbedding`",
    "WordLlama": "WordLlama, its own table 32,000 × 256",
    "transformer": "the transformer: all-MiniLM-L6-v2",
}
PACKAGES = ("numpy", "tokenizers", "model2vec", "sentence-transformers", "wordllama")


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each contestant and a column for each length of text."""
    results = content["results"]["one_core"]
    heads = [
        f"{label} ({results[kind]['tokens'] / results[kind]['texts']:.0f} tokens)"
        for kind, label in KINDS.items()
    ]
    body = []
    for name in ORDER:
        rows = [results[kind]["rows"].get(name) for kind in KINDS]
        if all(rows):
            body.append([LABELS.get(name, name), *(_cell(row) for row in rows)])
    notes = [
        f"Texts per second{_spread(content['results'])}. Damped: the default pooling, a mean in "
        "two passes; the other rows of ours are plain means. First pass: texts whose words the "
        "process has not met before. The transformer cuts texts at 256 tokens.",
        _workers(content["results"].get("workers")),
        drawing.not_measured(content),
        drawing.machine(content, *PACKAGES),
    ]
    table = drawing.table(["one core, table 29,525 × 256", *heads], body)
    return table + "\n\n" + " ".join(note for note in notes if note)


def _cell(row: dict[str, Any]) -> str:
    times = row.get("times_model2vec")
    return f"{row['texts_per_second']:,.0f}" + (f" ({drawing.times(times)})" if times else "")


def _spread(results: dict[str, Any]) -> str:
    """Explain the ratios in brackets, and the spread of single repetitions around them."""
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
    return (
        "; in brackets the ratio to model2vec float32 in the same run, median of "
        f"{results['repetitions']} interleaved repetitions; single repetitions were "
        f"{-low * 100:.0f} % below to {high * 100:.0f} % above it"
    )


def _workers(workers: dict[str, Any] | None) -> str:
    if workers is None:
        return ""
    gain = workers["two_workers_times_one"]
    return (
        f"`workers=2` on {workers['texts']:,} texts: ×{gain['median']:.2f} of one worker"
        f" ({gain['low']:.2f} to {gain['high']:.2f})."
    )


def pictures(content: dict[str, Any]) -> dict[str, str]:
    """Draw bars of texts per second on news paragraphs."""
    rows = content["results"]["one_core"]["news"]["rows"]
    chosen = [
        ("bundled model", "minilm-en-small", True),
        ("bundled model, first pass", "minilm-en-small, first pass", True),
        ("damped mean (default)", "ours int8, damped", True),
        ("damped mean, first pass", "ours int8, damped, first pass", True),
        ("plain mean", "ours int8", True),
        ("plain mean, first pass", "ours int8, first pass", True),
        ("model2vec, float32", "model2vec float32", False),
        ("model2vec, int8", "model2vec int8", False),
        ("StaticEmbedding", "sentence-transformers", False),
        ("WordLlama", "WordLlama", False),
        ("the transformer", "transformer", False),
    ]
    shown = [
        (
            label,
            rows[name]["texts_per_second"],
            _cell(rows[name]),
            drawing.OURS if own else drawing.PEER,
        )
        for label, name, own in chosen
        if name in rows
    ]
    title = "News paragraphs a second on one core (× model2vec)"
    return {"speed.svg": drawing.bars(title, [(title, shown)])}
