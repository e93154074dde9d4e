"""Fill the figures in the card of the bundled model and in the docs, and draw its chart.

python benchmarks/bundled.py           write
python benchmarks/bundled.py --check   exit 1 if a page or the chart differs

Scores come from results/bundled.json, which bundled_scores.py writes. The facts and the examples of
limits come from the model.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import drawing
import intervals
from columns import COLUMNS, Column
from harness import commits_of, load
from pages import PAGES, PICTURES, fill, settle

from staticemb_runtime import StaticModel
from staticemb_runtime.format import read
from staticemb_runtime.loading import DEFAULT_FILE, DEFAULT_MODEL

FILE = Path(DEFAULT_FILE)
CARD = FILE.with_suffix(".md")
Results = dict[str, Any]

TASKS = {
    "STS-B, test": COLUMNS["STS-B"],
    "STS-B, dev": Column("sts/stsb-en-dev"),
    "SICK": COLUMNS["SICK"],
    "word similarity, 7 sets": COLUMNS["words"],
    "MRPC": Column("pairs/mrpc-test"),
    "Banking77": COLUMNS["Banking77"],
    "CLINC150": Column("classification/clinc150"),
    "SST-2": COLUMNS["SST-2"],
    "AG News": Column("clustering/agnews-test"),
    "NFCorpus": COLUMNS["NFCorpus"],
    "NFCorpus, with BM25": COLUMNS["NFCorpus + BM25"],
    "Cranfield": COLUMNS["Cranfield"],
    "Cranfield, with BM25": COLUMNS["Cranfield + BM25"],
}
LANGUAGES = {
    "German": "de",
    "Spanish": "es",
    "French": "fr",
    "Japanese": "ja",
    "Russian": "ru",
    "Chinese": "zh",
}
SHOWN = (
    "STS-B, test",
    "SICK",
    "word similarity, 7 sets",
    "NFCorpus",
    "NFCorpus, with BM25",
    "Cranfield",
    "Cranfield, with BM25",
    "Banking77",
    "SST-2",
)
CHARTED = {
    "STS-B, test": "Similarity: STS Benchmark, Spearman × 100",
    "NFCorpus": "Search: NFCorpus, NDCG@10 × 100",
    "Banking77": "Classification: Banking77, accuracy × 100",
}
WORD_COUNTS = ("bm25", "tfidf")
LABELS = {DEFAULT_MODEL: "bundled model", "bm25": "BM25", "tfidf": "TF-IDF"}
LIMITS = {
    "negation": ("The door is open.", "The door is not open."),
    "word order": ("The dog bites the man.", "The man bites the dog."),
    "another language": ("The weather is nice today.", "Das Wetter ist heute schön."),
    "for comparison, a paraphrase": ("The weather is nice today.", "It is a lovely day outside."),
}


def main() -> int:
    """Write the card, the pages and the chart; with --check, compare them with the files."""
    content = load("bundled")
    wanted = {page: page.read_text(encoding="utf-8") for page in (CARD, *PAGES)}
    for name, body in sections(content).items():
        wanted = {page: fill(text, name, body) for page, text in wanted.items()}
    return settle({**wanted, PICTURES / "bundled.svg": chart(content["results"])})


def facts() -> str:
    """List the facts of the model file: shape, pooling, teacher, digest."""
    file = read(FILE)
    meta = file.metadata
    rows, dim = file.embeddings.shape
    prefixes = ", ".join(map(str, meta.prefixes))
    lines = [
        f"- {rows:,} tokens × {dim} dimensions, {file.embeddings.dtype}; "
        f"{FILE.stat().st_size / 1e6:.1f} MB on disk, memory-mapped",
        f"- lengths to cut vectors to: {prefixes}",
        f"- pooling `{meta.pooling}`, β = {meta.damping_beta:g}, k = {meta.damping_dims}",
        f"- teacher `{meta.extra['teacher']}`, content {meta.extra['teacher_revision']}",
        f"- fitted to the teacher's vectors of {int(meta.extra['x-fit-texts']):,} texts",
        f"- made by {meta.extra['creator']}",
        f"- {meta.digest}",
    ]
    return "\n".join(lines)


def _note(content: Results, tasks: Mapping[str, Column]) -> str:
    """Name the widest interval and, where the results hold them, the commit and the day."""
    results = content["results"]
    widest = intervals.sentence(_ends(results["scores"], tasks), results["resamples"])
    versions = ("numpy", "model2vec", "wordllama")
    made = drawing.machine(content, *versions) if commits_of(content) else ""
    return f"{widest}{made}".rstrip()


def _ends(scores: Sequence[Results], tasks: Mapping[str, Column]) -> Iterator[tuple[float, float]]:
    """Yield the interval of each cell; of a mean of tasks a wider one: the means of their ends."""
    for column in tasks.values():
        cells: dict[str, list[Results]] = {}
        for score in scores:
            if column.shows(score["task"], score["metric"], main=score["main"]):
                cells.setdefault(score["model"], []).append(score)
        for found in cells.values():
            low, high = (statistics.fmean(each[end] for each in found) for end in ("low", "high"))
            yield low, high


def chart(content: Results) -> str:
    """Draw bars for the tasks in `CHARTED`, each with the models that can do the task."""
    groups = []
    for task, title in CHARTED.items():
        values = {model: TASKS[task].mean(content["scores"], model) for model in _models(content)}
        rows = [
            (LABELS.get(model, model), value, f"{value:.1f}", _color(model))
            for model, value in values.items()
            if value is not None and not (model in WORD_COUNTS and task == "STS-B, test")
        ]
        groups.append((title, rows))
    return drawing.bars("Quality of the bundled model and its peers", groups)


def _named(model: str) -> str:
    """Return a model's name in a table: BM25 and TF-IDF are spelled as everywhere."""
    return LABELS[model] if model in WORD_COUNTS else model


