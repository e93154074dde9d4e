"""Words in a buffer, and token ids of words: values that many functions pass on."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.intp]
    Ids = NDArray[np.int32]

# What follows the last word of a buffer, so that 32 bytes can be read from any word's start.
PADDING: Final = bytes(32)


class Words(NamedTuple):
    """Words in a buffer, to be read `PADDING` bytes beyond the last one.

    Attributes:
        buffer: UTF-8.
        starts: (N,) the index of the first byte of each word.
        lengths: (N,) the number of bytes of each word.
    """

    buffer: bytes
    starts: Ints
    lengths: Ints

    def select(self, index: Any) -> Words:  # noqa: ANN401 - anything that selects elements
        """Return some of the words."""
        return Words(self.buffer, self.starts[index], self.lengths[index])

    def spelled(self) -> list[bytes]:
        """Return each word's bytes."""
        buffer = self.buffer
        ends = (self.starts + self.lengths).tolist()
        return [buffer[a:b] for a, b in zip(self.starts.tolist(), ends, strict=True)]

    def strings(self) -> list[str]:
        """Return the words as strings."""
        return [word.decode() for word in self.spelled()]

    @classmethod
    def join(cls, words: list[bytes]) -> Words:
        """Put words into one buffer."""
        lengths = np.fromiter(map(len, words), np.intp, len(words))
        return cls(b"".join(words) + PADDING, np.cumsum(lengths) - lengths, lengths)


class WordIds(NamedTuple):
    """Token ids of words, or of texts.

    Attributes:
        ids: (M,) the ids of all words, concatenated.
        counts: (N,) the number of ids of each word; -1 for a dependent word, which has no ids.
    """

    ids: Ids
    counts: Ints

    def select(self, index: Ints) -> WordIds:
        """Return the ids of some of the words, which may be repeated."""
        sizes = np.maximum(self.counts, 0)
        begins = np.cumsum(sizes) - sizes
        chosen = stretches(begins.take(index), sizes.take(index))
        return WordIds(self.ids.take(chosen), self.counts.take(index))

    def split(self) -> list[bytes | None]:
        """Return the bytes of each word's ids; None for a dependent word."""
        packed = self.ids.tobytes()
        ends = (4 * np.cumsum(np.maximum(self.counts, 0))).tolist()
        return [
            packed[end - 4 * count : end] if count >= 0 else None
            for end, count in zip(ends, self.counts.tolist(), strict=True)
        ]

    @classmethod
    def from_lists(cls, all_ids: Sequence[list[int] | None]) -> WordIds:
        """Make the ids of words from a list for each word; None for a dependent word."""
        counts = [-1 if ids is None else len(ids) for ids in all_ids]
        ids = chain.from_iterable(ids for ids in all_ids if ids)
        return cls(np.fromiter(ids, np.int32), np.array(counts, np.intp))

    @classmethod
    def join(cls, packed: list[bytes | None]) -> WordIds:
        """Make the ids of words from the bytes of each word's ids."""
        counts = [-1 if ids is None else len(ids) // 4 for ids in packed]
        return cls(
            np.frombuffer(b"".join(filter(None, packed)), np.int32), np.array(counts, np.intp)
        )


def merge(parts: list[tuple[NDArray[np.bool_], WordIds]]) -> WordIds:
    """Merge the ids of words, each of which belongs to one part.

    Args:
        parts: for each part (N,) whether a word belongs to it, and the ids of its words.
    """
    counts = np.empty(len(parts[0][0]), np.intp)
    for is_member, part in parts:
        counts[is_member] = part.counts
    sizes = np.maximum(counts, 0)
    ids = np.empty(int(sizes.sum()), np.int32)
    for is_member, part in parts:
        ids[np.repeat(is_member, sizes)] = part.ids
    return WordIds(ids, counts)


def stretches(begins: Ints, sizes: Ints) -> Ints:
    """Return the indices begins[0], begins[0] + 1, … of stretches of the given sizes."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    indices: Ints = np.arange(total) + np.repeat(begins - (ends - sizes), sizes)
    return indices
