"""Growth of time and memory with the input."""

from __future__ import annotations

from typing import Any

import drawing

SIZES = {
    "nanoseconds_per_character_by_text_length": "ns a character, characters of a text",
    "microseconds_per_text_by_number_of_texts": "µs a text, number of texts",
    "microseconds_per_text_by_vocabulary": "µs a text, tokens of the vocabulary",
    "microseconds_per_text_first_pass_by_distinct_words": "µs a text, distinct new words",
}
DIMENSION = "microseconds_per_text_by_dimension"
STREAM, HOSTILE = "stream_of_a_million_texts", "text_that_defeats_the_cache"
SECONDS, GROWN = ": seconds", ": megabytes grown"

Rows = dict[str, float]


def section(content: dict[str, Any]) -> str:
    """Return tables of the time by size, by dimension, and of memory."""
    results = content["results"]
    by_size = {title: results[key] for key, title in SIZES.items() if key in results}
    sizes = sorted({size for rows in by_size.values() for size in rows}, key=_size)
    body = [
        [title, *(_figure(rows[size]) if size in rows else "" for size in sizes)]
        for title, rows in by_size.items()
    ]
    dimensions = results[DIMENSION]
    tables = [
        drawing.table(["cost of one, by the number of", *sizes], body),
        drawing.table(
            ["dimensions", *dimensions], [["µs a text", *map(_figure, dimensions.values())]]
        ),
        drawing.table(["whole runs", "seconds", "MB grown"], _memory(results)),
        "MB grown: the peak of the process's memory over the peak before, without the result.",
        drawing.machine(content, "numpy"),
    ]
    return "\n\n".join(tables)


def pictures(content: dict[str, Any]) -> dict[str, str]:
    """Draw the time by size and by dimension."""
    results = content["results"]
    titles = SIZES | {DIMENSION: "µs a text, dimensions"}
    charts = [
        (title, [(_size(size), value) for size, value in results[key].items()])
        for key, title in titles.items()
        if key in results
    ]
    return {"growth.svg": drawing.lines("Growth of the time with the input", charts)}


def _memory(results: dict[str, Rows]) -> list[list[str]]:
    stream, hostile = results[STREAM], results[HOSTILE]
    count = f"{stream['texts']:,.0f} texts as a stream"
    rows = [[count, _figure(stream["seconds"]), _figure(stream["megabytes grown"])]]
    for label in (key.removesuffix(SECONDS) for key in hostile if key.endswith(SECONDS)):
        cells = [_figure(hostile[label + part]) for part in (SECONDS, GROWN)]
        rows.append([f"new words alone, {label}", *cells])
    return rows


def _size(label: str) -> int:
    return int(label.replace(",", ""))


def _figure(value: float) -> str:
    """Format with three significant digits, or as a whole number from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
