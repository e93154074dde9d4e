"""The report as one HTML page that needs no other file: tables, and charts as inlined SVG.

`page.html.jinja` is the template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import charts
from .drawing import MARKERS, printable
from .report import TITLES, label, megabytes, method, number, rate, rows
from .templates import Table, rendered, row, safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .results import Results

_MARKS = dict(zip(MARKERS, "●■▲◆▼", strict=True))


def html(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the page.

    Args:
        results: The results.
        compared: The differences from `report.differences`.
    """
    kinds = [None, *results.kinds] if len(results.kinds) > 1 else results.kinds
    drawn = {kind: charts.prefixes(results, kind) for kind in kinds}
    return rendered(
        __package__,
        "page.html.jinja",
        speed={
            name: safe(charts.speed(results, width) or "")
            for name, width in (("wide", charts.WIDE), ("narrow", charts.WIDTH))
        },
        by_length=[safe(chart) for chart in drawn.values() if chart],
        by_task=[safe(charts.bars(results, kind)) for kind in results.kinds],
        lead=_lead(results),
        note=results.note,
        against=", ".join(results.baseline),
        models=[_model(results, name) for name in (*charts.series(results), *results.baseline)],
        summary=_summary(results),
        tasks=_tasks(results),
        differences=_differences(results, compared) if compared else None,
        method=method(results),
    )


def _lead(results: Results) -> str:
    against = ", ".join(results.baseline)
    models = _count(len(charts.series(results)), "model")
    return f"{models} on {_count(len(results.tasks), 'task')}" + (
        f", compared with {against}." if against else "."
    )


def _count(number_of: int, thing: str) -> str:
    return f"{number_of} {thing}" + ("" if number_of == 1 else "s")


def _model(results: Results, name: str) -> dict[str, Any]:
    """Return the color, marker and line of a model, for the legends."""
    color = charts.color_number(results, name)
    return {
        "name": printable(name),
        "color": "ink" if color is None else f"c{color}",
        "mark": "" if color is None else _MARKS[charts.marker(results, name)],
        "line": charts.level_style(results, name),
        "baseline": name in results.baseline,
        "level": charts.is_level(results, name),
    }


def _summary(results: Results) -> Table:
    kinds = [None, *results.kinds] if len(results.kinds) > 1 else results.kinds
    header = ["model", *("mean" if k is None else TITLES[k] for k in kinds), "MB", "texts/s"]
    shown = rows(results)
    values = [[number(results.mean(m, k, p)) for k in kinds] for m, p in shown]
    best = _best(values)
    body = []
    for (model, prefix), figures in zip(shown, values, strict=True):
        facts = results.facts[model]
        cells = [label(results, model, prefix), *figures, megabytes(facts), rate(facts)]
        bold = [
            at for at, pair in enumerate(zip(figures, best, strict=True), 1) if len({*pair}) < 2
        ]
        body.append(row(cells, bold, baseline=model in results.baseline))
    return header, body, 1


def _best(columns: Sequence[Sequence[str]]) -> list[str]:
    """Return the highest figure of each column, as written; empty if there is one row."""
    if len(columns) < 2:
        return ["" for _ in (columns[0] if columns else ())]
    return [
        max((c for c in column if c != "–"), key=float, default="")
        for column in zip(*columns, strict=True)
    ]


def _tasks(results: Results) -> Table:
    shown = rows(results)
    header = ["task", "metric", *(label(results, *each) for each in shown)]
    metrics = dict.fromkeys((s.task, s.metric) for s in results.scores)
    order = {task: i for i, task in enumerate(results.tasks)}
    body = [
        row([t, metric, *(number(results.value(m, t, p, metric)) for m, p in shown)])
        for t, metric in sorted(metrics, key=lambda key: order[key[0]])
    ]
    return header, body, 2


def _differences(results: Results, compared: Sequence[Mapping[str, Any]]) -> Table:
    body = [
        row(
            [
                label(results, d["model"], d["prefix"]),
                d["baseline"],
                TITLES.get(d["of"], d["of"]),
                f"{d['value']:+.1f}",
                f"{d['low']:+.1f} … {d['high']:+.1f}",
            ],
            [3] if d["low"] > 0 or d["high"] < 0 else [],
        )
        for d in compared
    ]
    return ["model", "against", "of", "difference", "95 % interval"], body, 3
