"""The report as one HTML page that needs nothing beside itself: tables, and drawings in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from . import charts
from .report import TITLES, label, megabytes, method, number, rate, rows
from .run import Results

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #59636e; --rule: #d7dce1;
  --panel: #f6f8fa; --c0: #0b62b5; --c1: #c2410c; --c2: #0f7b5f; --c3: #8b2fa8; --c4: #8f5b00;
  --c5: #b3234f; --c6: #0b7285; --c7: #57534e; }
@media (prefers-color-scheme: dark) { :root { --paper: #12161b; --ink: #e8ebee; --soft: #a3adb7;
  --rule: #343c45; --panel: #1a2027; --c0: #6db3f8; --c1: #fb9a63; --c2: #4fd1ab; --c3: #d59bf0;
  --c4: #e5c04b; --c5: #f58cab; --c6: #5cd0e6; --c7: #b8b2ac; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 72rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { max-width: 46rem; margin: .25rem 0 .75rem; color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--rule); text-align: right;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; } td.name, th.name { text-align: left; }
th.name:first-child, td.name:first-child { padding-left: 0; }
p.note { border-left: 3px solid var(--soft); padding-left: .75rem; }
tr.baseline td { color: var(--soft); } td.best { font-weight: 700; }
td.clear { font-weight: 600; }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0;
  margin: .25rem 0 .75rem; font-size: .9rem; } ul.legend li { display: flex; align-items: center;
  gap: .4rem; } svg.swatch { width: auto; height: 14px; flex: none; }
.grid-of-charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem),
  1fr)); gap: 1.5rem 2rem; align-items: start; } .grid-of-charts svg { max-width: 26rem; }
svg { display: block; width: 100%; height: auto; font-size: 12px; overflow: visible; }
svg text { fill: var(--ink); font-family: inherit; } svg .tick, svg .axis, svg .value {
  fill: var(--soft); } svg .heading { font-size: 14px; font-weight: 600; }
svg .label { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
svg .value { font-size: 11px; } .grid { stroke: var(--rule); } .axis-line { stroke: var(--soft); }
.leader { stroke: var(--soft); stroke-width: .75; } .ink { fill: var(--ink); }
.bubble { fill-opacity: .75; stroke: var(--paper); } .line { fill: none; stroke-width: 2; }
.base { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 6 3; } .base1 {
  stroke-dasharray: 2 3; } .base2 { stroke-dasharray: 9 3 2 3; } .over { stroke-dasharray: none;
  stroke-width: 2; } .over.base1 { stroke-dasharray: 3 2; } .over.base2 { stroke-dasharray: 6 2; }
.narrow { display: none; } @media (max-width: 45rem) { .wide { display: none; } .narrow {
  display: block; } }
details { margin-top: .75rem; } summary { cursor: pointer; } li { color: var(--soft); }
li { overflow-wrap: anywhere; }
""" + "".join(
    f".fill{i} {{ fill: var(--c{i}); }} .stroke{i} {{ stroke: var(--c{i}); }}\n" for i in range(8)
)


