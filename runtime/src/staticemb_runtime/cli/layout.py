"""The layout of results at a terminal: its width, colors, and lines that fit.

Colors appear at a terminal alone, and never if the environment variable `NO_COLOR` is set, or if
`TERM` is `dumb`. The width of a line counts columns: a Chinese character takes two.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from .process import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDEST: Final = 100  # columns: longer lines are hard to read
_NARROWEST: Final = 20


class Span(NamedTuple):
    """A part of a line, with one style.

    Attributes:
        text: the text.
        style: one of the methods of `Styles`, or empty.
    """

    text: str
    style: str = ""


class Styles:
    """Colors of a terminal; without effect elsewhere.

    Args:
        enabled: whether to color; None: at a terminal, as the environment says.

    Example:
        >>> Styles(enabled=False).paint("a text", "bold")
        'a text'
    """

    _CODES: Final = {"bold": "1", "dim": "2", "mark": "1;33", "good": "32", "bad": "31"}

    def __init__(self, *, enabled: bool | None = None) -> None:
        if enabled is None:
            enabled = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            enabled = enabled and os.environ.get("TERM") != "dumb"
        self._enabled = enabled

    def paint(self, text: str, style: str) -> str:
        """Return a text in a style: bold, dim, mark, good, bad, or empty for none."""
        if not self._enabled or not style or not text:
            return text
        return f"\x1b[{self._CODES[style]}m{text}\x1b[0m"

    def line(self, spans: Iterable[Span]) -> str:
        """Return a line of spans."""
        return "".join(self.paint(text, style) for text, style in spans)


def terminal_width() -> int:
    """Return the number of columns for results: those of the terminal, and 100 at most."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(_NARROWEST, min(columns or 80, _WIDEST))


def columns_of(text: str) -> int:
    r"""Return how many columns a text takes.

    Example:
        >>> columns_of("abc"), columns_of("漢字"), columns_of("e\u0301")
        (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def visible(text: str) -> str:
    """Escape control characters, but not white space, which becomes blanks."""
    return "".join(" " if character.isspace() else printable(character) for character in text)


def fit(text: str, columns: int) -> str:
    """Cut a text to a number of columns; an ellipsis marks the cut.

    Example:
        >>> fit("a long text", 7), fit("short", 7)
        ('a long…', 'short')
    """
    if columns_of(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += columns_of(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def fit_name(name: str, columns: int) -> str:
    """Cut the start of a name, such as a file's path, at a terminal; programs get it whole."""
    if not sys.stdout.isatty() or columns_of(name) <= columns:
        return name
    return fit(name[::-1], columns)[::-1]


def wrap(spans: Iterable[Span], columns: int, *, lines: int) -> list[list[Span]]:
    """Break spans into lines at white space; a word that is wider than a line is broken.

    Args:
        spans: the text; each run of white space becomes one blank.
        columns: the width of a line.
        lines: the maximum number of lines; an ellipsis marks the rest.

    Example:
        >>> [[span.text for span in line] for line in wrap([Span("one two three")], 8, lines=2)]
        [['one', ' ', 'two'], ['three']]
    """
    broken: list[list[Span]] = [[]]
    used = 0
    pieces = [(piece, style) for text, style in spans for piece in re.findall(r"\s+|\S+", text)]
    for text, style in pieces:
        if text.isspace():
            if used and broken[-1][-1].text != " ":
                broken[-1].append(Span(" ", style))
                used += 1
            continue
        word = text
        while word:
            room = columns - used
            if columns_of(word) <= room:
                broken[-1].append(Span(word, style))
                used += columns_of(word)
                break
            if used:
                broken[-1] = _without_blank(broken[-1])
                if len(broken) == lines:
                    return [*broken[:-1], _ellipsis(broken[-1], columns)]
                broken.append([])
                used = 0
                continue
            head = fit(word, columns + 1)[:-1] or word[0]
            broken[-1].append(Span(head, style))
            used, word = columns_of(head), word[len(head) :]
    return [_without_blank(line) for line in broken if line]


def _without_blank(line: list[Span]) -> list[Span]:
    return line[:-1] if line and line[-1].text == " " else line


def _ellipsis(line: list[Span], columns: int) -> list[Span]:
    line = _without_blank(line)
    while line and sum(columns_of(span.text) for span in line) + 2 > columns and len(line) > 1:
        line = _without_blank(line[:-1])
    return [*line, Span(" …")]
