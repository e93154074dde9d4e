"""BERT's normalizer and pre-tokenizer as a map from characters to strings.

Each step treats each character separately, but for the reordering of combining marks. So a text is
`str.translate`d with a table that learns a character when it first meets it, and split at blanks.

The reordering changes no result unless a mark that stays, which most do not, stands next to another
mark. A text with such a mark takes a slower way, through a table of decompositions.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from . import unicode_tables as tables

# The marks that the pre-tokenizer isolates in ASCII: string.punctuation, which imports slowly.
MARKS: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


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


class _Table(dict[int, "str | int"]):
    """A table for `str.translate`; a character that is missing is added at its first use.

    It holds the characters that texts hold: at most all of Unicode.
    """

    def __init__(self, characters: Characters) -> None:
        self.characters = characters


class _Whole(_Table):
    """All steps, for the characters that are never reordered."""

    def __missing__(self, code: int) -> str | int:
        before = self.characters.decomposed(chr(code))
        if self.characters.normalizer.strip_accents:
            if any(map(_stays_reordered, before)):
                raise _ReorderedError
            before = "".join(part for part in before if not _is_mark(part))
        return self.setdefault(code, _entry(code, "".join(map(self.characters.finished, before))))


class _Before(_Table):
    """The steps up to the decomposition."""

    def __missing__(self, code: int) -> str | int:
        return self.setdefault(code, _entry(code, self.characters.decomposed(chr(code))))


class _After(_Table):
    """The steps after the decomposition."""

    def __missing__(self, code: int) -> str | int:
        return self.setdefault(code, _entry(code, self.characters.finished(chr(code))))


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
        self._whole = _Whole(self)
        self._before = _Before(self)
        self._after = _After(self)
        # What becomes of the ASCII characters that are not printable; `None` removes one.
        self._controls: dict[int, str | None] = {
            code: "".join(map(self.finished, self._clean(chr(code)))) or None
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

    def _clean(self, character: str) -> str:
        if not self.normalizer.clean_text:
            return character
        if ord(character) in tables.CONTROL:
            return ""
        return " " if ord(character) in tables.WHITE_SPACE else character

    def decomposed(self, character: str) -> str:
        """Take the steps up to the decomposition."""
        character = self._clean(character)
        if not character:
            return ""
        parts = tables.decompose(character) if self.normalizer.strip_accents else character
        if self.normalizer.handle_chinese_chars and ord(character) in tables.IDEOGRAPHS:
            return f" {parts} "
        return parts

    def finished(self, character: str) -> str:
        """Take the steps after the decomposition."""
        made = tables.lowercase(character) if self.normalizer.lowercase else character
        return "".join(map(self._separated, made)) if self.split else made

    def _separated(self, character: str) -> str:
        if ord(character) in tables.WHITE_SPACE:
            return " "
        return f" {character} " if ord(character) in tables.PUNCTUATION else character


def _entry(code: int, made: str) -> str | int:
    """Return an entry of a table; a character that stays needs no string of its own."""
    return code if made == chr(code) else made


def _is_mark(character: str) -> bool:
    return ord(character) in tables.NONSPACING_MARKS


def _stays_reordered(character: str) -> bool:
    """Tell whether a character has a combining class, and stays when accents are stripped."""
    return not _is_mark(character) and tables.combining_class(character) != 0


def _reorder(text: str) -> str:
    """Order the combining marks of a decomposed text, and strip the nonspacing ones.

    Characters of class 0 end each run of marks, even where they are themselves stripped. Within a
    run, a stripped mark does not change the order of the others, as the sort is stable.
    """
    ordered: list[str] = []
    run: list[str] = []
    for character in text:
        if tables.combining_class(character):
            if not _is_mark(character):
                run.append(character)
            continue
        if run:
            ordered += sorted(run, key=tables.combining_class)
            run.clear()
        if not _is_mark(character):
            ordered.append(character)
    ordered += sorted(run, key=tables.combining_class)
    return "".join(ordered)
