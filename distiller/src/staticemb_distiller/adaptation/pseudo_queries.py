"""Pseudo-queries: short texts taken from documents, in place of the queries that nobody has yet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORTEST, _LONGEST = 4, 12  # words of a sampled span
_MOST_WORDS = 30  # of a title or a first sentence
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])|\n+")


def pseudo_queries(texts: Sequence[str], titles: Sequence[str], *, seed: int = 0) -> list[str]:
    """Take one pseudo-query from each document: its title, its first sentence, or a span of words.

    The three kinds take turns. A document without a title gives its first sentence instead.

    Args:
        texts: N whole documents.
        titles: N titles; "" for a document without one.
        seed: The seed of the spans.

    Returns:
        N texts of at most 30 words; "" for a document without words.

    >>> pseudo_queries(["A lift. The wing of a jet is thin.", "Flow. Ice melts."], ["", ""])
    ['A lift.', 'Flow.']
    """
    queries: list[str] = []
    for number, (text, title) in enumerate(zip(texts, titles, strict=True)):
        kind = number % 3
        if kind == 0 and title.split():
            queries.append(_cut(title))
        elif kind == 2:
            queries.append(_span(text, np.random.default_rng([seed, number])))
        else:
            queries.append(first_sentence(body_of(text, title)))
    return queries


def body_of(text: str, title: str) -> str:
    """Return a text without the titles at its start; the whole text if nothing else is left.

    >>> body_of("Flow Flow of air.", "Flow")
    'of air.'
    """
    body = text
    while title and body.startswith(title):
        body = body.removeprefix(title).strip()
    return body or text


def first_sentence(text: str) -> str:
    """Return a text's first sentence, of at most 30 words.

    >>> first_sentence("How fast is it? Very.")
    'How fast is it?'
    """
    start = text.strip()[:2000]
    return _cut(_SENTENCE_END.split(start, maxsplit=1)[0]) if start else ""


def _span(text: str, random: np.random.Generator) -> str:
    """Return 4 to 12 consecutive words of a text, from a random place."""
    words = text.split()
    length = int(random.integers(_SHORTEST, _LONGEST + 1))
    start = int(random.integers(0, max(1, len(words) - length + 1)))
    return " ".join(words[start : start + length])


def _cut(text: str) -> str:
    return " ".join(text.split()[:_MOST_WORDS])
