"""Count and warn about foreign texts: texts in a language that the model does not read.

An alphabet tells (`alphabets`), or common words do (`common_words`). Letters and pieces of such a
text may be tokens, as Greek letters are in an English model, but no vector of these says what the
text means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import LanguageWarning
from .caller_warnings import warn_caller
from .empty_texts import advice

if TYPE_CHECKING:
    from collections.abc import Collection

    from .batching import Batch

_SAMPLE: Final = 32
_MULTILINGUAL: Final = {
    *("Dutch", "French", "German", "Italian", "Polish", "Portuguese", "Spanish"),
    *("Chinese characters", "Cyrillic", "Hiragana", "Katakana"),
}
"""The languages, and alphabets besides the Latin one, that the package in `advice` reads."""


class ForeignTexts:
    """Counter of the foreign texts of one or several calls.

    At most 63 texts of a slice are checked, of a large one 32. Empty texts (`EmptyTexts`) are not
    counted: their vectors are zero whatever their alphabet is.

    Attributes:
        checked: the number of texts that were checked.
        count: how many of them are foreign.
        first: the index of the first of these; -1: there is none.
        place: its name in messages; "": its index.
        language: its language, or its alphabet.
        languages: the languages of the model, as its file names them.
    """

    # Attributes of the class, as in `EmptyTexts`.
    checked = 0
    count = 0
    first = -1
    place = ""
    language = ""
    languages = ""

    def add(
        self,
        batch: Batch,
        empty: Collection[int],
        languages: str,
        *,
        prompt: str | None = None,
        by_words: bool = True,
    ) -> None:
        """Check texts of a slice.

        Args:
            batch: the slice.
            empty: the indices in it of the texts without a known token.
            languages: the languages of the model.
            prompt: what was put before each text; it does not count.
            by_words: whether to look for common words, besides alphabets.
        """
        texts = batch.texts
        step = len(texts) // _SAMPLE or 1
        # Not at even distances: texts often alternate between two languages.
        sample = [n * step + n * 37 % step for n in range(len(texts) // step)]
        self.checked += len(sample)
        if not by_words:
            sample = [index for index in sample if not texts[index].isascii()]
        begin = len(prompt or "")
        for index in sample:
            language = _language(texts[index][begin:], languages, by_words=by_words)
            if language and index not in empty:
                self.count += 1
                if self.first < 0:
                    self.first = batch.start + index
                    self.language, self.languages = language, languages

    def merge(self, later: ForeignTexts) -> bool:
        """Add the counts of later texts; return whether the first foreign text is one of them."""
        self.checked += later.checked
        self.count += later.count
        if self.first >= 0 or later.first < 0:
            return False
        self.first, self.place = later.first, later.place
        self.language, self.languages = later.language, later.languages
        return True

    def describe(self) -> str:
        """Return a message with the number of foreign texts.

        Example:
            >>> texts = ForeignTexts()
            >>> texts.checked, texts.count, texts.first = 32, 2, 7
            >>> texts.language, texts.languages = "Cyrillic", "de en"
            >>> texts.describe()
            '2 of 32 checked texts are in a language that the model does not read: their vectors \
mean little; the first of them is text 7, in Cyrillic. The languages of the model: de en'
        """
        more = advice(self.languages) if self.language in _MULTILINGUAL else ""
        more = more or f". The languages of the model: {self.languages:.80}"
        return (
            f"{self.count:,} of {self.checked:,} checked texts are in a language that the model "
            "does not read: their vectors mean little; the first of them is "
            f"{self.place or f'text {self.first}'}, in {self.language}{more}"
        )

    def warn(self) -> None:
        """Issue a warning at the line that called this package."""
        hint = "one warning per model; on_empty='zero' accepts such texts"
        warn_caller(f"{self.describe()} ({hint})", LanguageWarning)


def _language(text: str, languages: str, *, by_words: bool) -> str:
    """Name the language or the alphabet of a text; "": the model reads it, or nothing tells."""
    if not text.isascii():
        from .alphabets import alphabets_of  # late: texts in ASCII do without

        alphabets = alphabets_of(languages)
        if alphabets is not None and alphabets.is_foreign(text):
            return alphabets.alphabet(text)
    if not by_words:
        return ""
    from .common_words import words_of  # late: a single text does without

    words = words_of(languages)
    return "" if words is None else words.language(text)
