"""Tables of a report: names of rows, formats of figures, and the rows of each table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .bitext_files import by_language
from .bootstrap import Difference
from .results import Results

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

TableRow = tuple[str, ...]
Figures = tuple[str, TableRow, list[TableRow]]
"""The title, the header and the rows."""


def rows(results: Results) -> list[tuple[str, int]]:
    """Return the rows of each table: every model at every prefix, the baselines last."""
    names = [name for name in results.models if name not in results.baseline]
    return [(n, p) for n in (*names, *results.baseline) for p in results.prefixes(n)]


def label(results: Results, model: str, prefix: int) -> str:
    """Return the name of a row: the model's name, and the prefix if vectors are truncated."""
    cut = prefix != results.facts[model].get("dimension", prefix)
    return f"{model} @ {prefix}" if cut or len(results.prefixes(model)) > 1 else model


def number(value: float) -> str:
    """Format a score for a table; a dash if it was not measured."""
    return "–" if math.isnan(value) else f"{value:.1f}"


def with_interval(value: float, interval: Difference | None) -> str:
    """Format a score with its 95 % interval, if there is one."""
    return number(value) + (
        f" ({interval.low:.1f} to {interval.high:.1f})" if interval and interval.resamples else ""
    )


def megabytes(size: float | None) -> str:
    """Format a size in units of 10^6 bytes; a dash if it is unknown."""
    return "–" if not size else f"{size / 1e6:.{1 if size < 1e8 else 0}f}"


def rate(facts: Mapping[str, Any]) -> str:
    """Format texts per second to two digits, with separators of thousands; a dash if unknown."""
    value = facts.get("texts_per_second")
    if not value:
        return "–"
    digits = max(0, math.floor(math.log10(value)) - 1)
    return f"{round(value / 10**digits) * 10**digits:,}"


def seconds(facts: Mapping[str, Any]) -> str:
    """Format the seconds of a model to two digits; a dash if they are unknown."""
    value = facts.get("seconds")
    return "–" if value is None else f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def cost(facts: Mapping[str, Any]) -> TableRow:
    """Format the columns of `COST` for a model."""
    sizes = (megabytes(facts.get("bytes")), megabytes(facts.get("memory")))
    return (*sizes, seconds(facts), rate(facts))


COST = ("MB", "MB in memory", "s", "texts/s")


def summary(results: Results) -> Figures:
    """Return the means of each kind of task, and what each model costs."""
    header = ("model", "mean", *(TITLES[kind] for kind in results.kinds), *COST)
    body = []
    for model, prefix in rows(results):
        means = (
            with_interval(results.mean(model, kind, prefix), results.interval(model, kind, prefix))
            for kind in (None, *results.kinds)
        )
        body.append((label(results, model, prefix), *means, *cost(results.facts[model])))
    return "Means", header, body


def by_task(results: Results) -> Figures:
    """Return every metric of the tasks, a task's main metric first, without those by language."""
    shown = rows(results)
    apart = {name for group in by_language(results.tasks).values() for name in group.values()}
    header = ("task", "metric", *(label(results, *row) for row in shown))
    metrics = dict.fromkeys(
        (task, s.metric)
        for task in results.tasks
        for s in results.scores
        if s.task == task and task not in apart
    )
    body: list[TableRow] = []
    for task, metric in metrics:
        cells = [
            with_interval(results.value(*at), results.interval(*at))
            for at in ((m, task, p, metric) for m, p in shown)
        ]
        body.append((task, metric, *cells))
    return "Tasks", header, body


def languages(results: Results) -> Iterator[Figures]:
    """Yield a table for each similarity task that exists in several languages."""
    shown = rows(results)
    for group, members in by_language(results.tasks).items():
        body: list[TableRow] = []
        for language, task in members.items():
            cells = (
                with_interval(results.value(m, task, p), results.interval(m, task, p))
                for m, p in shown
            )
            body.append((language, *cells))
        tasks = list(members.values())
        means = (
            with_interval(results.mean_of(m, tasks, p), results.interval_of(m, tasks, p))
            for m, p in shown
        )
        body.append(("mean", *means))
        header = ("language", *(label(results, *row) for row in shown))
        yield f"{group} by language", header, body


def shares(results: Results) -> Figures | None:
    """Return the share of the teacher's figures, in percent; None without a teacher."""
    teacher = results.teacher
    if teacher is None:
        return None
    shown = [row for row in rows(results) if row[0] != teacher]
    header = ("% of its figure", *(label(results, *row) for row in shown))
    body: list[TableRow] = []
    kinds = [kind for kind in results.kinds if len(results.tasks_of(kind)) > 1]
    for of in (*results.tasks, *kinds):
        differences = [results.share(m, teacher, of, p) for m, p in shown]
        cells = ("–" if each is None else with_interval(each.value, each) for each in differences)
        body.append((f"mean of {TITLES[of]}" if of in TITLES else of, *cells))
    return f"Share of {teacher}", header, body


def as_markdown(table: Figures) -> str:
    """Return a Markdown table; columns of figures are aligned to the right."""
    _, header, body = table
    figures = columns_of_figures(table)
    lines = [header, ["---:" if figure else "---" for figure in figures], *body]
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in lines)


def columns_of_figures(table: Figures) -> list[bool]:
    """Return which columns hold figures alone; the first holds names, even if they are numbers."""
    _, header, body = table
    return [i > 0 and all(_is_figure(row[i]) for row in body) for i in range(len(header))]


_FIGURE = re.compile(r"|–|[-+]?[\d,.]+(e[-+]\d+)?( \(.*\))?")


def _is_figure(cell: str) -> bool:
    return _FIGURE.fullmatch(cell) is not None


def tables(results: Results) -> list[Figures]:
    """Return the tables of figures in the order of the report; the first is the summary."""
    others = [*languages(results), by_task(results), shares(results)]
    return [summary(results), *(table for table in others if table is not None and table[2])]
