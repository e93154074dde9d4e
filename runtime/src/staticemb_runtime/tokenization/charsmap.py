"""SentencePiece's precompiled character map, as `tokenizers` applies it.

The map is a double-array trie from UTF-8 to replacements. `tokenizers` cuts a text into grapheme
clusters. A cluster of fewer than 6 bytes is looked up whole: the *shortest* key that begins it
replaces the whole cluster. If no key does, and in longer clusters, each character is looked up by
itself. So most characters are replaced alone, whatever the clusters are:

- If no key begins with a character, no cluster that starts there is replaced whole.
- A character that cannot join its neighbors is a cluster by itself.
- Two characters that have 6 bytes together are in no short cluster.

Other places need the exact cluster. It is known if a base character is followed by combining marks
of old Unicode versions alone; any other place makes the answer None.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

# A cluster with fewer bytes is looked up whole.
_SHORT: Final = 6
# Characters to remember: more than any language needs, and at most 10 MB.
_MAX_KNOWN: Final = 1 << 16
# Format characters that end a cluster in every version of Unicode since 6.3.
_CONTROLS: Final = frozenset(
    "\u00ad\u200b\u200e\u200f\ufeff"
    + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x206A)]))
)
# Characters of other categories than marks that continue a cluster.
_JOINING: Final = frozenset(
    "\u0e33\u0eb3\u200c\u200d\uff9e\uff9f"
    + "".join(map(chr, [*range(0x1F3FB, 0x1F400), *range(0xE0000, 0xE0080)]))
)
# Marks that continue a cluster in every version of Unicode since 5.1, and the non-joiner.
_MARKS: Final = frozenset(
    map(
        chr,
        [
            *range(0x300, 0x370),
            *range(0x483, 0x488),
            *range(0x591, 0x5BE),
            *range(0x64B, 0x65F),
            0x670,
            0x200C,
        ],
    )
)


class _Entry(NamedTuple):
    """What the map says of one character.

    Attributes:
        replacement: the text in its place; None: the character stays.
        begins: whether a key begins with the character.
        joins: whether it may continue the cluster before it.
        leads: whether it may join the character behind it, whatever that is.
    """

    replacement: str | None
    begins: bool
    joins: bool
    leads: bool


class CharacterMap:
    """A precompiled character map; safe to use from several threads.

    Args:
        data: the bytes of `precompiled_charsmap`.

    Raises:
        ValueError: the bytes are not a character map.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < 4:
            raise ValueError("expected at least 4 bytes")
        n_units = int.from_bytes(data[:4], "little") // 4
        if 4 + 4 * n_units > len(data):
            raise ValueError("expected the whole trie")
        self._trie = np.frombuffer(data, "<u4", n_units, 4)
        self._replacements = data[4 + 4 * n_units :]
        self._replacements.decode()
        self._known: dict[str, _Entry] = {}
        # Characters that are replaced alone, for str.translate.
        self._table: dict[int, str] = {}
        self._active: set[str] = set()
        self._restless: set[str] = set()

    def normalize(self, text: str) -> str | None:
        """Return the normalized text, or None if this module cannot prove what it is."""
        present = set(text)
        new = present.difference(self._known)
        if len(self._known) + len(new) > _MAX_KNOWN:
            return None
        try:
            for character in new:
                self._learn(character)
            if self._active.isdisjoint(present):
                return text
            if self._restless.isdisjoint(present) and "\r\n" not in text:
                return text.translate(self._table)
            return self._by_clusters(text)
        except (IndexError, ValueError):
            return None  # the map is malformed here: `tokenizers` fails at such a text

    def _by_clusters(self, text: str) -> str | None:
        """Normalize a text with characters that may join others."""
        parts: list[str] = []
        done = at = 0
        known, size = self._known, len(text)
        # Only these places can begin a cluster that is replaced whole.
        while at < size:
            following = text[at + 1] if at + 1 < size else ""
            if (
                not following
                or not known[text[at]].begins
                or not self._may_join(text[at], following)
            ):
                at += 1
                continue
            end = self._cluster_end(text, at)
            if end is None:
                return None
            cluster = text[at:end].encode()
            replacement = self._replacement(cluster) if len(cluster) < _SHORT else None
            if replacement is not None:
                parts += [text[done:at].translate(self._table), replacement]
                done = end
            at = end
        parts.append(text[done:].translate(self._table))
        return "".join(parts)

    def _may_join(self, left: str, right: str) -> bool:
        """Tell whether two neighbors may be in one cluster of fewer than 6 bytes."""
        if left + right == "\r\n":
            return True
        if unicodedata.category(left) == "Cc" or left in _CONTROLS:
            return False
        if not (self._known[right].joins or self._known[left].leads):
            return False
        return len((left + right).encode()) < _SHORT

    def _cluster_end(self, text: str, at: int) -> int | None:
        """Find the end of the cluster that begins at a character.

        Returns:
            The index after the cluster, or after its first 6 bytes or more; None if this is not
            known.
        """
        if text[at : at + 2] == "\r\n":
            return at + 2
        known = self._known
        if known[text[at]].joins or known[text[at]].leads:
            return None
        if at and known[text[at - 1]].leads:
            return None
        end = at + 1
        while end < len(text) and text[end] in _MARKS:
            end += 1
        open_ = end < len(text) and known[text[end]].joins
        return None if open_ and len(text[at:end].encode()) < _SHORT else end

    def _learn(self, character: str) -> None:
        """Look a character up, and remember what it does."""
        key = character.encode()
        replacement = self._replacement(key)
        category = unicodedata.category(character)
        joins = category in {"Mn", "Mc", "Me", "Cn"} or character in _JOINING
        # Characters that join what follows: format characters, letters of Indic scripts, and
        # perhaps one that a later version adds.
        leads = category == "Cn" or character == "\u0d4e"
        leads = leads or (category == "Cf" and character not in _CONTROLS | _JOINING)
        leads = leads or (category == "Lo" and 0x11000 <= ord(character) < 0x12000)
        entry = _Entry(replacement, self._begins(key), joins, leads)
        if replacement is not None:
            self._table[ord(character)] = replacement
        if joins or leads:
            self._restless.add(character)
        if entry.begins:
            self._active.add(character)
        self._known[character] = entry

    def _begins(self, character: bytes) -> bool:
        """Tell whether a key may begin with a character."""
        whole = sum(1 for _ in self._walk(character)) == len(character)
        return whole or self._replacement(character) is not None

    def _walk(self, key: bytes) -> Iterator[tuple[int, int]]:
        """Follow a key through the trie, as far as it goes.

        Yields:
            For each byte the unit of its node, and the place of the node's children.
        """
        trie = self._trie
        place = _offset(int(trie[0]))
        for byte in key:
            if byte == 0:
                return
            place ^= byte
            unit = int(trie[place])
            if unit & 0x800000FF != byte:
                return
            place ^= _offset(unit)
            yield unit, place

    def _replacement(self, key: bytes) -> str | None:
        """Return the replacement of the shortest prefix of a key in the map, or None."""
        for unit, place in self._walk(key):
            if unit >> 8 & 1:
                return self._text_at(int(self._trie[place]) & 0x7FFFFFFF)
        return None

    def _text_at(self, begin: int) -> str:
        if begin > len(self._replacements):
            raise ValueError("a replacement outside the map")
        end = self._replacements.find(b"\0", begin)
        return self._replacements[begin : None if end < 0 else end].decode()


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & (1 << 9)) >> 6)
