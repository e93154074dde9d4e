"""Words whose pieces are known without running the pipeline.

A first pass over new text would spend most of its time sending single words through the whole
pipeline. For these kinds of words the pre-tokenizer's pieces are known in advance, so only the
model runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

MARK: Final = "▁"  # SentencePiece's visible blank, U+2581
PRINTABLE: Final = re.compile(r"[!-~]+")

_LETTERS = re.compile(r"([A-Za-z]+)")
_LETTERS_AND_MARKS = re.compile(r"( ?[A-Za-z]+)('(?:s|t|re|ve|m|ll|d))?([!-&(-/:-@\[-`{-~]+)?")


END: Final = "\0"  # separator after the last atom of a word, not an atom


class Parts(NamedTuple):
    """Words and their atoms.

    Attributes:
        words: the words whose atoms are known.
        atoms: the smaller words of which they consist, word after word, with `END` after the last
            atom of each word. An atom is one piece of the pre-tokenizer.
    """

    words: list[str]
    atoms: list[str]


class Plain(NamedTuple):
    """A rule for words whose pieces are known without running the pre-tokenizer.

    Attributes:
        parts: selects those words and gives their atoms.
        piece: converts an atom to the model's spelling.
    """

    parts: Callable[[Iterable[str]], Parts]
    piece: Callable[[str], str]


def find(spellings: Iterable[str]) -> re.Pattern[str] | None:
    """Make a pattern that matches any of the spellings; None if there are none."""
    alternatives = "|".join(map(re.escape, sorted(spellings)))
    return re.compile(alternatives) if alternatives else None


def byte_level(*, prefix: bool) -> Plain:
    """Make the rule for byte-level BPE: letters, a contraction and punctuation are three pieces.

    Each of them is a match of every known split pattern.

    Args:
        prefix: whether the pre-tokenizer puts a blank before a text's first word.
    """
    pattern = _LETTERS if prefix else _LETTERS_AND_MARKS

    def parts(words: Iterable[str]) -> Parts:
        known = Parts([], [])
        for word in words:
            match = pattern.fullmatch(word)
            if match is None:
                continue
            known.words.append(word)
            known.atoms.extend((*filter(None, match.groups()), END))
        return known

    def piece(atom: str) -> str:
        return f"Ġ{atom.lstrip()}" if prefix or atom[0] == " " else atom

    return Plain(parts, piece)


def one_piece(
    spellings: list[str],
    normalize: Callable[[str], str],
    *,
    keeps_printable: bool,
    two_forms: bool = False,
) -> Plain:
    """Make the rule for SentencePiece: a word without a blank is one piece, after the marker.

    Args:
        spellings: the added tokens that a word must not hold.
        normalize: the normalizer, except for its treatment of blanks.
        keeps_printable: whether the normalizer leaves printable ASCII unchanged.
        two_forms: whether only a word with a blank before it gets the marker.
    """
    spelling = find(spellings)

    def is_one_piece(word: str) -> bool:
        if word == END:
            return False
        word = word.removeprefix(" ") if two_forms else word
        if spelling is not None and spelling.search(word) is not None:
            return False
        if keeps_printable and PRINTABLE.fullmatch(word) is not None:
            return True
        normalized = normalize(word)
        if normalized.split() != [normalized] or MARK in normalized:
            return False
        return spelling is None or spelling.search(normalized) is None

    def parts(words: Iterable[str]) -> Parts:
        known = list(filter(is_one_piece, words))
        return Parts(known, [part for word in known for part in (word, END)])

    def piece(word: str) -> str:
        if not two_forms:
            return MARK + normalize(word)
        return MARK + normalize(word[1:]) if word[0] == " " else normalize(word)

    return Plain(parts, piece)
