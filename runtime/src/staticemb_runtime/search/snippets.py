"""The part of a passage that shows why it was found, and where the query's words are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from .lexicon import Lexicon

CHARACTERS: Final = 240
_READ: Final = 20_000  # a longer passage is searched for words up to here
_BACK: Final = 40  # how far before the first word a snippet may begin
_MARK: Final = "…"


class Snippet(NamedTuple):
    """A part of a text.

    Attributes:
        text: the part, with `…` where the text goes on, and each run of white space as one blank.
        marks: the (start, stop) of marked words in it.
    """

    text: str
    marks: tuple[tuple[int, int], ...]


def snippet(
    text: str, terms: Collection[str], lexicon: Lexicon | None, characters: int = CHARACTERS
) -> Snippet:
    """Choose the part of a text with the most different terms, and mark them.

    Args:
        text: the passage.
        terms: the terms of the query.
        lexicon: finds words and terms; None: nothing is marked.
        characters: the length of the part, roughly.
    """
    spans = lexicon.occurrences(text[:_READ], terms) if lexicon is not None and terms else []
    start = _best_start([(first, term) for first, _, term in spans], characters)
    if len(text) <= characters:
        start = 0
    elif start:
        start = max(0, min(start - _BACK, len(text) - characters))
        blank = text.find(" ", start, start + _BACK)
        start = blank + 1 if start and blank >= 0 else start
    stop = len(text) if len(text) - start <= characters + _BACK else start + characters
    if stop < len(text):
        blank = text.rfind(" ", stop - _BACK, stop)
        stop = blank if blank > start else stop
    marks = [(first, last) for first, last, _ in spans if start <= first and last <= stop]
    return _laid_out(text, start, stop, _joined(marks))


def _best_start(matches: list[tuple[int, str]], characters: int) -> int:
    """Return the first match of the window with the most different terms, then the most matches."""
    best, best_count = 0, (0, 0)
    inside: dict[str, int] = {}
    first = 0
    for last, (place, term) in enumerate(matches):
        inside[term] = inside.get(term, 0) + 1
        while first < last and place - matches[first][0] > characters - 2 * _BACK:
            gone = matches[first][1]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            first += 1
        count = (len(inside), last - first + 1)
        if count > best_count:
            best, best_count = matches[first][0], count
    return best


def _joined(marks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join marks that overlap or touch, as those of trigrams do."""
    joined: list[tuple[int, int]] = []
    for start, stop in marks:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def _laid_out(text: str, start: int, stop: int, marks: list[tuple[int, int]]) -> Snippet:
    """Write the part on one line; move the marks accordingly."""
    pieces: list[str] = [_MARK] if start > 0 else []
    length = len(pieces)
    places: list[tuple[int, int]] = []
    done = start
    for first, last in [*marks, (stop, stop)]:
        before = text[done:first]
        line = " ".join(before.split())
        if before[:1].isspace() and length and line:
            line = " " + line
        if before[-1:].isspace():
            line += " " if line or length else ""
        word = text[first:last]
        pieces += [line, word]
        length += len(line)
        if last > first:
            places.append((length, length + len(word)))
        length += len(word)
        done = last
    if stop < len(text):
        pieces.append(_MARK)
    return Snippet("".join(pieces), tuple(places))
