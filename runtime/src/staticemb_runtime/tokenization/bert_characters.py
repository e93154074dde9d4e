"""BERT's normalizer and pre-tokenizer as a map from characters to strings.

Each step treats each character separately, but for the reordering of combining marks. So a text is
`str.translate`d with a table that learns a character when it first meets it, and split at blanks.

The reordering changes no result unless a mark that stays, which most do not, stands next to another
mark. A text with such a mark takes a slower way, through a table of decompositions.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from . import unicode_tables as tables

# The marks that the pre-tokenizer isolates in ASCII: string.punctuation, which imports slowly.
MARKS: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_RUNS: Final = re.compile("[ -~]+|[^ -~]+")


class Normalizer(NamedTuple):
    """The steps of a normalizer, in their order.

    Attributes:
        clean_text: whether control characters are removed, and white space becomes blanks.
        handle_chinese_chars: whether ideographs get blanks around them.
        strip_accents: whether characters are decomposed and lose their nonspacing marks.
        lowercase: whether characters are lowercased.
    """

    clean_text: bool = False
    handle_chinese_chars: bool = False
    strip_accents: bool = False
    lowercase: bool = False


class _ReorderedError(Exception):
    """A character may change its place among its neighbors."""


class Characters:
    """Normalizes and splits texts; safe to use from several threads.

    Args:
        normalizer: the steps.
        split: whether the words are split, too: each mark of punctuation gets blanks around it, and
            white space becomes blanks.

    Example:
        >>> Characters(Normalizer(lowercase=True, strip_accents=True), split=True).apply("Née!")
        'nee ! '
    """

    def __init__(self, normalizer: Normalizer, *, split: bool) -> None:
        self.normalizer = normalizer
        self.split = split
        self._whole = tables.CharacterTable(self._normalized)
        self._before = tables.CharacterTable(self._decomposed)
        self._after = tables.CharacterTable(self._finished)
        # What becomes of the ASCII characters that are not printable; `None` removes one.
        self._controls: dict[int, str | None] = {
            code: "".join(map(self._finished, self._clean(chr(code)))) or None
            for code in (*range(32), 127)
        }

    def apply(self, text: str) -> str:
        """Return the normalized text; its words between blanks if the words are split.

        Args:
            text: a text without lone surrogates.
        """
        if text.isascii():
            return self._ascii(text)
        try:
            return text.translate(self._whole)
        except _ReorderedError:
            # Printable ASCII characters end each run of marks: only what is between them is slow.
            return _RUNS.sub(self._apply_run, text)

    def _apply_run(self, run: re.Match[str]) -> str:
        text = run[0]
        if text.isascii() and text.isprintable():
            return self._ascii(text)
        try:
            return text.translate(self._whole)
        except _ReorderedError:
            return _reorder(text.translate(self._before)).translate(self._after)

    def _ascii(self, text: str) -> str:
        if self.normalizer.lowercase:
            text = text.lower()
        if not text.isprintable():
            text = text.translate(self._controls)
        if self.split:
            # One `str.translate` takes six times as long as all of these.
            for mark in MARKS:
                if mark in text:
                    text = text.replace(mark, f" {mark} ")
        return text

    def _normalized(self, character: str) -> str:
        """Take all steps.

        Raises:
            _ReorderedError: the character may be reordered.
        """
        parts = self._decomposed(character)
        if self.normalizer.strip_accents:
            if any(map(_stays_reordered, parts)):
                raise _ReorderedError
            parts = "".join(part for part in parts if not _is_mark(part))
        return "".join(map(self._finished, parts))

    def _clean(self, character: str) -> str:
        if not self.normalizer.clean_text:
            return character
        if ord(character) in tables.CONTROL:
            return ""
        return " " if ord(character) in tables.WHITE_SPACE else character

    def _decomposed(self, character: str) -> str:
        """Take the steps up to the decomposition."""
        character = self._clean(character)
        if not character:
            return ""
        parts = tables.decompose(character) if self.normalizer.strip_accents else character
        if self.normalizer.handle_chinese_chars and ord(character) in tables.IDEOGRAPHS:
            return f" {parts} "
        return parts

    def _finished(self, character: str) -> str:
        """Take the steps after the decomposition."""
        made = tables.lowercase(character) if self.normalizer.lowercase else character
        return "".join(map(self._separated, made)) if self.split else made

    def _separated(self, character: str) -> str:
        if ord(character) in tables.WHITE_SPACE:
            return " "
        return f" {character} " if ord(character) in tables.PUNCTUATION else character


def _is_mark(character: str) -> bool:
    return ord(character) in tables.NONSPACING_MARKS


def _stays_reordered(character: str) -> bool:
    """Tell whether a character has a combining class, and stays when accents are stripped."""
    return not _is_mark(character) and tables.combining_class(character) != 0


class _Role(dict[str, int]):
    """What becomes of each character of a decomposed text: see the constants, and `_reorder`."""

    def __missing__(self, character: str) -> int:
        role = tables.combining_class(character)
        if _is_mark(character):
            role = _DROPPED if role else _DROPPED_STARTER
        return self.setdefault(character, role)


# A positive role is the combining class of a mark that stays.
_STARTER: Final = 0
_DROPPED: Final = -1
_DROPPED_STARTER: Final = -2
_ROLES: Final = _Role()


def _reorder(text: str) -> str:
    """Order the combining marks of a decomposed text, and strip the nonspacing ones.

    Characters of class 0 end each run of marks, even where they are themselves stripped. Within a
    run, a stripped mark does not change the order of the others, as the sort is stable.
    """
    ordered: list[str] = []
    run: list[str] = []
    for character in text:
        role = _ROLES[character]
        if role > 0:
            run.append(character)
        elif role != _DROPPED:
            if run:
                ordered += sorted(run, key=_ROLES.__getitem__)
                run.clear()
            if role == _STARTER:
                ordered.append(character)
    ordered += sorted(run, key=_ROLES.__getitem__)
    return "".join(ordered)
