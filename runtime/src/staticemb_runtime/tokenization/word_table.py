"""A hash table made of arrays, from words to token ids, that looks up all words of a block at once.

- A word is the stretch of a byte buffer between a start and an end. Its key is its bytes, padded
  with zeros and read as 64-bit integers, so it is exact: two words never have the same key. A word
  must not contain a zero byte.
- Collisions are resolved by open addressing with linear probing. Each step looks up all words that
  are not yet found. Half of the slots stay empty.
- The hash is a sum of products with odd random factors, its high bits taken. Nobody who does not
  know the factors can choose words that collide. A word further than `_FARTHEST` slots from its
  home is not stored, which bounds the work in any case.
- A thread may look up words while another one adds some. A slot's value is written after its key
  and after the ids that the value refers to, and a slot that is in use never changes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np

from .words import WordIds, Words, stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.intp]
    Ids = NDArray[np.int32]
    Keys = list[NDArray[np.uint64]]

# Values of a slot: an id, or -2 - n for ids that stand at place n of the list of ids, or:
MISSING: Final = -1
# A word whose ids depend on its neighbors: its text must be tokenized in another way.
DEPENDENT: Final = -(2**31)

_FARTHEST: Final = 64
_LEAST_SLOTS: Final = 1 << 12


# For the first, second, … integer of a key: the mask of a word's bytes, by the word's length.
_MASKS: Final = [
    np.array([(1 << 8 * min(max(n - 8 * part, 0), 8)) - 1 for n in range(33)], np.uint64)
    for part in range(4)
]


def read_keys(words: Words, width: int) -> Keys:
    """Read words as integers.

    Args:
        words: N words of at most 8 * `width` bytes; of longer ones only the start is read.
        width: the number of integers of a key.

    Returns:
        `width` arrays (N,).

    Example:
        >>> words = Words.join([b"ab", b"c"])
        >>> [hex(key) for key in read_keys(words, 2)[0].tolist()]
        ['0x6261', '0x63']
    """
    buffer, starts, lengths = words
    # Overlapping integers, one at each byte. Numpy copies those that are not aligned.
    integers = np.ndarray((len(buffer) - 7,), "<u8", buffer, 0, (1,))
    keys = [integers[starts] & _MASKS[0].take(lengths, mode="clip")]
    for part in range(1, width):
        # Most words are short.
        longer = (lengths > 8 * part).nonzero()[0]
        key = np.zeros(len(starts), np.uint64)
        masks = _MASKS[part].take(lengths.take(longer), mode="clip")
        key[longer] = integers[starts.take(longer) + 8 * part] & masks
        keys.append(key)
    return keys


class WordTable:
    """A hash table from words to token ids. One thread at a time may add words.

    Args:
        width: the length of the longest word, in units of 8 bytes.
        words: the maximum number of words.
        slots: how many slots there are at least for each word. More of them take memory, and end
            the search for a word that is not stored earlier.

    Attributes:
        size: the number of stored words.
    """

    def __init__(self, width: int, words: int, *, slots: int = 2) -> None:
        self.width = width
        self.size = 0
        self._most = words
        self._slots_per_word = slots
        seed = np.frombuffer(os.urandom(8 * width), np.uint64)
        self._factors = list(seed | np.uint64(1))
        self._slots = _Slots(width, min(_LEAST_SLOTS, _power_of_two(slots * words)))

    @property
    def nbytes(self) -> int:
        """The memory of the arrays."""
        return self._slots.nbytes

    def find(self, words: Words) -> tuple[Ids, Ids]:
        """Look up words.

        Args:
            words: N words of at most 8 * `width` bytes; longer ones get an arbitrary value.

        Returns:
            The values of N slots (`MISSING` for a word that is not stored), for `expand`, and the
            list of ids that they refer to.
        """
        slots = self._slots
        keys = read_keys(words, self.width)
        values = slots.find(keys, self._homes(keys, slots))
        return values, slots.ids  # in this order: values refer to a part that is written before

    def add(self, words: Words, ids: WordIds) -> None:
        """Store words that are not stored; halve the table first if it becomes too full.

        Args:
            words: N different words.
            ids: their ids.
        """
        room = self._most - self.size
        if len(words.starts) > room:
            slots = self._rebuilt(half=True)
            room = self._most - self.size
            if len(words.starts) > room:
                words, ids = words.select(slice(room)), ids.select(np.arange(room))
            self._slots = slots
        while self._slots_per_word * (self.size + len(words.starts)) > self._slots.count:
            self._slots = self._rebuilt(half=False)
        keys = read_keys(words, self.width)
        values = self._slots.append(ids)
        self.size += self._slots.insert(keys, self._homes(keys, self._slots), values)

    def distinct(self, words: Words) -> tuple[Ints, Ints]:
        """Find the different words. A word may be found twice, which is improbable.

        Returns:
            (K,) the index of one word of each kind, and (N,) the number of each word's kind.
        """
        keys = read_keys(words, self.width)
        hashes = self._hashes(keys)
        order = np.argsort(hashes)
        is_new = np.zeros(len(order), np.bool_)
        is_new[:1] = True
        for part in keys:
            ordered = part.take(order)
            is_new[1:] |= ordered[1:] != ordered[:-1]
        kinds = np.empty(len(order), np.intp)
        kinds[order] = np.cumsum(is_new) - 1
        return order[is_new], kinds

    def _hashes(self, keys: Keys) -> NDArray[np.uint64]:
        hashes: NDArray[np.uint64] = keys[0] * self._factors[0]
        for key, factor in zip(keys[1:], self._factors[1:], strict=True):
            hashes += key * factor
        return hashes

    def _homes(self, keys: Keys, slots: _Slots) -> Ints:
        homes = (self._hashes(keys) >> slots.shift).view(np.int64)
        index: Ints = homes.astype(np.intp, copy=False)  # 32 bits on 32-bit systems
        return index

    def _rebuilt(self, *, half: bool) -> _Slots:
        """Return the words in new slots: half of the words, or all of them in twice the slots."""
        old = self._slots
        used = (old.values != MISSING).nonzero()[0]
        if half:
            used = used[::2]
        slots = _Slots(self.width, old.count if half else 2 * old.count)
        values = slots.append(expand(old.values.take(used), old.ids))
        keys = [key.take(used) for key in old.keys]
        self.size = slots.insert(keys, self._homes(keys, slots), values)
        return slots


class _Slots:
    """The arrays of a table.

    Attributes:
        count: the number of slots, a power of 2.
        keys: the parts of the key of each slot.
        values: the value of each slot.
        ids: for each word that has not exactly one id the number of its ids, then the ids.
    """

    def __init__(self, width: int, count: int) -> None:
        self.count = count
        self.shift = np.uint64(65 - count.bit_length())
        self.keys = [np.zeros(count, np.uint64) for _ in range(width)]
        self.values = np.full(count, MISSING, np.int32)
        self.ids = np.empty(0, np.int32)
        self._n_ids = 0
        self._farthest = 0

    @property
    def nbytes(self) -> int:
        """The memory of the arrays."""
        return sum(key.nbytes for key in self.keys) + self.values.nbytes + self.ids.nbytes

    def find(self, keys: Keys, homes: Ints) -> Ids:
        """Return the values of keys whose search begins at `homes`; MISSING if there is none."""
        # The value is read before the key: see the module's docstring.
        values = self.values.take(homes)
        others = (~self._equal(keys, homes)).nonzero()[0]
        if not len(others):
            return values
        remaining = [key.take(others) for key in keys]
        at = homes.take(others)
        # An empty slot ends the search.
        at, others, remaining = self._searched(values.take(others), at, others, remaining)
        values[others] = MISSING
        for _ in range(self._farthest):
            if not len(others):
                break
            at = (at + 1) & (self.count - 1)
            stored = self.values.take(at)
            equal = self._equal(remaining, at)
            values[others[equal]] = stored[equal]
            unequal = (~equal).nonzero()[0]
            at, others = at.take(unequal), others.take(unequal)
            remaining = [key.take(unequal) for key in remaining]
            at, others, remaining = self._searched(stored.take(unequal), at, others, remaining)
        return values

    def _searched(self, values: Ids, at: Ints, others: Ints, keys: Keys) -> tuple[Ints, Ints, Keys]:
        """Return the searches that have not met an empty slot."""
        going = (values != MISSING).nonzero()[0]
        return at.take(going), others.take(going), [key.take(going) for key in keys]

    def _equal(self, keys: Keys, at: Ints) -> NDArray[np.bool_]:
        equal: NDArray[np.bool_] = self.keys[0].take(at) == keys[0]
        for stored, key in zip(self.keys[1:], keys[1:], strict=True):
            equal &= stored.take(at) == key
        return equal

    def append(self, ids: WordIds) -> Ids:
        """Write the ids of words and return the values of their slots."""
        counts = ids.counts
        values = np.empty(len(counts), np.int32)
        single = counts == 1
        begins = np.cumsum(np.maximum(counts, 0)) - np.maximum(counts, 0)
        values[single] = ids.ids[begins[single]]
        values[counts < 0] = DEPENDENT
        several = (~single & (counts >= 0)).nonzero()[0]
        if len(several):
            sizes = counts[several]
            ends = np.cumsum(sizes + 1)
            places = ends - sizes - 1
            block = np.empty(int(ends[-1]), np.int32)
            block[places] = sizes
            is_id = np.ones(len(block), np.bool_)
            is_id[places] = False
            block[is_id] = ids.ids[stretches(begins[several], sizes)]
            values[several] = -2 - (places + self._n_ids)
            self._reserve(len(block))
            self.ids[self._n_ids : self._n_ids + len(block)] = block
            self._n_ids += len(block)
        return values

    def _reserve(self, count: int) -> None:
        if self._n_ids + count > len(self.ids):
            ids = np.empty((self._n_ids + count) * 3 // 2, np.int32)
            ids[: self._n_ids] = self.ids[: self._n_ids]
            self.ids = ids  # readers of the old array need nothing beyond its end

    def insert(self, keys: Keys, homes: Ints, values: Ids) -> int:
        """Store different keys; the first ones get the slots that are nearest to their homes.

        Returns:
            The number of stored keys.
        """
        pending = np.arange(len(values))
        at = homes
        for distance in range(_FARTHEST):
            free = (self.values.take(at) == MISSING).nonzero()[0]
            first = free[_first_of_each(at.take(free))]
            won, slots = pending.take(first), at.take(first)
            for stored, key in zip(self.keys, keys, strict=True):
                stored[slots] = key.take(won)
            self.values[slots] = values.take(won)  # last: see the module's docstring
            self._farthest = max(self._farthest, distance)
            lost = np.ones(len(pending), np.bool_)
            lost[first] = False
            pending, at = pending[lost], (at[lost] + 1) & (self.count - 1)
            if not len(pending):
                break
        return len(values) - len(pending)


def expand(
    values: Ids, ids: Ids, others: Ints | None = None, other_ids: WordIds | None = None
) -> WordIds:
    """Turn the values of words into their ids.

    Args:
        values: (N,) as from `WordTable.find`.
        ids: the list of ids that the values refer to.
        others: (K,) the indices of the words that are `MISSING`.
        other_ids: the ids of these K words.
    """
    counts = np.ones(len(values), np.intp)
    several = (values < MISSING).nonzero()[0]
    places = -2 - values.take(several).astype(np.intp)
    dependent = values.take(several) == DEPENDENT
    places[dependent] = -1
    sizes = ids.take(places, mode="clip").astype(np.intp) if len(ids) else places.copy()
    sizes[dependent] = 0
    counts[several] = sizes
    if others is not None and other_ids is not None:
        other_sizes = np.maximum(other_ids.counts, 0)
        counts[others] = other_sizes
    ends = np.cumsum(counts)
    begins = ends - counts
    # Each word's value, as if it were an id. A word without ids writes into the next word's place,
    # or into one more place at the end, and the next word's value replaces it.
    all_ids = np.empty(int(ends[-1]) + 1 if len(ends) else 1, np.int32)
    all_ids[begins] = values
    all_ids = all_ids[:-1]
    if len(ids):
        all_ids[stretches(begins.take(several), sizes)] = ids[stretches(places + 1, sizes)]
    if others is not None and other_ids is not None:
        all_ids[stretches(begins.take(others), other_sizes)] = other_ids.ids
        counts[others] = other_ids.counts
    counts[several[dependent]] = -1
    return WordIds(all_ids, counts)


def _first_of_each(values: Ints) -> Ints:
    """Return the index of the first occurrence of each value."""
    order = np.argsort(values, kind="stable")
    ordered = values.take(order)
    first = np.ones(len(order), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return order[first]


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 1).bit_length()