def _color(model: str) -> str:
    return drawing.OURS if model == DEFAULT_MODEL else drawing.PEER


def against(content: Results) -> str:
    """Return a table of differences from the peers on single tasks, with 95 % intervals."""
    titles = {column.tasks: title for title, column in TASKS.items() if column.metric is None}
    lines = ["| task | against | difference | 95 % interval |", "|---|---|---:|---:|"]
    lines += [
        f"| {titles[row['of']]} | {_named(row['baseline'])} | {row['value']:+.1f} "
        f"| {row['low']:+.1f} to {row['high']:+.1f} |"
        for row in content["differences"]
        if row["of"] in titles
    ]
    return "\n".join(lines)


def limits() -> str:
    """Return a table of the model's cosines for pairs of sentences that show its limits."""
    model = StaticModel.load()
    lines = ["| | a | b | cosine |", "|---|---|---|---:|"]
    for title, (a, b) in LIMITS.items():
        vectors = model.encode([a, b])
        cosine = float(model.similarity(vectors[0], vectors[1])[0, 0])
        lines.append(f"| {title} | {a} | {b} | {cosine:.2f} |")
    return "\n".join(lines)


def _translations() -> dict[str, Column]:
    return {
        f"STS-B, test, in {name}": Column(f"sts/stsb-{k}-test") for name, k in LANGUAGES.items()
    }


def _table(content: Results, tasks: dict[str, Column]) -> str:
    models = _models(content)
    heads = [_named(model) for model in models]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(models)]
    for title, column in tasks.items():
        values = (column.mean(content["scores"], model) for model in models)
        cells = ["–" if value is None else f"{value:.1f}" for value in values]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    sizes = [content["models"][model].get("bytes") for model in models]
    shown = [f"{size / 1e6:.1f}" if size else "–" for size in sizes]
    lines.append("| MB on disk | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _models(content: Results) -> list[str]:
    return [DEFAULT_MODEL, *content["baseline"]]


def sections(content: Results) -> dict[str, str]:
    """Return the generated blocks of the card and the pages, by name.

    Args:
        content: What bundled_scores.py saved.
    """
    results = content["results"]
    every, shown = {**TASKS, **_translations()}, {task: TASKS[task] for task in SHOWN}
    return {
        "bundled facts": facts(),
        "bundled scores": f"{_table(results, every)}\n\n{_note(content, every)}",
        "bundled short": f"{_table(results, shown)}\n\n{_note(content, shown)}",
        "bundled differences": against(results),
        "bundled limits": limits(),
    }


if __name__ == "__main__":
    sys.exit(main())
