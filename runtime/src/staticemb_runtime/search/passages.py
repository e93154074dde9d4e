"""Cut long documents into passages at the ends of sentences, without a library."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# A sentence ends at its mark, the quotes and brackets behind that, and white space; in languages
# without blanks at the mark; and at an empty line, a bullet or a heading. A dot behind a single
# letter or before a lower-case letter ends no sentence: "J. Smith", "approx. ten".
_END: Final = re.compile(
    r"(?<!\b[A-Za-z])(?<![.!?…])[.!?…]+[\"'”’)\]]*(?=\s+[^\sa-z])\s+|[。！？｡]+[」』”’）]*\s*|\n\s*\n\s*"
)
_SPACE: Final = re.compile(r"\s+")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield where sentences begin and end; together they are the whole text.

    Yields:
        (start, stop) in code points; white space belongs to the sentence before it.

    Example:
        >>> text = "J. Smith came. He sat down."
        >>> [text[start:stop] for start, stop in sentences(text)]
        ['J. Smith came. ', 'He sat down.']
    """
    start = 0
    for match in _END.finditer(text):
        if match.end() > start:
            yield start, match.end()
            start = match.end()
    if start < len(text):
        yield start, len(text)


def cut(text: str, characters: int | None) -> list[tuple[int, int]]:
    """Cut a text into passages of whole sentences.

    A sentence that is too long is cut at its last white space before the limit, or at the limit.
    Two passages of nearly one length are preferred to a full one and a short rest.

    Args:
        text: the document.
        characters: the most code points of a passage; None: the text is one passage.

    Returns:
        (start, stop) of each passage, in code points, without white space at its ends. Together
        they hold all other characters of the text, each once. An empty or blank text has the one
        passage (0, 0).

    Example:
        >>> cut("One. Two. Three.", 10)
        [(0, 9), (10, 16)]
    """
    if characters is None or len(text) <= characters:
        return [_stripped(text, 0, len(text))]
    # The number of passages that the limit demands, then their even length.
    count = -(-len(text) // characters)
    even = min(characters, -(-len(text) // count) + characters // 8)
    spans: list[tuple[int, int]] = []
    start = stop = 0
    for first, last in _pieces(text, characters):
        end = first + len(text[first:last].rstrip())
        if stop > start and end - start > even and end > first:
            spans.append((start, stop))
            start = first
        stop = last
    spans.append((start, stop))
    stripped = [_stripped(text, *span) for span in spans]
    return [span for span in stripped if span[1] > span[0]] or [(0, 0)]


def _pieces(text: str, characters: int) -> Iterator[tuple[int, int]]:
    """Yield the sentences, and the parts of those that are longer than the limit."""
    for first, last in sentences(text):
        start = first
        while last - start > characters:
            stop = start + characters
            spaces = [match.end() for match in _SPACE.finditer(text, start, stop)]
            if spaces and spaces[-1] > start:
                stop = spaces[-1]
            yield start, stop
            start = stop
        if last > start:
            yield start, last


def _stripped(text: str, start: int, stop: int) -> tuple[int, int]:
    """Leave out the white space at both ends."""
    if stop > start and not (text[start].isspace() or text[stop - 1].isspace()):
        return start, stop
    part = text[start:stop]
    left = len(part) - len(part.lstrip())
    right = len(part.rstrip())
    return (start + left, start + right) if right > left else (0, 0)
