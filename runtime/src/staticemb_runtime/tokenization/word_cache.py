"""The words that are known with their token ids: tables for short words, a dictionary for others.

A full memory is halved. The alternatives are worse. One that stops growing serves only the first
subject. One that drops its oldest words loses every word of a collection, read repeatedly, just
before its next use. Counting uses would slow every use. A word is learned once between two
halvings, so text made of new words takes linear time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from typing import Final

from .word_table import MISSING, WordTable, expand
from .words import WordIds, Words, merge

CACHE_WORDS: Final = 262_144
_WIDTHS: Final = (2, 4)  # of the tables, in units of 8 bytes: words up to 16 and up to 32 bytes
# Longer words seldom occur twice: a few are kept, none beyond this length.
_LONGEST: Final = 1024
_LONG_SHARE: Final = 64


class WordCache:
    """A bounded memory of words; safe to use from several threads.

    It holds at most `size` words up to 16 bytes, a quarter as many up to 32 bytes, and a 64th as
    many up to 1,024 bytes. It grows with the number of words: 262,144 words of 16 bytes take 21 MB,
    and 4 bytes more for each id of a word that has several. Full, with words that have an id for
    each byte, it takes 70 MB.

    Args:
        size: the maximum number of short words; 0 keeps nothing.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._short = WordTable(_WIDTHS[0], size, slots=4)
        self._middle = WordTable(_WIDTHS[1], size // 4)
        self._long: dict[bytes, bytes | None] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._short.size + self._middle.size + len(self._long)

    def encode(self, words: Words, learn: Callable[[Words], WordIds]) -> WordIds:
        """Return the ids of words.

        Args:
            words: N words without zero bytes.
            learn: encodes words that are not stored.
        """
        values, ids = self._short.find(words)
        unknown = values == MISSING
        lengths = words.lengths
        long = lengths > 8 * self._short.width
        if long.any():
            values[long] = MISSING
            unknown |= long
        others = unknown.nonzero()[0]
        if not len(others):
            return expand(values, ids)
        return expand(values, ids, others, self._encode_others(words.select(others), learn))

    def add(self, words: Words, ids: WordIds) -> None:
        """Store different words of at most 16 bytes that are not stored."""
        with self._lock:
            self._short.add(words, ids)

    def _encode_others(self, words: Words, learn: Callable[[Words], WordIds]) -> WordIds:
        """Encode words that are not in the table of short words."""
        lengths = words.lengths
        short, not_long = lengths <= 8 * self._short.width, lengths <= 8 * self._middle.width
        if short.all():
            return self._learn(words, self._short, learn)
        parts = []
        if short.any():
            parts.append((short, self._learn(words.select(short), self._short, learn)))
        middle = not_long & ~short
        if middle.any():
            parts.append((middle, self._encode_middle(words.select(middle), learn)))
        if not not_long.all():
            parts.append((~not_long, self._encode_long(words.select(~not_long), learn)))
        return merge(parts)

    def _encode_middle(self, words: Words, learn: Callable[[Words], WordIds]) -> WordIds:
        values, ids = self._middle.find(words)
        others = (values == MISSING).nonzero()[0]
        if not len(others):
            return expand(values, ids)
        return expand(values, ids, others, self._learn(words.select(others), self._middle, learn))

    def _learn(self, words: Words, table: WordTable, learn: Callable[[Words], WordIds]) -> WordIds:
        """Encode words that are not stored, and store them."""
        distinct, kinds = table.distinct(words)
        new = words.select(distinct)
        learned = learn(new)
        if self.size:
            with self._lock:
                # Another thread may have stored some of them.
                missing = (table.find(new)[0] == MISSING).nonzero()[0]
                table.add(new.select(missing), learned.select(missing))
        return learned.select(kinds)

    def _encode_long(self, words: Words, learn: Callable[[Words], WordIds]) -> WordIds:
        spelled = words.spelled()
        stored = self._long
        known = {word: stored[word] for word in set(spelled) if word in stored}
        new = [word for word in dict.fromkeys(spelled) if word not in known]
        if new:
            learned = dict(zip(new, learn(Words.join(new)).split(), strict=True))
            known.update(learned)
            self._keep({word: ids for word, ids in learned.items() if len(word) <= _LONGEST})
        return WordIds.join([known[word] for word in spelled])

    def _keep(self, words: dict[bytes, bytes | None]) -> None:
        most = self.size // _LONG_SHARE
        with self._lock:
            if len(self._long) + len(words) > most:
                # Other threads may read the full dictionary, so no word is removed from it.
                self._long = dict(islice(self._long.items(), 0, None, 2))
            self._long.update(islice(words.items(), max(0, most - len(self._long))))
