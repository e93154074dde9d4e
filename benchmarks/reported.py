"""Figures that others report for models whose weights are not measured here.

Each has its source and date. Their tasks are not those of our tables, so each stands beside a model
from the same source.
"""

from __future__ import annotations

from dataclasses import dataclass

import drawing


@dataclass(frozen=True)
class Source:
    """A publication: its title, address and date."""

    title: str
    address: str
    date: str


@dataclass(frozen=True)
class Reported:
    """One figure of a model, times 100, and the same figure of another model."""

    model: str
    task: str
    value: float
    other: str
    other_value: float
    source: Source


MODEL2VEC = Source(
    "model2vec, results",
    "https://github.com/MinishLab/model2vec/blob/main/results/README.md",
    "2026-03-24",
)
BEKKO = Source(
    "HAKARI-Bench, results of bekko-static-embedding",
    "https://huggingface.co/datasets/hakari-bench/results/discussions/37",
    "before 2026-09-14",
)
NIFE = Source("pynife, benchmarks", "https://github.com/stephantulkens/pynife", "2025-11-03")
MINILM, LABSE, E5 = "all-MiniLM-L6-v2", "LaBSE", "multilingual-e5-small"
MULTILINGUAL = {
    "potion-multilingual-128M": {"STS": 61.23, "retrieval": 37.86, "bitext": 40.72},
    "static-similarity-mrl-multilingual-v1": {"STS": 64.02, "retrieval": 41.21, "bitext": 50.62},
}
LABSE_FIGURES = {"STS": 65.35, "retrieval": 33.17, "bitext": 76.35}
FIGURES = (
    Reported("potion-base-8M", "MTEB, STS", 72.91, MINILM, 78.95, MODEL2VEC),
    Reported("potion-base-32M", "MTEB, STS", 73.93, MINILM, 78.95, MODEL2VEC),
    Reported("potion-base-8M", "MTEB, retrieval", 31.11, MINILM, 42.92, MODEL2VEC),
    Reported("potion-base-32M", "MTEB, retrieval", 32.67, MINILM, 42.92, MODEL2VEC),
    Reported("potion-retrieval-32M", "MTEB, retrieval", 35.06, MINILM, 42.92, MODEL2VEC),
    Reported("static-retrieval-mrl-en-v1", "MTEB, retrieval", 34.95, MINILM, 42.92, MODEL2VEC),
    *(
        Reported(model, f"MMTEB, {task}", value, LABSE, LABSE_FIGURES[task], MODEL2VEC)
        for model, tasks in MULTILINGUAL.items()
        for task, value in tasks.items()
    ),
    Reported("bekko-static-embedding-v1", "MNanoBEIR, 14 languages", 43.76, E5, 51.17, BEKKO),
    Reported("bekko-static-embedding-v1", "MNanoBEIR, 14 languages", 43.76, "BM25", 46.46, BEKKO),
    Reported(
        "NIFE-mxbai-embed-large-v1, queries alone",
        "NanoBEIR, mean of 13",
        59.17,
        "mxbai-embed-large-v1",
        65.68,
        NIFE,
    ),
)
WITHOUT_FIGURE = (
    "blink-8M: its [card](https://huggingface.co/minishlab/blink-8M) calls it better than "
    "potion-base-8M on every task; its figures could not be read here."
)


def section() -> str:
    """Return the table of figures with their sources."""
    sources = list(dict.fromkeys(each.source for each in FIGURES))
    body = [
        [
            each.model,
            each.task,
            str(sources.index(each.source) + 1),
            f"{each.value:.1f}",
            f"{each.other} {each.other_value:.1f}",
            f"{each.value / each.other_value:.0%}",
        ]
        for each in FIGURES
    ]
    heads = ["reported by others", "task", "source", "figure", "beside", "share"]
    listed = [
        f"Source {number}: [{source.title}]({source.address}), {source.date}."
        for number, source in enumerate(sources, 1)
    ]
    return "\n\n".join([drawing.table(heads, body, 3), " ".join(listed), WITHOUT_FIGURE])
