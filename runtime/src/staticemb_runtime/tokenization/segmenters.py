"""How texts are cut into words: the two ways of treating white space.

*Dropped* — the pre-tokenizer cuts at white space first and throws it away, and every normalizer
treats white space without regard to its neighbors. A text is its white-space words.

*Kept* — a blank becomes part of the word that follows it (byte-level BPE, SentencePiece's marker).
A text is cut before single blanks, where no token and no rule of the tokenizer looks across.

`separable` tells which tokenizer is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from staticemb_runtime.tokenization.separator_pieces import Plain

Cut = Callable[[str], list[str]]
CarefulCut = Callable[[str], list[str] | None]

# Stands before a text's first word where that has no blank and other ids for want of it.
FIRST: Final = " "

# What str.split() cuts at; white space to `tokenizers` too, but for U+001C to U+001F.
SPACES: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


class Splitter(Protocol):
    """A rule that cuts texts into words."""

    def quick(self, block: str) -> Cut:
        """The fastest cut that is right for texts made of the characters in `block`.

        It is right where every word it gives is known to be separable; otherwise ask `careful`.
        """

    def careful(self, block: str) -> CarefulCut:
        """The cut that is always right for texts made of the characters in `block`.

        It gives None for a text that cannot be cut.
        """

    def spelled(self, word: str) -> str:
        """The text whose ids are the word's."""

    def separable(self, words: set[str]) -> set[str]:
        """Those of the words from `careful` that may be joined with others, wherever they stand."""

    @property
    def plain(self) -> Plain | None:
        """The words whose pieces are known, if there are any."""

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """Where a long text can be cut at or after `start`: end of the left, begin of the right.

        Both are texts then, whatever else stands in them.
        """


class Dropped:
    """White space separates words and is dropped.

    Args:
        spaces: the characters of `SPACES` that separate words by themselves.
        check: whether a word may stand beside others; None: every word may.
        plain: the words whose pieces are known.
    """

    def __init__(
        self,
        spaces: Iterable[str],
        check: Callable[[str], bool] | None,
        plain: Plain | None,
    ) -> None:
        found = "".join(spaces)
        self._awkward = [space for space in SPACES if space not in found]
        self._cut = re.compile(f"[^{re.escape(found)}]+").findall
        self._space = re.compile(f"[{re.escape(found)}]")
        self._check = check
        self.plain = plain

    def quick(self, block: str) -> Cut:
        """`str.split`, unless a character occurs that it cuts at and the tokenizer does not."""
        return self._cut if any(space in block for space in self._awkward) else str.split

    def careful(self, block: str) -> Cut:
        """The same."""
        return self.quick(block)

    def spelled(self, word: str) -> str:
        """The word itself."""
        return word

    def separable(self, words: set[str]) -> set[str]:
        """Every word, unless the normalizer looks at a word's neighbors."""
        return words if self._check is None else set(filter(self._check, words))

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """The next separating character, or the next blank between two separable words."""
        if self._check is None:
            match = self._space.search(text, start)
            return match and match.span()
        at = _single_blank(text, start, self._check)
        return None if at is None else (at, at + 1)


class Kept:
    """A blank belongs to the word behind it.

    A word stands for itself with that blank. Where the first word of a text has none ("two
    forms"), it is told from the others by `FIRST` before it: no other word begins with a blank.

    Args:
        cut: matches the blank that a cut removes.
        two_forms: whether a word without a blank before it has other ids than with one.
        check: whether a word may stand beside others.
        plain: the words whose pieces are known.
        careful: characters at which `careful` knows more than `str.split(" ")`.
        line: matches the empty place after a line feed where a text may be cut too.
        runs: added tokens that are runs of blanks.
        run_cut: matches the blank that a cut removes in a text with one of them; None: such a
            text cannot be cut.
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
        """`str.split(" ")`: a run of blanks shows as an empty word, which is never known."""
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
        """The words between the blanks at which a text may be cut."""
        return self._cut_or_none

    def _cut_or_none(self, text: str) -> list[str] | None:
        if not any(run in text for run in self._runs):
            return self._words(text, self._blank)
        return None if self._run_blank is None else self._words(text, self._run_blank)

    def spelled(self, word: str) -> str:
        """The word as `tokenizers` must see it, its blank included."""
        if not self._two_forms:
            return word
        return word[1:] if word[0] == FIRST else " " + word

    def separable(self, words: set[str]) -> set[str]:
        """Words with nothing in them that could be looked for across words."""
        return set(filter(self._check, words))

    def boundary(self, text: str, start: int) -> tuple[int, int] | None:
        """The next blank between two separable words; with two forms it begins the right part."""
        at = _single_blank(text, start, self._check)
        if at is None:
            return None
        return at, at if self._two_forms else at + 1


# Words of a text that cannot be cut: no word that `careful` gives is empty, so none is known.
_UNKNOWN = [""]
_SINGLE_BLANK = re.compile(r"(?<=\S) (?=\S)")


def _single_blank(text: str, start: int, check: Callable[[str], bool]) -> int | None:
    """The next blank between two words that may be joined: nothing reaches across it."""
    for match in _SINGLE_BLANK.finditer(text, start):
        at = match.start()
        left = text[text.rfind(" ", 0, at) + 1 : at]
        end = text.find(" ", at + 1)
        right = text[at + 1 :] if end < 0 else text[at + 1 : end]
        if check(left) and check(right):
            return at
    return None


def _blanks(text: str) -> list[str]:
    return text.split(" ")


def _blanks_first(text: str) -> list[str]:
    words = text.split(" ")
    words[0] = FIRST + words[0]
    return words
