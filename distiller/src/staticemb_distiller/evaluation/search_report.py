"""The report of a measured search index: Markdown, JSON, and a table for a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..version import __version__
from .search_index import DEPTH, METRICS
from .tables import Figures, as_markdown
from .terminal import fitted

if TYPE_CHECKING:
    from .search_index import IndexResults, WayResult


def markdown(results: IndexResults) -> str:
    """Return the report as Markdown: a table of the ways, and how they were measured."""
    table = _table(results)
    lines = [f"# {table[0]}", "", as_markdown(table), "", *_notes(results)]
    return "\n".join(lines) + "\n"


def _table(results: IndexResults) -> Figures:
    body = [
        (
            way.name,
            *(_cell(way, metric, results.resamples) for metric in METRICS),
            f"{way.milliseconds:.3g}",
        )
        for way in results.ways
    ]
    return f"Search in {results.facts['index']}", ("search by", *METRICS, "ms a query"), body


def _cell(way: WayResult, metric: str, resamples: int) -> str:
    cell = f"{way.outcomes[metric].value:.1f}"
    if resamples > 0:
        interval = way.interval(metric, resamples)
        cell += f" ({interval.low:.1f} to {interval.high:.1f})"
    return cell


def _notes(results: IndexResults) -> list[str]:
    facts = results.facts
    maker = "" if facts["vectors_from"] == "model" else f", vectors of {facts['vectors_from']}"
    notes = [
        f"{facts['documents']:,} documents in {facts['passages']:,} passages, "
        f"{facts['queries']:,} queries; {facts['model']}{maker}, {facts['dimension']} dimensions, "
        f"{facts['precision']}."
    ]
    if results.resamples > 0:
        notes.append(
            f"In brackets: 95 % intervals of {results.resamples:,} bootstrap samples of the "
            "queries. Metrics are times 100."
        )
    else:
        notes.append("Metrics are times 100.")
    notes.append(f"The time is the median of a warm query of {DEPTH + 1} hits with snippets.")
    if results.missing:
        notes.append(
            f"{results.missing:,} relevant documents are not in the index; they count as not found."
        )
    notes.append(
        "; ".join(f"{name}: SHA-256 {digest[:12]}…" for name, digest in results.files.items())
        + f"; staticemb-distiller {__version__}."
    )
    return [line for note in notes for line in (note, "")][:-1]


def dumps(results: IndexResults) -> str:
    """Return the report as JSON."""
    ways = {}
    for way in results.ways:
        entry: dict[str, Any] = {"milliseconds": way.milliseconds}
        for metric, outcome in way.outcomes.items():
            entry[metric] = {"value": outcome.value}
            if results.resamples > 0:
                drawn = way.interval(metric, results.resamples)
                entry[metric] |= {"low": drawn.low, "high": drawn.high}
        ways[way.name] = entry
    content = {
        **results.facts,
        "files": dict(results.files),
        "missing": results.missing,
        "resamples": results.resamples,
        "version": __version__,
        "ways": ways,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def summary(results: IndexResults, width: int | None = None) -> str:
    """Return the table for a terminal of `width` columns; None: any number of them."""
    shown = fitted(_table(results), width)
    if results.missing:
        shown += f"\n\n{results.missing:,} relevant documents are not in the index"
    return shown
