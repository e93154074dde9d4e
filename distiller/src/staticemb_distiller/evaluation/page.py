"""The report as one HTML page that needs no other file: tables, and charts as inlined SVG.

`page.html.jinja` is the template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import charts
from .drawing import MARKERS, printable
from .report import method
from .tables import COST, TITLES, Figures, label, rows, summary, tables
from .templates import PageTable, rendered, row, safe

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
        resamples=f"{results.resamples:,}" if results.resamples > 0 else "",
        against=", ".join(results.baseline),
        models=[_model(results, name) for name in (*charts.series(results), *results.baseline)],
        summary=_summary(results),
        tables=[(each[0], _table(each)) for each in tables(results)[1:]],
        differences=_differences(results, compared) if compared else None,
        method=method(results),
    )


def _lead(results: Results) -> str:
    against = ", ".join(results.baseline)
    models = _count(len(charts.series(results)), "model")
    return f"{models} on {_count(len(results.tasks), 'task')}" + (
        f", compared with {against}." if against else "."
    )


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


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


def _summary(results: Results) -> PageTable:
    _, header, body = summary(results)
    means = [cells[1 : len(cells) - len(COST)] for cells in body]
    best = [_highest(column) for column in zip(*means, strict=True)]
    shown = []
    for (model, _), cells, figures in zip(rows(results), body, means, strict=True):
        bold = [
            at
            for at, (cell, most) in enumerate(zip(figures, best, strict=True), 1)
            if most is not None and _value(cell) == most
        ]
        shown.append(row(cells, bold, baseline=model in results.baseline))
    return header, shown, 1


def _value(cell: str) -> str:
    return cell.partition(" ")[0]


def _highest(cells: Sequence[str]) -> str | None:
    """Return the highest figure of a column, as written; None for a column of one row."""
    known = [_value(cell) for cell in cells if cell != "–"]
    return max(known, key=float) if len(cells) > 1 and known else None


def _table(figures: Figures) -> PageTable:
    _, header, body = figures
    return header, [row(cells) for cells in body], 2 if header[1] == "metric" else 1


def _differences(results: Results, compared: Sequence[Mapping[str, Any]]) -> PageTable:
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