def html(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> str:
    """The page."""
    models = len(charts.series(results))
    against = ", ".join(results.baseline)
    lead = f"{_count(models, 'model')} on {_count(len(results.tasks), 'task')}" + (
        f", compared with {against}." if against else "."
    )
    parts = [
        "<h1>Evaluation</h1>",
        f"<p>{escape(lead)} Each figure is a metric times 100; higher is better.</p>",
        f'<p class="note">{escape(results.note)}</p>' if results.note else "",
        _summary(results),
        _speed(results),
        _prefixes(results),
        _bars(results),
        _tasks(results),
        _differences(results, compared),
        "<h2>How it was measured</h2>",
        "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in method(results)) + "</ul>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _count(number_of: int, thing: str) -> str:
    return f"{number_of} {thing}" + ("" if number_of == 1 else "s")


def _table(header: Sequence[str], body: Sequence[str], names: int = 1) -> str:
    head = "".join(
        f'<th scope="col"{_name(i < names)}>{escape(cell)}</th>' for i, cell in enumerate(header)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _name(yes: bool) -> str:
    return ' class="name"' if yes else ""


def _row(cells: Sequence[str], bold: Sequence[bool] = (), names: int = 1, style: str = "") -> str:
    shown = []
    for i, cell in enumerate(cells):
        best = ' class="best"' if i < len(bold) and bold[i] else ""
        shown.append(f"<td{_name(i < names) or best}>{escape(cell)}</td>")
    return f"<tr{style}>{''.join(shown)}</tr>"


def _summary(results: Results) -> str:
    kinds = [None, *results.kinds] if len(results.kinds) > 1 else list(results.kinds)
    header = ["model", *("mean" if k is None else TITLES[k] for k in kinds), "MB", "texts/s"]
    shown = rows(results)
    values = [[number(results.mean(m, k, p)) for k in kinds] for m, p in shown]
    best = _best(values)
    body = []
    for (model, prefix), figures in zip(shown, values, strict=True):
        facts = results.facts[model]
        base = model in results.baseline
        bold = [False, *(f == b for f, b in zip(figures, best, strict=True))]
        cells = [label(results, model, prefix), *figures, megabytes(facts), rate(facts)]
        body.append(_row(cells, bold, style=' class="baseline"' if base else ""))
    return _table(header, body)


def _best(columns: Sequence[Sequence[str]]) -> list[str]:
    """The highest figure of each column, as it is written; none where there is one row."""
    if len(columns) < 2:
        return ["" for _ in (columns[0] if columns else ())]
    return [
        max((c for c in column if c != "–"), key=float, default="")
        for column in zip(*columns, strict=True)
    ]


def _legend(results: Results, as_line: bool) -> str:
    names = [*charts.series(results), *results.baseline]
    items = (
        f"<li>{charts.swatch(results, name, as_line)}<span>{escape(name)}</span></li>"
        for name in names
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _speed(results: Results) -> str:
    wide, narrow = charts.speed(results, 720), charts.speed(results, charts.WIDTH)
    if wide is None or narrow is None:
        return ""
    return (
        "<h2>Quality and speed</h2><p>Up is better, right is faster; a bubble's area is the "
        "model's megabytes. Speed is logarithmic.</p>"
        f'<div class="wide" style="max-width: 52rem">{wide}</div><div class="narrow">{narrow}</div>'
    )


def _prefixes(results: Results) -> str:
    kinds = [None, *results.kinds] if len(results.kinds) > 1 else list(results.kinds)
    drawn = [each for kind in kinds if (each := charts.prefixes(results, kind))]
    if not drawn:
        return ""
    return (
        "<h2>Quality and length</h2><p>What is left when the vectors are cut to a prefix.</p>"
        f"{_legend(results, True)}"
        f'<div class="grid-of-charts">{"".join(f"<div>{each}</div>" for each in drawn)}</div>'
    )


def _bars(results: Results) -> str:
    drawn = [charts.bars(results, kind) for kind in results.kinds]
    against = (
        " The upright line, and the figure above the others, is "
        + ", ".join(results.baseline)
        + "."
        if results.baseline
        else ""
    )
    return (
        f"<h2>Task by task</h2><p>Whole vectors.{escape(against)}</p>{_legend(results, False)}"
        f'<div class="grid-of-charts">{"".join(f"<div>{each}</div>" for each in drawn)}</div>'
    )


def _tasks(results: Results) -> str:
    shown = rows(results)
    header = ["task", "metric", *(label(results, *row) for row in shown)]
    metrics = dict.fromkeys((s.task, s.metric) for s in results.scores)
    order = {task: i for i, task in enumerate(results.tasks)}
    body = [
        _row([t, metric, *(number(results.value(m, t, p, metric)) for m, p in shown)], names=2)
        for t, metric in sorted(metrics, key=lambda key: order[key[0]])
    ]
    return f"<details><summary>All figures</summary>{_table(header, body, 2)}</details>"


def _differences(results: Results, compared: Sequence[Mapping[str, Any]]) -> str:
    if not compared:
        return ""
    body = [
        _row(
            [
                label(results, d["model"], d["prefix"]),
                d["baseline"],
                TITLES.get(d["of"], d["of"]),
                f"{d['value']:+.1f}",
                f"{d['low']:+.1f} … {d['high']:+.1f}",
            ],
            [False, False, False, d["low"] > 0 or d["high"] < 0],
            names=3,
        )
        for d in compared
    ]
    table = _table(["model", "against", "of", "difference", "95 % interval"], body, 3)
    return (
        "<details><summary>Differences, with bootstrap intervals</summary><p>A paired bootstrap "
        "over each task's examples; bold where the interval leaves out zero.</p>"
        f"{table}</details>"
    )
