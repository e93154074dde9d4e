"""Rules that cut texts into words, for the two treatments of white space.

*Dropped*: the pre-tokenizer cuts at white space first and drops it, and every normalizer treats
white space independently of its neighbors. A text is the sequence of its white-space words.

*Kept*: a blank becomes part of the word after it (byte-level BPE, SentencePiece's marker). A text
is cut before single blanks that no token and no rule of the tokenizer crosses.

A word is spelled such that its ids are those of the text with the same spelling. If a word has
other ids without the blank before it ("two forms"), the blank is part of it.

Each rule has a `ByteCut`, which gives the same words for most texts.
`separability` chooses the rule for a tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from .byte_cut import ByteCut

if TYPE_CHECKING:
    from .separator_pieces import Plain

WHITE_SPACE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""The characters that Unicode calls white space; `tokenizers` splits at these."""
OTHER_SPACES: Final = "\x1c\x1d\x1e\x1f"
"""The characters that `str.split` splits at as well."""
SPACES: Final = WHITE_SPACE + OTHER_SPACES
_ASCII_SPACES: Final = [space for space in SPACES if space.isascii()]


class Splitter(Protocol):
    """A rule that cuts texts into words."""

    @property
    def byte_cut(self) -> ByteCut:
        """The cut that gives the same words as `cut` for texts that are not odd."""

    @property
    def plain(self) -> Plain | None:
        """The rule for words with known pieces, or None."""

    def cut(self, text: str) -> list[str] | None:
        """Cut a text into words; None if it cannot be cut.

        The cut is right if every word is separable.
        """

    def separable(self, words: Iterable[str]) -> set[str]:
        """Return the words from `cut` whose ids may be joined with any other word's."""

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """Find a place at or after `start` where a long text can be cut into two texts.

        Returns:
            The end of the left text and the start of the right text, without the blank between
            them; None if there is no place.
        """


class Dropped:
    """White space separates words and is dropped.

    Args:
        spaces: the characters of `SPACES` that separate words on their own.
        check: tells whether a word is separable; None: every word is.
        plain: the rule for words with known pieces.
        ends: a pattern of characters after which a text may be cut as well, without a check.
    """

    def __init__(
        self,
        spaces: Iterable[str],
        check: Callable[[str], bool] | None = None,
        plain: Plain | None = None,
        *,
        ends: str = "",
    ) -> None:
        separators = "".join(spaces)
        self._words = re.compile(f"[^{re.escape(separators)}]+")
        space = f"[{re.escape(separators)}]"
        self._boundary = re.compile(f"{space}|(?<={ends})" if ends else space)
        self._check = check
        self.byte_cut = ByteCut("".join(filter(str.isascii, separators)))
        self.plain = plain

    def cut(self, text: str) -> list[str]:
        """Return the words between separators."""
        if text.isascii() and text.isprintable():
            return text.split()
        return self._words.findall(text)

    def separable(self, words: Iterable[str]) -> set[str]:
        """Return every word, unless the normalizer depends on a word's neighbors."""
        return set(words if self._check is None else filter(self._check, words))

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """Find the next separator or end, or the next blank between two separable words."""
        if self._check is None:
            match = self._boundary.search(text, start)
            return match and match.span()
        return _single_blank(text, start, self._check)


class Kept:
    """A blank belongs to the word after it.

    Args:
        cut: the pattern of a place where a text is cut. With two forms an empty match before a
            blank; otherwise a separator, which the cut removes.
        two_forms: whether a word has different ids with and without a blank before it.
        check: tells whether a word is separable.
        plain: the rule for words with known pieces.
        other_spaces: the characters besides a blank that the pattern matches.
        line: the pattern of an empty match after a line feed, where a text may also be cut.
        runs: the added tokens that are runs of blanks.
        run_cut: the pattern for a text with such a run; None: such a text cannot be cut.
    """

    def __init__(
        self,
        cut: str,
        *,
        two_forms: bool,
        check: Callable[[str], bool],
        plain: Plain | None,
        other_spaces: str = "",
        line: str | None = None,
        runs: Iterable[str] = (),
        run_cut: str | None = None,
    ) -> None:
        self._cut = re.compile(cut)
        self._two_forms = two_forms
        self._check = check
        self.plain = plain
        separators = " " + other_spaces
        odd = "".join(space for space in _ASCII_SPACES if space not in separators)
        self.byte_cut = ByteCut(separators, odd=odd, single=True, keep_blank=two_forms)
        self._line = None if line is None else re.compile(line)
        self._runs = tuple(runs)
        self._run_cut = None if run_cut is None else re.compile(run_cut)

    def cut(self, text: str) -> list[str] | None:
        """Return the words between the blanks where a text may be cut."""
        cut = self._cut
        if any(run in text for run in self._runs):
            if self._run_cut is None:
                return None
            cut = self._run_cut
        if self._line is None:
            words: list[str] = cut.split(text)
        else:
            words = [word for line in self._line.split(text) for word in cut.split(line)]
        if not words[0] and not self._two_forms:
            del words[0]  # a text that begins with a blank
        return words

    def separable(self, words: Iterable[str]) -> set[str]:
        """Return the words that hold no part of a token across words."""
        return set(filter(self._check, words))

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """Find the next blank between two separable words."""
        return _single_blank(text, start, self._check, " " if self._two_forms else "")


_SINGLE_BLANK = re.compile(r"(?<=\S) (?=\S)")


def _single_blank(
    text: str, start: int, check: Callable[[str], bool], form: str = ""
) -> tuple[int, int] | None:
    """Find the next blank between two separable words: no token crosses it."""
    for match in _SINGLE_BLANK.finditer(text, start):
        blank = match.start()
        left = text[text.rfind(" ", 0, blank) + 1 : blank]
        end = text.find(" ", blank + 1)
        right = text[blank + 1 :] if end < 0 else text[blank + 1 : end]
        if check(form + left) and check(form + right):
            return blank, blank + 1
    return None
