"""Tell whether a text is in an alphabet that none of a model's languages is written in.

An alphabet is the first word of the names that Unicode gives its letters: GREEK, CYRILLIC, CJK.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Final

_WRITTEN_IN: Final = {
    "bs ca cs da de en es fi fil fr hr hu id is it lt lv ms nb nl no pl pt ro sk sl sv tr vi": "",
    "ar fa ur": "ARABIC",
    "bg mk ru sh sr uk": "CYRILLIC",
    "bn": "BENGALI",
    "el": "GREEK",
    "he": "HEBREW",
    "hi": "DEVANAGARI",
    "ja": "CJK HIRAGANA KATAKANA",
    "ko": "CJK HANGUL",
    "ta": "TAMIL",
    "zh": "BOPOMOFO CJK",
}
"""Languages, and their alphabets besides the Latin one."""

# Letters of no alphabet here, such as mathematical and ancient ones, count as the model's own.
_CHECKED: Final = (
    "ARABIC ARMENIAN BENGALI BOPOMOFO CHEROKEE CJK CYRILLIC DEVANAGARI ETHIOPIC GEORGIAN GREEK "
    "GUJARATI GURMUKHI HANGUL HEBREW HIRAGANA KANNADA KATAKANA KHMER LAO MALAYALAM MONGOLIAN "
    "MYANMAR ORIYA SINHALA SYRIAC TAMIL TELUGU THAANA THAI TIBETAN TIFINAGH"
)
_ALPHABETS: Final = frozenset(_CHECKED.split())
_NAMES: Final = {"CJK": "Chinese characters"}
_BEGINNING: Final = 128  # characters
_LEAST: Final = 2  # letters: a single one is often a symbol, such as α, π or Ω
_MOST_KEPT: Final = 1 << 14  # characters
_NO_LETTERS: Final = bytes(c for c in range(256) if not bytes([c]).isalpha())


class Alphabets:
    """The alphabets that are not those of some languages.

    Latin letters are never foreign: every vocabulary has them, and words in them.

    Args:
        own: the alphabets of the languages, besides the Latin one.

    Example:
        >>> english = alphabets_of("en")
        >>> english.is_foreign("Η γάτα κοιμάται"), english.alphabet("Η γάτα κοιμάται")
        (True, 'Greek')
        >>> english.is_foreign("The word γάτα means cat."), english.is_foreign("Die Katze schläft")
        (False, False)
    """

    def __init__(self, own: frozenset[str]) -> None:
        self._foreign = _ALPHABETS - own
        self._kinds = _Kinds(self._foreign)

    def is_foreign(self, text: str) -> bool:
        """Tell whether most letters of a text, and two at least, are in a foreign alphabet.

        The time is bounded for a text that is not: one whose first 128 characters are not mostly
        foreign counts as none, whatever follows.
        """
        beginning = text[:_BEGINNING]
        # In UTF-8, each character beyond ASCII has more than one byte. This alone passes nearly
        # all texts in Latin letters.
        data = beginning.encode(errors="surrogatepass")
        if len(data) - len(beginning) <= len(data.translate(None, _NO_LETTERS)):
            return False
        return self._is_mostly_foreign(beginning) and (
            len(text) <= _BEGINNING or self._is_mostly_foreign(text)
        )

    def alphabet(self, text: str) -> str:
        """Return the name of the commonest foreign alphabet of a text, such as `Cyrillic`."""
        counts = Counter(alphabet for c in text[:_BEGINNING] if (alphabet := _alphabet(c)))
        most = next(name for name, _ in counts.most_common() if name in self._foreign)
        return _NAMES.get(most, most.capitalize())

    def _is_mostly_foreign(self, text: str) -> bool:
        letters = text.translate(self._kinds)
        foreign = letters.count("f")
        return foreign >= _LEAST and 2 * foreign > len(letters)


@lru_cache(8)
def alphabets_of(languages: str) -> Alphabets | None:
    """Return the alphabets of languages, which models share.

    Args:
        languages: BCP 47 tags, separated by blanks.

    Returns:
        The alphabets; None if there are no languages, or the alphabet of one is not known.
    """
    known = {language: of for group, of in _WRITTEN_IN.items() for language in group.split()}
    codes = [tag.partition("-")[0].lower() for tag in languages.split()]
    if not codes or not known.keys() >= set(codes):
        return None
    return Alphabets(frozenset(" ".join(known[code] for code in codes).split()))


class _Kinds(dict[int, str]):
    """A table for `str.translate`: letters become `f`, foreign, or `o`, own; the rest goes."""

    def __init__(self, foreign: frozenset[str]) -> None:
        super().__init__()
        self._foreign = foreign

    def __missing__(self, code: int) -> str:
        kind = ""
        if chr(code).isalpha():
            kind = "f" if _alphabet(chr(code)) in self._foreign else "o"
        if len(self) < _MOST_KEPT:
            self[code] = kind
        return kind


def _alphabet(character: str) -> str:
    """Return the alphabet of a letter, or ""."""
    from unicodedata import name  # late: a text in ASCII does without

    first = name(character, "").partition(" ")[0]
    return first if first in _ALPHABETS and character.isalpha() else ""
