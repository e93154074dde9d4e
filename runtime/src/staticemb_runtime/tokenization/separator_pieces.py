"""Words whose pieces are known without running the pipeline.

A first pass over new text would spend most of its time sending single words through the whole
pipeline. For these kinds of words the pre-tokenizer's pieces are known in advance, so only the
model runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from .segmenters import FIRST
from .wordpiece import PUNCTUATION

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
        piece: converts an atom to the model's spelling; None if they are equal.
    """

    parts: Callable[[Iterable[str]], Parts]
    piece: Callable[[str], str] | None = None


def find(spellings: Iterable[str]) -> re.Pattern[str] | None:
    """Make a pattern that matches any of the spellings; None if there are none."""
    alternatives = "|".join(map(re.escape, sorted(spellings)))
    return re.compile(alternatives) if alternatives else None


def isolated_marks(spellings: list[str], *, lowercase: bool) -> Plain:
    """Make the rule for BERT: a printable ASCII word is split at each punctuation mark.

    Args:
        spellings: the normalized added tokens; the pipeline encodes a word that holds one.
        lowercase: whether the normalizer lowercases letters, its only change to ASCII.
    """
    fold = str.lower if lowercase else str
    added = re.compile("|".join(map(re.escape, spellings)))

    def parts(words: Iterable[str]) -> Parts:
        known = list(filter(str.isascii, words))
        if not "".join(known).isprintable():
            known = list(filter(str.isprintable, known))
        folded = fold("\n".join(known))
        if any(spelling in folded for spelling in spellings):
            known = [word for word in known if added.search(fold(word)) is None]
            folded = fold("\n".join(known))
        for mark in PUNCTUATION:  # str.translate takes six times as long
            folded = folded.replace(mark, f" {mark} ")
        return Parts(known, folded.replace("\n", f" {END} ").split() + [END] * bool(known))

    return Plain(parts)


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
            # The contraction and the punctuation have no blank before them.
            letters, *marks = filter(None, match.groups())
            known.words.append(word)
            known.atoms.extend((letters, *[FIRST + mark for mark in marks], END))
        return known

    def piece(word: str) -> str:
        return word[1:] if word[0] == FIRST else f"Ġ{word}"

    return Plain(parts, piece)


def one_piece(
    spellings: list[str], normalize: Callable[[str], str], *, keeps_printable: bool
) -> Plain:
    """Make the rule for SentencePiece: a word without a blank is one piece, after the marker.

    Args:
        spellings: the added tokens that a word must not hold.
        normalize: the normalizer, except for its treatment of blanks.
        keeps_printable: whether the normalizer leaves printable ASCII unchanged.
    """
    spelling = find(spellings)

    def is_one_piece(word: str) -> bool:
        if word == END:
            return False
        word = word[1:] if word[0] == FIRST else word
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
        if word[0] == FIRST:
            return normalize(word[1:])
        return MARK + normalize(word)

    return Plain(parts, piece)
