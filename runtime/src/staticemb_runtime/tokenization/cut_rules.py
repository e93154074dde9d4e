"""Tests whether a word next to a cut has the same ids as in the whole text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from .separator_pieces import MARK, PRINTABLE, find

if TYPE_CHECKING:
    from .components import Components


class CutRule:
    """Tells whether an added token could occur in a word or across words.

    Attributes:
        unsure: whether the words alone cannot decide this.
        runs: the tokens that are runs of blanks. A text with such a run is not cut next to it.
        late_runs: whether a run is matched in the normalized text. There, a blank at the end of a
            word and the blank after the word form a run that the raw text does not show.
        raw: the other tokens that are matched in the raw text.
        late: the tokens that are matched in the normalized text, without outer blanks.
    """

    def __init__(self, components: Components) -> None:
        self._components = components
        raw, late = components.spellings()
        # Texts are not cut next to a run of blanks that is a token. A word shows any other token.
        self.runs = [spelling for spelling in raw if len(spelling) > 1 and not spelling.strip(" ")]
        self.raw = [spelling for spelling in raw if spelling not in self.runs]
        self.late_runs = False
        # In the normalized text the marker may replace a blank; the cut, not the word, holds it.
        self.late = []
        self.unsure = any(" " in spelling or not spelling for spelling in self.raw)
        for spelling in late:
            if " " in spelling and MARK in spelling:
                self.unsure = True
            blank = spelling.replace(MARK, " ")
            if not blank.strip(" "):
                self.late_runs = True
                if len(blank) < 2:
                    self.unsure = True
                self.runs.append(" " * len(blank))
                self.late.append(spelling)
            elif " " in blank.strip(" "):
                self.unsure = True
            else:
                self.late.append(blank.strip(" "))
        self._raw = find(self.raw)
        self._late = find(self.late)

    def spells(self, word: str) -> bool:
        """Tell whether the word holds a token that is not a run of blanks."""
        if self.runs and "  " in word:
            return any(self.spells(part) for part in word.split("  "))
        if self._raw is not None and self._raw.search(word) is not None:
            return True
        if self._late is None:
            return False
        return self._late.search(self._components.normalize(word)) is not None


def beside_blanks(
    components: Components,
    raw: list[str],
    late: list[str],
    *,
    end: bool,
    two_forms: bool = False,
    first: bool = False,
) -> Callable[[str], bool]:
    """Make a test whether the normalizer treats a word between blanks like the word alone.

    The test runs the normalizer with visible neighbors beyond the blanks. If the normalizer leaves
    printable ASCII unchanged, such words need no run: each character is a separate grapheme
    cluster. The test refuses a word whose first character could join the cluster of the blank
    before it. So the text on one side of a blank cannot affect the other side.

    Args:
        components: the tokenizer's components.
        raw: spellings that a word must not hold.
        late: spellings that a normalized word must not hold.
        end: also refuse a word whose normalized form ends in a blank or the marker.
        two_forms: see `Kept`.
        first: also refuse a word whose ids after a blank differ from its ids at a text's start.
    """
    raw_pattern, late_pattern = find(raw), find(late)
    plain = components.keeps_printable()
    blanks = (" ", MARK)

    def check(word: str) -> bool:
        if not word:
            return two_forms
        word = word.removeprefix(" ") if two_forms else word
        if not word:
            return False
        if raw_pattern is not None and raw_pattern.search(word) is not None:
            return False
        if plain and PRINTABLE.fullmatch(word) is not None:
            return late_pattern is None or late_pattern.search(word) is None
        if word[0].isspace() or joins_before(word[0]):
            return False
        alone = components.normalize(word)
        if not alone or alone.startswith(blanks) or (end and alone.endswith(blanks)):
            return False
        if late_pattern is not None and late_pattern.search(alone) is not None:
            return False
        if components.normalize(f"x {word} x") != f"x {alone} x":
            return False
        return not first or components.ids(word) == components.ids(f" {word}")

    return check


def joins_before(character: str) -> bool:
    """Tell whether a character may join the grapheme cluster before it; some of these do not."""
    return (
        unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf", "Cn", "Co", "Lm", "Sk"}
        or character in "\u0e33\u0eb3"
    )
