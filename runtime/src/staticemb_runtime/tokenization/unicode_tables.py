"""The character properties that BERT's tokenizer needs, equal to those of `tokenizers`.

The library follows an older version of Unicode than Python does, and each Python follows another.
So the sets of code points are tables of this package (see `unicode_data`). The one exception is the
decomposition of a character: Unicode never changes it, so `unicodedata` gives it for the code
points that the library decomposes. The same holds for the combining classes of nonspacing marks.

Code points that Unicode got lately have other lower case forms, or are other word characters, in
other versions of the library, which takes them from its compiler. The tables follow the version
that `unicode_data` names.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from . import unicode_data

if TYPE_CHECKING:
    from collections.abc import Callable


class CodePoints:
    """A set of code points, decoded at its first use.

    Args:
        data: gap and length of each range in turn, in base 36.

    Example:
        >>> digits = CodePoints("1c a")
        >>> 0x35 in digits, 0x41 in digits
        (True, False)
    """

    def __init__(self, data: str) -> None:
        self._data = data
        self._bounds: list[int] = []

    def __contains__(self, code: int) -> bool:
        bounds = self._bounds
        if not bounds:
            bounds = self._bounds = list(accumulate(_numbers(self._data)))
        # The bounds are a start, an end, a start, and so on.
        return bool(bisect_right(bounds, code) & 1)

    def ranges(self) -> list[tuple[int, int]]:
        """Return the first code point of each range, and the one after its last.

        Example:
            >>> CodePoints("1c a 1 2").ranges()
            [(48, 58), (59, 61)]
        """
        bounds = list(accumulate(_numbers(self._data)))
        return list(zip(bounds[::2], bounds[1::2], strict=True))


class _Values:
    """A number for each code point, decoded at its first use.

    Args:
        data: of each run of code points with one value, in base 36: how far it begins after the
            beginning of the run before it, its length, step and value.
    """

    def __init__(self, data: str) -> None:
        self._data = data
        self._firsts: list[int] = []
        self._runs: list[tuple[int, int, int]] = []

    def get(self, code: int) -> int:
        """Return the value of a code point; 0 if it is in no run."""
        if not self._firsts:
            numbers = _numbers(self._data)
            self._runs = list(zip(numbers[1::4], numbers[2::4], numbers[3::4], strict=True))
            self._firsts = list(accumulate(numbers[::4]))  # last: another thread may be here
        at = bisect_right(self._firsts, code) - 1
        if at < 0:
            return 0
        length, step, value = self._runs[at]
        ahead, rest = divmod(code - self._firsts[at], step)
        return 0 if rest or ahead >= length else value


WHITE_SPACE: Final = CodePoints(unicode_data.WHITE_SPACE)
CONTROL: Final = CodePoints(unicode_data.CONTROL)
PUNCTUATION: Final = CodePoints(unicode_data.PUNCTUATION)
IDEOGRAPHS: Final = CodePoints(unicode_data.IDEOGRAPHS)
NONSPACING_MARKS: Final = CodePoints(unicode_data.NONSPACING_MARKS)
WORD_CHARACTERS: Final = CodePoints(unicode_data.WORD_CHARACTERS)
_DECOMPOSED: Final = CodePoints(unicode_data.DECOMPOSED)
_LOWERCASE: Final = _Values(unicode_data.LOWERCASE)
_COMBINING: Final = _Values(unicode_data.COMBINING)


def lowercase(character: str) -> str:
    r"""Return the lower case form of one character, whatever its neighbors.

    Example:
        >>> lowercase("Σ"), lowercase("\u0130"), lowercase("1")
        ('σ', 'i̇', '1')
    """
    if character == "\u0130":
        return "i\u0307"
    return chr(ord(character) + _LOWERCASE.get(ord(character)))


def decompose(character: str) -> str:
    """Return the canonical decomposition of one character.

    Example:
        >>> [hex(ord(part)) for part in decompose("ệ")]
        ['0x65', '0x323', '0x302']
    """
    if ord(character) not in _DECOMPOSED:
        return character
    from unicodedata import normalize  # late: a text in ASCII does without it

    return normalize("NFD", character)


def combining_class(character: str) -> int:
    r"""Return the canonical combining class of a character without a decomposition.

    Example:
        >>> combining_class("a"), combining_class("\u0301"), combining_class("\u302e")
        (0, 230, 224)
    """
    if ord(character) in NONSPACING_MARKS:
        from unicodedata import combining

        return combining(character)
    return _COMBINING.get(ord(character))


class CharacterTable(dict[int, "str | int"]):
    """A table for `str.translate`; a character that is missing is added at its first use.

    It holds the characters that texts hold: at most all of Unicode.

    Args:
        step: what becomes of one character.
    """

    def __init__(self, step: Callable[[str], str]) -> None:
        self._step = step

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        made = self._step(character)
        # A character that stays needs no string of its own.
        return self.setdefault(code, code if made == character else made)


def _numbers(data: str) -> list[int]:
    return [int(number, 36) for number in data.split()]
