"""Words whose pieces before the model are known without asking the pipeline.

The first pass over new text would spend most of its time on single words' way through the whole
pipeline. For a word of one of these kinds the pieces that the pre-tokenizer gives the model are
known beforehand, and only the model is asked for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from staticemb_runtime.tokenization.segmenters import FIRST
from staticemb_runtime.tokenization.wordpiece import PUNCTUATION

MARK: Final = "▁"  # SentencePiece's visible blank, U+2581
PRINTABLE: Final = re.compile(r"[!-~]+")

_LETTERS = re.compile(r"([A-Za-z]+)")
_LETTERS_AND_MARKS = re.compile(r"( ?[A-Za-z]+)('(?:s|t|re|ve|m|ll|d))?([!-&(-/:-@\[-`{-~]+)?")


END: Final = "\0"  # stands behind the last atom of a word, and is none


class Parts(NamedTuple):
    """What words are made of.

    Attributes:
        words: those whose atoms are known.
        atoms: the smaller words that they are made of, word after word, with `END` behind each
            word's last one; each is one piece before the model.
    """

    words: list[str]
    atoms: list[str]


class Plain(NamedTuple):
    """Words whose pieces before the model are known without asking.

    Attributes:
        parts: finds those among many words.
        piece: an atom as the model sees it; None: as it is.
    """

    parts: Callable[[Iterable[str]], Parts]
    piece: Callable[[str], str] | None = None


def find(spellings: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of the spellings; None where there are none."""
    found = "|".join(map(re.escape, sorted(spellings)))
    return re.compile(found) if found else None


def isolated_marks(spellings: list[str], *, lowercase: bool) -> Plain:
    """BERT's pre-tokenizer: alphanumeric runs and punctuation marks of words of printable ASCII.

    Args:
        spellings: added tokens, normalized; a word that holds one is left to the pipeline.
        lowercase: whether the normalizer makes letters small; it does nothing else to ASCII.
    """
    fold = str.lower if lowercase else str
    spelled = re.compile("|".join(map(re.escape, spellings)))

    def parts(words: Iterable[str]) -> Parts:
        known = list(filter(str.isascii, words))
        if not "".join(known).isprintable():
            known = list(filter(str.isprintable, known))
        folded = fold("\n".join(known))
        if any(spelling in folded for spelling in spellings):
            known = [word for word in known if spelled.search(fold(word)) is None]
            folded = fold("\n".join(known))
        for mark in PUNCTUATION:  # str.translate takes six times as long
            folded = folded.replace(mark, f" {mark} ")
        return Parts(known, folded.replace("\n", f" {END} ").split() + [END] * bool(known))

    return Plain(parts)


def byte_level(*, prefix: bool) -> Plain:
    """Letters, a contraction and punctuation: each is a match of all known split patterns.

    Args:
        prefix: whether a text's first word has a blank put before it.
    """
    pattern = _LETTERS if prefix else _LETTERS_AND_MARKS

    def parts(words: Iterable[str]) -> Parts:
        found = Parts([], [])
        for word in words:
            match = pattern.fullmatch(word)
            if match is None:
                continue
            # What follows the letters has no blank before it.
            letters, *marks = filter(None, match.groups())
            found.words.append(word)
            found.atoms.extend((letters, *[FIRST + mark for mark in marks], END))
        return found

    def piece(word: str) -> str:
        return word[1:] if word[0] == FIRST else f"Ġ{word}"

    return Plain(parts, piece)


def one_piece(
    spellings: list[str], normalize: Callable[[str], str], *, keeps_printable: bool
) -> Plain:
    """With the marker before it, a word is one piece where no other blank comes up in it.

    Args:
        spellings: added tokens that a word must not hold.
        normalize: the normalizer, but for what it does to blanks.
        keeps_printable: whether it leaves printable ASCII alone.
    """
    spelling = find(spellings)

    def whole(word: str) -> bool:
        if word == END:
            return False
        word = word[1:] if word[0] == FIRST else word
        if spelling is not None and spelling.search(word) is not None:
            return False
        if keeps_printable and PRINTABLE.fullmatch(word) is not None:
            return True
        seen = normalize(word)
        if seen.split() != [seen] or MARK in seen:
            return False
        return spelling is None or spelling.search(seen) is None

    def parts(words: Iterable[str]) -> Parts:
        found = list(filter(whole, words))
        return Parts(found, [part for word in found for part in (word, END)])

    def piece(word: str) -> str:
        if word[0] == FIRST:
            return normalize(word[1:])
        return MARK + normalize(word)

    return Plain(parts, piece)
