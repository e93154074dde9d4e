"""Tables that fit into the columns of a terminal, so that no row is broken."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from .tables import Figures, TableRow, as_markdown, columns_of_figures, tables

if TYPE_CHECKING:
    from .results import Results

_LEAST = 9
"""The characters that a name keeps, however narrow the terminal is."""


def in_terminal(results: Results, width: int | None = None) -> str:
    """Return the tables for a terminal.

    Args:
        results: The results.
        width: The columns of the terminal. A wider table is cut between its columns into several,
            each with the names of the rows. None: no table is cut.
    """
    return "\n\n".join(f"{table[0]}\n\n{fitted(table, width)}" for table in tables(results))


def fitted(table: Figures, width: int | None) -> str:
    """Return a table as Markdown, in parts whose rows fit into a width.

    Where one column of figures and two of names are still too wide, the first name gets a row of
    its own. A name that is too long for a row loses its middle.
    """
    if width is None:
        return as_markdown(table)
    parts = _cut(table, width)
    if columns_of_figures(table).index(True) == 2 and any(_width(part) > width for part in parts):
        parts = _cut(_nested(table), width)
    return "\n\n".join(as_markdown(_shortened(part, width)) for part in parts)


def _cut(table: Figures, width: int) -> list[Figures]:
    """Cut a table into parts that fit into a width; a part has one column of figures at least."""
    title, header, body = table
    names = columns_of_figures(table).index(True)

    def part(columns: range) -> Figures:
        rows = [tuple(row[at] for at in (*range(names), *columns)) for row in (header, *body)]
        return title, rows[0], rows[1:]

    parts = []
    first = names
    for end in range(names + 1, len(header) + 1):
        longer = range(first, end + 1)
        if end == len(header) or _width(part(longer)) > width:
            parts.append(part(range(first, end)))
            first = end
    return parts


def _nested(table: Figures) -> Figures:
    """Give each first name a row of its own, above the rows that have it."""
    title, header, body = table
    rows: list[TableRow] = []
    for name, members in groupby(body, key=lambda row: row[0]):
        rows.append((f"**{name}**", *[""] * (len(header) - 2)))
        rows += [row[1:] for row in members]
    return title, header[1:], rows


def _shortened(table: Figures, width: int) -> Figures:
    """Cut names out of the middle in the rows that are too wide."""
    title, header, body = table
    names = columns_of_figures(table).index(True)

    def fit(row: TableRow, names: int) -> TableRow:
        excess = _width((title, row, [])) - width
        if excess <= 0:
            return row
        at = max(range(names), key=lambda column: len(row[column]))
        return (*row[:at], _without_middle(row[at], len(row[at]) - excess), *row[at + 1 :])

    return title, fit(header, len(header)), [fit(row, names) for row in body]


def _without_middle(name: str, length: int) -> str:
    kept = max(length, _LEAST) - 1
    return name if len(name) <= kept + 1 else f"{name[: kept - kept // 2]}…{name[-(kept // 2) :]}"


def _width(table: Figures) -> int:
    return max(map(len, as_markdown(table).splitlines()))
