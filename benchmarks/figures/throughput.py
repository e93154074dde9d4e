"""Texts per second beside the peers: a table and the README's first picture."""

from typing import Any

import drawing

KINDS = {"titles": "short titles", "news": "news paragraphs", "posts": "long posts"}
ORDER = (
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
)


def section(content: dict[str, Any]) -> str:
    """A row for each contestant, a column for each length of text."""
    results = content["results"]["one_core"]
    heads = [
        f"{label} ({results[kind]['tokens'] / results[kind]['texts']:.0f} tokens)"
        for kind, label in KINDS.items()
    ]
    body = []
    for name in ORDER:
        cells = []
        for kind in KINDS:
            row = results[kind]["rows"][name]
            times = row["times_model2vec"]
            cells.append(f"{row['texts_per_second']:,} (×{times['median']:.1f})")
        body.append([name, *cells])
    note = (
        "\nTexts per second; in brackets the ratio to model2vec float32 in the same run, median of "
    )
    note += f"{content['results']['repetitions']} interleaved repetitions. "
    workers = content["results"].get("workers")
    if workers:
        gain = workers["two_workers_times_one"]
        note += f"`workers=2` on {workers['texts']:,} texts: ×{gain['median']:.2f} of one worker"
        note += f" ({gain['low']:.2f} to {gain['high']:.2f}). "
    packages = ("numpy", "tokenizers", "model2vec", "sentence-transformers")
    return (
        drawing.table(["one core, table 29,525 × 256", *heads], body)
        + "\n"
        + note
        + drawing.machine(content, *packages)
    )


def pictures(content: dict[str, Any]) -> dict[str, str]:
    """Bars of texts per second on news paragraphs."""
    rows = content["results"]["one_core"]["news"]["rows"]
    chosen = [
        ("ours, int8", "ours int8", True),
        ("ours, int8, damped pooling", "ours int8, damped", True),
        ("ours, int8, first pass", "ours int8, first pass", True),
        ("model2vec, float32", "model2vec float32", False),
        ("model2vec, int8", "model2vec int8", False),
        ("StaticEmbedding", "sentence-transformers", False),
    ]
    shown = [
        (label, rows[name]["texts_per_second"], f"{rows[name]['texts_per_second']:,}", own)
        for label, name, own in chosen
    ]
    return {"speed.svg": drawing.bars("Texts per second, news paragraphs, one core", shown)}
