"""The cut of a block of texts into words, by operations on the bytes of the block.

Each byte has one of five classes: separator, word, mark, boundary of a text, odd. A word is a
maximal stretch of word bytes, or one mark. Each byte of a character beyond ASCII is a word byte:
what such a character means is left to the tokenizer, which gives the ids of whole words.

The cut is exact for most texts. Others are marked as odd, and a rule of `segmenters` cuts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .words import PADDING, Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Ints = NDArray[np.intp]
    Kinds = NDArray[np.uint8]

_SEPARATOR, _WORD, _MARK, _BOUNDARY, _ODD = range(5)
_END: Final = b"\xff"  # a byte that UTF-8 never has


class Cut(NamedTuple):
    """The words of a block of texts.

    Attributes:
        words: the words of all texts, in order.
        counts: (B,) the number of words of each text.
        odd: (B,) whether the words of a text are wrong; None if no text is odd.
    """

    words: Words
    counts: Ints
    odd: NDArray[np.bool_] | None


class ByteCut:
    """A cut into words.

    Args:
        separators: the ASCII characters that separate words.
        marks: the ASCII characters of which each is a word.
        odd: the ASCII characters that make a text odd; NUL always does.
        fold: whether a word has a to z in place of A to Z.
        single: whether two adjacent separators, and a separator at the start or end of a text, make
            a text odd.
        keep_blank: whether the blank before a word is part of the word. Needs `single`.
        spellings: strings that make a text odd.

    Attributes:
        keep_blank: the argument.
    """

    def __init__(
        self,
        separators: str,
        *,
        marks: str = "",
        odd: str = "",
        fold: bool = False,
        single: bool = False,
        keep_blank: bool = False,
        spellings: Iterable[str] = (),
    ) -> None:
        classes = bytearray([_WORD]) * 256
        for characters, kind in ((separators, _SEPARATOR), (marks, _MARK), ("\0" + odd, _ODD)):
            for byte in characters.encode("ascii"):
                classes[byte] = kind
        classes[_END[0]] = _BOUNDARY
        self._classes = bytes(classes)
        self._fold = fold
        self._single = single
        self.keep_blank = keep_blank
        self._spellings = [spelling.encode() for spelling in spellings]
        # The place in each spelling of the byte that is looked for first: a mark is rare.
        self._probes = [
            next((i for i, byte in enumerate(spelling) if classes[byte] == _MARK), 0)
            for spelling in self._spellings
        ]

    def cut(self, texts: list[str], *, continued: bool = False) -> Cut:
        """Cut texts into words.

        Args:
            texts: B texts.
            continued: whether the first text continues another text after a blank.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        data = _END.join([b"", *map(str.encode, texts), PADDING])
        if continued and self.keep_blank:
            data = b" " + data[1:]
        translated = data.translate(self._classes)
        kinds = np.frombuffer(translated, np.uint8, len(data) - len(PADDING))
        # A run is a word, some separators, or a boundary. The run of the first byte is left out.
        is_first = kinds[1:] != kinds[:-1]
        is_first |= kinds[1:] >= _MARK
        begins = is_first.nonzero()[0]
        begins += 1
        run_kinds = kinds.take(begins)
        bounds = (run_kinds == _BOUNDARY).nonzero()[0]
        is_word = run_kinds == _WORD
        is_word |= run_kinds == _MARK
        runs = is_word.nonzero()[0]
        starts = begins.take(runs)
        lengths = begins.take(runs + 1) - starts  # the last run is a boundary
        counts = np.searchsorted(runs, bounds)
        counts[1:] -= counts[:-1].copy()
        odd = self._odd(data, translated, begins, run_kinds, bounds)
        if self.keep_blank:
            has_blank = kinds.take(starts - 1) == _SEPARATOR
            starts -= has_blank
            lengths += has_blank
        buffer = data.lower() if self._fold else data
        return Cut(Words(buffer, starts, lengths), counts, odd)

    def _odd(
        self, data: bytes, translated: bytes, begins: Ints, run_kinds: Kinds, bounds: Ints
    ) -> NDArray[np.bool_] | None:
        odd = np.zeros(len(bounds), np.bool_)
        stop = len(data) - len(PADDING)  # a spelling may be found in the padding, too
        if self._single:
            # A word is on both sides of a separator that is alone and inside a text.
            separators = (run_kinds == _SEPARATOR).nonzero()[0]
            wrong = begins.take(separators + 1) - begins.take(separators) > 1
            wrong |= run_kinds.take(separators + 1) == _BOUNDARY
            # The run before the first one is the boundary at the start.
            wrong |= run_kinds.take(np.maximum(separators - 1, 0)) != _WORD
            odd[np.searchsorted(bounds, separators[wrong])] = True
        if translated.find(_ODD, 0, stop) >= 0:
            odd[np.searchsorted(bounds, (run_kinds == _ODD).nonzero()[0])] = True
        for spelling, probe in zip(self._spellings, self._probes, strict=True):
            if spelling[probe : probe + 1] in data:
                places = _find(data, spelling, probe)
                odd[np.searchsorted(begins.take(bounds), places[places < stop])] = True
        return odd if odd.any() else None


def _find(data: bytes, spelling: bytes, probe: int) -> Ints:
    """Return the places of a spelling, whose byte `probe` is looked for first."""
    array = np.frombuffer(data, np.uint8)
    places: Ints = (array == spelling[probe]).nonzero()[0] - probe
    places = places[(places >= 0) & (places <= len(data) - len(spelling))]
    for index, byte in enumerate(spelling):
        places = places[array.take(places + index) == byte]
    return places
