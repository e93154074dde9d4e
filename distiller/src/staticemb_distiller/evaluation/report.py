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
from .record import plain, suite_digest
from .results import Results, Score
from .scoring import SETTINGS

TITLES = {
    "sts": "Similarity",
    "wordsim": "Words",
    "pairs": "Pairs",
    "classification": "Classification",
    "clustering": "Clustering",
    "retrieval": "Retrieval",
    "bitext": "Bitext",
}
"""Headings of the kinds of task."""

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


def rows(results: Results) -> list[tuple[str, int]]:
    """Return the rows of each table: every model at every prefix, the baselines last."""
    names = [name for name in results.models if name not in results.baseline]
    return [(n, p) for n in (*names, *results.baseline) for p in results.prefixes(n)]


def label(results: Results, model: str, prefix: int) -> str:
    """Return the name of a row: the model's name, and the prefix if vectors are truncated."""
    cut = prefix != results.facts[model].get("dimension", prefix)
    return f"{model} @ {prefix}" if cut or len(results.prefixes(model)) > 1 else model


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


def number(value: float) -> str:
    """Format a score for a table; a dash if it was not measured."""
    return "–" if math.isnan(value) else f"{value:.1f}"


def megabytes(facts: Mapping[str, Any]) -> str:
    """Format a model's size in units of 10^6 bytes; a dash if it is unknown."""
    size = facts.get("bytes")
    return "–" if not size else f"{size / 1e6:.{1 if size < 1e8 else 0}f}"


def rate(facts: Mapping[str, Any]) -> str:
    """Format texts per second to two digits, with separators of thousands; a dash if unknown."""
    value = facts.get("texts_per_second")
    if not value:
        return "–"
    digits = max(0, math.floor(math.log10(value)) - 1)
    return f"{round(value / 10**digits) * 10**digits:,}"


def markdown(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the report as Markdown: means, tasks, differences and the method."""
    blocks = [
        "# Evaluation",
        "Each figure is the metric times 100; a mean is over the tasks below.",
        *([results.note] if results.note else []),
    ]
    blocks += [summary(results), "## Tasks"]
    shown = rows(results)
    header = ["task", "metric", *(label(results, *row) for row in shown)]
    body = []
    for task, metric in _metrics(results):
        values = [number(results.value(m, task, p, metric)) for m, p in shown]
        body.append([task, metric, *values])
    blocks.append(_table(header, body))
    if compared:
        blocks.append("## Differences")
        blocks.append("With the 95 % interval of a paired bootstrap over each task's examples.")
        body = [
            [
                label(results, d["model"], d["prefix"]),
                d["baseline"],
                d["of"],
                f"{d['value']:+.1f}",
                f"{d['low']:+.1f} … {d['high']:+.1f}",
            ]
            for d in compared
        ]
        blocks.append(_table(["model", "against", "of", "difference", "interval"], body))
    blocks.append("## How it was measured")
    blocks.append("\n".join(f"- {line}" for line in method(results)))
    return "\n\n".join(blocks) + "\n"


def summary(results: Results) -> str:
    """Return the table of means, as Markdown."""
    header = ["model", "mean", *(TITLES[kind] for kind in results.kinds), "MB", "texts/s"]
    body = []
    for model, prefix in rows(results):
        facts = results.facts[model]
        kinds = [number(results.mean(model, kind, prefix)) for kind in results.kinds]
        mean = number(results.mean(model, None, prefix))
        name = label(results, model, prefix)
        body.append([name, mean, *kinds, megabytes(facts), rate(facts)])
    return _table(header, body)


def method(results: Results) -> list[str]:
    """Return lines that describe the method: metrics, settings and models."""
    lines = [
        f"staticemb-distiller {__version__}; suite {suite_digest(results.files)[:16]}",
        "Vectors are cut to the prefix and set to unit length; similarity is the cosine.",
    ]
    lines += [f"{TITLES[kind]}: {METRICS[kind]}." for kind in results.kinds]
    settings = ", ".join(f"{key} = {value}" for key, value in SETTINGS.items())
    lines.append(f"Settings: {settings}.")
    for name, facts in results.facts.items():
        known = ", ".join(
            f"{key} = {plain(value)}"
            for key, value in facts.items()
            if value is not None and key not in {"bytes", "texts_per_second"}
        )
        lines.append(f"{name}: {known}.")
    if any(facts.get("texts_per_second") for facts in results.facts.values()):
        lines.append(
            f"Texts per second: on this machine ({platform.machine()}, {os.cpu_count()} cores), "
            "texts of these tasks that each model has seen before, whole vectors, as many threads "
            "as it takes by itself; a rough figure."
        )
    return lines


def _metrics(results: Results) -> list[tuple[str, str]]:
    """Return the task and metric of each row in the table of tasks, a task's main metric first."""
    metrics: dict[tuple[str, str], None] = {}
    for task in results.tasks:
        for s in results.scores:
            if s.task == task:
                metrics[task, s.metric] = None
    return list(metrics)


def _table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; columns of figures are aligned to the right."""
    figures = [all(_is_figure(row[i]) for row in body) for i in range(len(header))]
    lines = [header, ["---:" if figure else "---" for figure in figures], *body]
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in lines)


def _is_figure(cell: str) -> bool:
    return cell == "–" or cell.replace(",", "").replace(".", "").lstrip("+-").isdecimal()
