"""Tests whether a word beside a cut has the ids that it has in the text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from staticemb_runtime.tokenization.segmenters import FIRST
from staticemb_runtime.tokenization.separator_pieces import MARK, PRINTABLE, find

if TYPE_CHECKING:
    from staticemb_runtime.tokenization.components import Design


class Guard:
    """Tells whether an added token could be spelled in a word or across words.

    Attributes:
        unsure: that cannot be told from the words alone.
        runs: the tokens that are runs of blanks. A text that holds one is not cut beside it.
        late_runs: one of them is looked for in the normalized text, where a blank at the end of a
            word and the one behind it make a run that the text does not show.
        raw: the other tokens that are looked for in the text.
        late: the tokens that are looked for in the normalized text, without outer blanks.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        raw, late = design.spellings()
        # A text with a run of blanks that is a token is not cut; a word shows any other spelling.
        self.runs = [spelling for spelling in raw if len(spelling) > 1 and not spelling.strip(" ")]
        self.raw = [spelling for spelling in raw if spelling not in self.runs]
        self.late_runs = False
        # In the normalized text a blank may be the marker, which belongs to the cut, not the word.
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
        """Whether the word holds a token, runs of blanks aside."""
        if self.runs and "  " in word:
            return any(self.spells(part) for part in word.split("  "))
        if self._raw is not None and self._raw.search(word) is not None:
            return True
        if self._late is None:
            return False
        return self._late.search(self._design.normalize(word)) is not None


def beside_blanks(
    design: Design,
    raw: list[str],
    late: list[str],
    *,
    end: bool,
    two_forms: bool = False,
    first: bool = False,
) -> Callable[[str], bool]:
    """A test whether the normalizer treats a word between blanks as it treats the word alone.

    The normalizer itself is asked, with visible neighbors behind the blanks. Printable ASCII, once
    found to be left as it is, needs no asking: each such character is a grapheme cluster of its
    own. A word that begins with a character that could join the cluster of the blank before it is
    refused, so that what stands at one end of a blank cannot matter at its other end.

    Args:
        design: the tokenizer's definition.
        raw: spellings that no word may hold.
        late: spellings that no normalized word may hold.
        end: also refuse a word that ends, normalized, in a blank or the marker.
        two_forms: see `Kept`.
        first: also refuse a word that has other ids behind a blank than at a text's begin.
    """
    raw_pattern, late_pattern = find(raw), find(late)
    plain = design.keeps_printable()
    blanks = (" ", MARK)

    def check(word: str) -> bool:
        if two_forms and word[0] == FIRST:
            word = word[1:]
        if not word:
            return two_forms
        if raw_pattern is not None and raw_pattern.search(word) is not None:
            return False
        if plain and PRINTABLE.fullmatch(word) is not None:
            return late_pattern is None or late_pattern.search(word) is None
        if word[0].isspace() or _extends(word[0]):
            return False
        alone = design.normalize(word)
        if not alone or alone.startswith(blanks) or (end and alone.endswith(blanks)):
            return False
        if late_pattern is not None and late_pattern.search(alone) is not None:
            return False
        if design.normalize(f"x {word} x") != f"x {alone} x":
            return False
        return not first or design.ids(word) == design.ids(f" {word}")

    return check


def _extends(character: str) -> bool:
    """Whether a character may join the grapheme cluster before it (more are named than do)."""
    return (
        unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf", "Cn", "Co", "Lm", "Sk"}
        or character in "\u0e33\u0eb3"
    )
