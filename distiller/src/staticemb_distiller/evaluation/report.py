"""The report as Markdown: tables of scores, differences from the baselines, and the method."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..version import __version__
from .bootstrap import Difference, interval
from .memory import MEMORY_TEXTS
from .record import plain, suite_digest
from .results import Results, Score
from .scoring import SETTINGS
from .tables import TITLES, TableRow, as_markdown, label, rows, tables

METRICS = {
    "sts": "Spearman of cosine",
    "wordsim": "Spearman of cosine",
    "pairs": "average precision",
    "classification": "accuracy of a logistic probe",
    "clustering": "V-measure of k-means",
    "retrieval": "NDCG@10",
    "bitext": "accuracy, mean of both directions",
}
"""The main metric of each kind, as the report names it."""

_SETTINGS = {
    "classification": "The probe is a {probe}, C = {probe_C:g}, of at most {probe_max_iter} "
    "iterations.",
    "clustering": "k-means has as many clusters as there are classes and at most "
    "{kmeans_max_iter} iterations; the figure is the mean of {kmeans_seeds} starts.",
    "retrieval": "The best {retrieval_depth} documents of a query are ranked; together with BM25, "
    "vectors have the weight {vector_weight:g}.",
}
_FACTS = {
    "kind": "%s",
    "dimension": "%s dimensions",
    "max_tokens": "the first %s tokens of a text",
    "precision": "%s",
    "pooling": "pooling %s",
    "digest": "%s",
    "teacher": "teacher %s",
    "address": "at %s",
    "sublinear_tf": "logarithms of the counts%.0s",  # the value, True, is not written
    "characters": "sequences of %s characters",
    "stop_words": "stop words %s",
    "zero_vectors": "%s texts without a known token",
}
_IN_TABLES = {"bytes", "memory", "seconds", "texts_per_second"}


def differences(results: Results, *, resamples: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    """Compare each model with each baseline, by task and by the mean of each kind.

    Baselines that were read from a report are left out, because they have no examples to resample.
    The mean of a kind is left out if one of the two models was not measured on all its tasks.

    Returns:
        One dictionary per comparison: `model`, `prefix`, `baseline`, `of` (a task's name or a
        kind), `value`, `low`, `high`, `resamples`.
    """

    def draw(score: Score | None) -> NDArray[np.float64] | None:
        return results.resampled(score, resamples, seed)

    comparisons = []
    models = [row for row in rows(results) if row[0] not in results.baseline]
    for base, (model, prefix), kind in product(results.baseline, models, results.kinds):
        tasks = [task for task in results.tasks if task.startswith(f"{kind}/")]
        each = []
        for task in tasks:
            ours, theirs = draw(results.score(model, task, prefix)), draw(results.score(base, task))
            if ours is not None and theirs is not None:
                value = results.value(model, task, prefix) - results.value(base, task)
                each.append((task, value, ours - theirs))
        if len(each) == len(tasks) > 1:
            value = math.fsum(value for _, value, _ in each) / len(each)
            each.append((kind, value, np.mean([spread for _, _, spread in each], axis=0)))
        for of, value, spread in each:
            comparisons.append(_row(model, prefix, base, of, interval(value, spread)))
    return comparisons


def _row(model: str, prefix: int, base: str, of: str, between: Difference) -> dict[str, Any]:
    return {
        "model": model,
        "prefix": prefix,
        "baseline": base,
        "of": of,
        "value": round(between.value, 4),
        "low": round(between.low, 4),
        "high": round(between.high, 4),
        "resamples": between.resamples,
    }


def markdown(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the report as Markdown: means, tasks, differences and the method."""
    blocks = [
        "# Evaluation",
        "Each figure is the metric times 100; a mean is over the tasks below." + _brackets(results),
        *([results.note] if results.note else []),
    ]
    first, *others = tables(results)
    blocks.append(as_markdown(first))
    for table in others:
        blocks += [f"## {table[0]}", as_markdown(table)]
    if compared:
        blocks.append("## Differences")
        blocks.append("With the 95 % interval of a paired bootstrap over each task's examples.")
        body: list[TableRow] = [
            (
                label(results, d["model"], d["prefix"]),
                d["baseline"],
                d["of"],
                f"{d['value']:+.1f}",
                f"{d['low']:+.1f} … {d['high']:+.1f}",
            )
            for d in compared
        ]
        header = ("model", "against", "of", "difference", "interval")
        blocks.append(as_markdown(("Differences", header, body)))
    blocks.append("## How it was measured")
    blocks.append("\n".join(f"- {line}" for line in method(results)))
    return "\n\n".join(blocks) + "\n"


def described(facts: Mapping[str, Any]) -> str:
    """Describe a model, without the figures that tables show.

    >>> described({"kind": "staticemb", "dimension": 192, "max_tokens": None, "bytes": 8_000_000})
    'staticemb, 192 dimensions'
    """
    shown = {k: v for k, v in facts.items() if v is not None and k not in _IN_TABLES}
    return ", ".join(
        _FACTS.get(k, k.replace("%", "%%") + " %s") % (_readable(v),) for k, v in shown.items()
    )


def _readable(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else plain(value)


def _brackets(results: Results) -> str:
    if results.resamples < 1:
        return ""
    return f" In brackets: 95 % intervals of {results.resamples:,} bootstrap samples."


def method(results: Results) -> list[str]:
    """Return lines that describe the method: metrics, settings and models."""
    lines = [
        f"staticemb-distiller {__version__}; suite {suite_digest(results.files)[:16]}",
        "Vectors are cut to the prefix and set to unit length; similarity is the cosine.",
    ]
    lines += [f"{TITLES[kind]}: {METRICS[kind]}." for kind in results.kinds]
    settings = {**SETTINGS, "kmeans_seeds": len(SETTINGS["kmeans_seeds"])}
    lines += [line.format(**settings) for kind, line in _SETTINGS.items() if kind in results.kinds]
    lines += [f"{name}: {described(facts)}." for name, facts in results.facts.items()]
    if any("seconds" in facts for facts in results.facts.values()):
        lines.append(
            f"Texts per second: on this machine ({platform.machine()}, {os.cpu_count()} cores), "
            "texts of these tasks that each model has seen before, whole vectors, as many threads "
            "as it takes by itself; a rough figure. Seconds: embedding the texts of all tasks, or, "
            "for word counts, counting and ranking. MB in memory: what opening the model and "
            f"embedding {MEMORY_TEXTS} texts, or, for word counts, counting the words of the task "
            "with the most texts, adds to a process that has numpy, scipy and scikit-learn."
        )
    return lines
