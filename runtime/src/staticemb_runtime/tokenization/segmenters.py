"""Rules that cut texts into words, for the two treatments of white space.

*Dropped*: the pre-tokenizer cuts at white space first and drops it, and every normalizer treats
white space independently of its neighbors. A text is the sequence of its white-space words.

*Kept*: a blank becomes part of the word after it (byte-level BPE, SentencePiece's marker). A text
is cut before single blanks that no token and no rule of the tokenizer crosses.

`separability` chooses the rule for a tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from .separator_pieces import Plain

Cut = Callable[[str], list[str]]
CarefulCut = Callable[[str], list[str] | None]

# Prefix of a text's first word if the word tokenizes differently without a blank before it.
FIRST: Final = " "

# The separators of str.split(). `tokenizers` agrees, except for U+001C to U+001F.
SPACES: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


class Splitter(Protocol):
    """A rule that cuts texts into words."""

    def quick(self, block: str) -> Cut:
        """Return the fastest cut for texts made of the characters in `block`.

        A text's cut is right if all its words are known to be separable; otherwise use `careful`.
        """

    def careful(self, block: str) -> CarefulCut:
        """Return the cut that is always right for texts made of the characters in `block`.

        The cut returns None for a text that cannot be cut.
        """

    def spelled(self, word: str) -> str:
        """Return the text whose ids are the word's ids."""

    def separable(self, words: set[str]) -> set[str]:
        """Return the words from `careful` whose ids may be joined with any other word's."""

    @property
    def plain(self) -> Plain | None:
        """The rule for words with known pieces, or None."""

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """Find a place at or after `start` where a long text can be cut into two texts.

        Returns:
            The end of the left text and the start of the right text; None if there is no place.
        """


class Dropped:
    """White space separates words and is dropped.

    Args:
        spaces: the characters of `SPACES` that separate words on their own.
        check: tells whether a word is separable; None: every word is.
        plain: the rule for words with known pieces.
    """

    def __init__(
        self,
        spaces: Iterable[str],
        check: Callable[[str], bool] | None,
        plain: Plain | None,
    ) -> None:
        separators = "".join(spaces)
        self._other_spaces = [space for space in SPACES if space not in separators]
        self._cut = re.compile(f"[^{re.escape(separators)}]+").findall
        self._space = re.compile(f"[{re.escape(separators)}]")
        self._check = check
        self.plain = plain

    def quick(self, block: str) -> Cut:
        """Return `str.split`, unless it would cut at a character that is not a separator."""
        return self._cut if any(space in block for space in self._other_spaces) else str.split

    def careful(self, block: str) -> Cut:
        """Return the same cut as `quick`."""
        return self.quick(block)

    def spelled(self, word: str) -> str:
        """Return the word itself."""
        return word

    def separable(self, words: set[str]) -> set[str]:
        """Return every word, unless the normalizer depends on a word's neighbors."""
        return words if self._check is None else set(filter(self._check, words))

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """Find the next separator, or the next blank between two separable words."""
        if self._check is None:
            match = self._space.search(text, start)
            return match and match.span()
        blank = _single_blank(text, start, self._check)
        return None if blank is None else (blank, blank + 1)


class Kept:
    """A blank belongs to the word after it.

    A word implies the blank before it. If a word tokenizes differently without that blank ("two
    forms"), the first word of a text is marked by `FIRST`: no other word begins with a blank.

    Args:
        cut: the pattern of a blank that a cut removes.
        two_forms: whether a word has different ids with and without a blank before it.
        check: tells whether a word is separable.
        plain: the rule for words with known pieces.
        careful: the characters at which `careful` cuts differently from `str.split(" ")`.
        line: the pattern of an empty match after a line feed, where a text may also be cut.
        runs: the added tokens that are runs of blanks.
        run_cut: the pattern of a blank that a cut removes in a text with such a run; None: a text
            with such a run cannot be cut.
    """

    def __init__(
        self,
        cut: str,
        *,
        two_forms: bool,
        check: Callable[[str], bool],
        plain: Plain | None,
        careful: str = "",
        line: str | None = None,
        runs: Iterable[str] = (),
        run_cut: str | None = None,
    ) -> None:
        self._blank = re.compile(cut)
        self._two_forms = two_forms
        self._check = check
        self.plain = plain
        self._careful = careful
        self._line = None if line is None else re.compile(line)
        self._runs = tuple(runs)
        self._run_blank = None if run_cut is None else re.compile(run_cut)

    def quick(self, block: str) -> Cut:
        """Return `str.split(" ")`: a run of blanks gives an empty word, which is never known."""
        fast = _blanks_first if self._two_forms else _blanks
        present = [character for character in self._careful if character in block]
        if not present:
            return fast

        def cut(text: str) -> list[str]:
            for character in present:
                if character in text:
                    return self._cut_or_none(text) or _UNKNOWN
            return fast(text)

        return cut

    def _words(self, text: str, blank: re.Pattern[str]) -> list[str]:
        if self._line is None:
            words: list[str] = blank.split(text)
            if self._two_forms:
                words[0] = FIRST + words[0]
            elif not words[0]:
                del words[0]  # a text that begins with a blank
            return words
        words = []
        for line in self._line.split(text):
            begin = len(words)
            words += blank.split(line)
            words[begin] = FIRST + words[begin]
        return words

    def careful(self, block: str) -> CarefulCut:
        """Return the cut at the blanks where a text may be cut."""
        return self._cut_or_none

    def _cut_or_none(self, text: str) -> list[str] | None:
        if not any(run in text for run in self._runs):
            return self._words(text, self._blank)
        return None if self._run_blank is None else self._words(text, self._run_blank)

    def spelled(self, word: str) -> str:
        """Return the word's spelling for `tokenizers`, its blank included."""
        if not self._two_forms:
            return word
        return word[1:] if word[0] == FIRST else " " + word

    def separable(self, words: set[str]) -> set[str]:
        """Return the words that hold no part of a token across words."""
        return set(filter(self._check, words))

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """Find the next blank between two separable words; with two forms the right text has it."""
        blank = _single_blank(text, start, self._check)
        if blank is None:
            return None
        return blank, blank if self._two_forms else blank + 1


# The words of a text that cannot be cut. No word from `careful` is empty, so none of them is known.
_UNKNOWN = [""]
_SINGLE_BLANK = re.compile(r"(?<=\S) (?=\S)")


def _single_blank(text: str, start: int, check: Callable[[str], bool]) -> int | None:
    """Find the next blank between two separable words: no token crosses it."""
    for match in _SINGLE_BLANK.finditer(text, start):
        blank = match.start()
        left = text[text.rfind(" ", 0, blank) + 1 : blank]
        end = text.find(" ", blank + 1)
        right = text[blank + 1 :] if end < 0 else text[blank + 1 : end]
        if check(left) and check(right):
            return blank
    return None


def _blanks(text: str) -> list[str]:
    return text.split(" ")


def _blanks_first(text: str) -> list[str]:
    words = text.split(" ")
    words[0] = FIRST + words[0]
    return words
