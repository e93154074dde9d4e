"""SentencePiece's Unigram model over mapped arrays: the likeliest pieces of a word.

All substrings of a block of words are looked up at once. Their hashes come from prefix sums: with
Q[i] = Σ_{j<i} (byte j + 1) · M^-(j+1), the hash of bytes s to e is M^e · (Q[e] - Q[s]), modulo
2^64. The best path through the found pieces then needs a short loop for each word.

Every sum adds float64 scores in the order in which `tokenizers` adds them, and of equal sums the
first stays, so that the pieces are the same.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..format.pieces import ID_BITS, MAX_PIECE_BYTES, MULTIPLIER, PROBES, mix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..format.pieces import Pieces

# The score of an unknown character is below the least score by this.
_UNKNOWN_PENALTY: Final = 10.0
# Bytes of words in a block, and substrings that are looked up together: 2 MB of arrays.
_BLOCK: Final = 1 << 14
_LOOK_UPS: Final = 1 << 15
_INVERSE: Final = pow(MULTIPLIER, -1, 1 << 64)


class _Matches(NamedTuple):
    """The pieces in a block of characters, by ascending start, then by ascending end."""

    starts: list[int]
    ends: list[int]
    ids: list[int]
    scores: list[float]


class Unigram:
    """A Unigram model; safe to use from several threads.

    Args:
        pieces: the vocabulary.
        unknown: the id of an unknown character, below P.
        byte_fallback: whether the pieces `<0x00>` to `<0xFF>` spell unknown text.
    """

    def __init__(self, pieces: Pieces, *, unknown: int, byte_fallback: bool) -> None:
        self._pieces = pieces
        self._unknown = unknown
        self._unknown_score = float(pieces.scores.min()) - _UNKNOWN_PENALTY
        lengths = np.diff(pieces.ends.astype(np.intp), prepend=0)
        self._longest = int(lengths.max())
        self._powers = _powers(256)
        self._lock = threading.Lock()
        self._bytes: list[int] | None = None
        if byte_fallback:
            self._bytes = self.ids_of([f"<0x{byte:02X}>" for byte in range(256)])

    def encode(self, words: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Encode words that a pre-tokenizer has cut, each with its marker.

        Args:
            words: B words without lone surrogates.

        Returns:
            The ids, shape (N,) int32, and the number of ids of each word, shape (B,) intp, sum N.
        """
        ids: list[int] = []
        counts: list[int] = []
        for block in _blocks(words):
            self._encode_block(block, ids, counts)
        return np.array(ids, np.int32), np.array(counts, np.intp)

    def ids_of(self, pieces: Sequence[str]) -> list[int]:
        """Return the id of each piece of the vocabulary, and -1 for other strings."""
        spelled = [piece.encode() for piece in pieces]
        chosen = [i for i, each in enumerate(spelled) if 0 < len(each) <= MAX_PIECE_BYTES]
        ids = np.full(len(spelled), -1, np.intp)
        if chosen:
            text = b"".join(spelled[i] for i in chosen)
            ends = np.cumsum([len(spelled[i]) for i in chosen], dtype=np.intp)
            begins = np.concatenate([ends[:0], [0], ends[:-1]])
            ids[chosen] = self._look_up(np.frombuffer(text, np.uint8), begins, ends)
        id_list: list[int] = ids.tolist()
        return id_list

    def _encode_block(self, words: Sequence[str], ids: list[int], counts: list[int]) -> None:
        text = np.frombuffer("".join(words).encode(), np.uint8)
        # Offsets of the characters in bytes; a byte 10xxxxxx continues a character.
        edges = np.append(np.flatnonzero((text & 0xC0) != 0x80), len(text))
        lengths = np.fromiter(map(len, words), np.intp, len(words))
        matches = self._matches(text, edges, lengths)
        paths = self._paths(lengths.tolist(), matches)
        self._spell_unknown(text, edges, paths)
        for path in paths:
            counts.append(len(path))
            ids += [token_id for _, _, token_id in path]

    def _matches(
        self, text: NDArray[np.uint8], edges: NDArray[np.intp], lengths: NDArray[np.intp]
    ) -> _Matches:
        """Find all pieces in words.

        Args:
            text: (N,) the bytes of all words.
            edges: (C + 1,) the offset of each character, and N.
            lengths: (B,) the number of characters of each word, sum C.
        """
        starts = np.arange(len(edges) - 1)
        last = np.repeat(np.cumsum(lengths), lengths)
        reach = np.searchsorted(edges, edges[:-1] + self._longest, "right") - 1
        sizes = np.minimum(last, reach) - starts
        matches: list[tuple[NDArray[np.intp], ...]] = []
        for part in _parts(sizes):
            start = np.repeat(starts[part], sizes[part])
            begun = np.cumsum(sizes[part]) - sizes[part]
            end = start + 1 + np.arange(len(start)) - np.repeat(begun, sizes[part])
            token_ids = self._look_up(text, edges[start], edges[end])
            hit = np.flatnonzero(token_ids >= 0)
            matches.append((start[hit], end[hit], token_ids[hit]))
        columns = [np.concatenate(column) for column in zip(*matches, strict=True)]
        if not columns:
            return _Matches([], [], [], [])
        scores: list[float] = self._pieces.scores[columns[2]].tolist()
        return _Matches(columns[0].tolist(), columns[1].tolist(), columns[2].tolist(), scores)

    def _look_up(
        self, text: NDArray[np.uint8], begins: NDArray[np.intp], ends: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Return the id of each stretch of `text`, or -1; each stretch has 1 to 255 bytes."""
        powers, inverse = self._powers_for(len(text))
        sums = np.zeros(len(text) + 1, np.uint64)
        np.cumsum(
            (text.astype(np.uint64) + np.uint64(1)) * inverse[1 : len(text) + 1], out=sums[1:]
        )
        t = mix(powers[ends] * (sums[ends] - sums[begins]))
        pieces = self._pieces
        token_ids = np.full(len(t), -1, np.intp)
        tags = t >> np.uint64(ID_BITS)
        places = (t >> np.uint64(pieces.home_shift)).astype(np.intp)
        open_ = np.arange(len(t))
        low = np.uint64((1 << ID_BITS) - 1)
        for probe in range(PROBES):
            entries = pieces.slots[places[open_] + probe]
            hashes = entries >> np.uint64(ID_BITS)
            sought = tags[open_]
            more = (entries != 0) & (hashes <= sought)
            hit = np.flatnonzero(more & (hashes == sought))
            if len(hit):
                which = open_[hit]
                candidates = (entries[hit] & low).astype(np.intp) - 1
                equal = self._equal(text, begins[which], ends[which], candidates)
                token_ids[which[equal]] = candidates[equal]
                more[hit[equal]] = False
            # Entries ascend by t: a greater one stands behind the place of the sought one.
            open_ = open_[more]
            if not len(open_):
                break
        return token_ids

    def _equal(
        self,
        text: NDArray[np.uint8],
        begins: NDArray[np.intp],
        ends: NDArray[np.intp],
        token_ids: NDArray[np.intp],
    ) -> NDArray[np.bool_]:
        """Compare stretches of `text` with the bytes of pieces, whose ids are not checked."""
        pieces = self._pieces
        valid = (token_ids >= 0) & (token_ids < len(pieces.ends))
        token_ids = np.where(valid, token_ids, 0)
        piece_ends = pieces.ends[token_ids].astype(np.intp)
        piece_begins = np.where(token_ids > 0, pieces.ends[token_ids - 1], 0).astype(np.intp)
        lengths = ends - begins
        valid &= piece_ends - piece_begins == lengths
        rows = np.flatnonzero(valid)
        if not len(rows):
            return valid
        lengths = lengths[rows]
        firsts = np.cumsum(lengths) - lengths
        within = np.arange(int(lengths.sum())) - np.repeat(firsts, lengths)
        here = text[np.repeat(begins[rows], lengths) + within]
        there = pieces.text[np.repeat(piece_begins[rows], lengths) + within]
        valid[rows] = np.logical_and.reduceat(here == there, firsts)
        return valid

    def _paths(self, lengths: list[int], matches: _Matches) -> list[list[tuple[int, int, int]]]:
        """Find the best path through each word.

        Returns:
            The pieces of each word: first character, end, id. Neighbors with the unknown id are
            fused, as `tokenizers` does.
        """
        unknown, unknown_score = self._unknown, self._unknown_score
        starts, ends, ids, scores = matches
        starts.append(-1)
        at = 0
        base = 0
        paths = []
        for length in lengths:
            best = [0.0] * (length + 1)
            came: list[int] = [-1] * (length + 1)
            by = [0] * (length + 1)
            for i in range(length):
                here, single, start = best[i], False, base + i
                while starts[at] == start:
                    j = ends[at] - base
                    score = scores[at] + here
                    if came[j] < 0 or score > best[j]:
                        best[j], came[j], by[j] = score, i, ids[at]
                    single = single or j == i + 1
                    at += 1
                if not single:
                    score = unknown_score + here
                    if came[i + 1] < 0 or score > best[i + 1]:
                        best[i + 1], came[i + 1], by[i + 1] = score, i, unknown
            path: list[tuple[int, int, int]] = []
            j = length
            while j > 0:
                i = came[j]
                if by[j] == unknown and path and path[-1][2] == unknown:
                    path[-1] = (base + i, path[-1][1], unknown)
                else:
                    path.append((base + i, base + j, by[j]))
                j = i
            path.reverse()
            paths.append(path)
            base += length
        return paths

    def _spell_unknown(
        self,
        text: NDArray[np.uint8],
        edges: NDArray[np.intp],
        paths: list[list[tuple[int, int, int]]],
    ) -> None:
        """Replace unknown stretches: fused, they may be a piece; otherwise bytes may spell them."""
        unknown = self._unknown
        holders = [path for path in paths if any(node[2] == unknown for node in path)]
        if not holders:
            return
        nodes = [node for path in holders for node in path if node[2] == unknown]
        begins = edges[np.array([node[0] for node in nodes])]
        ends = edges[np.array([node[1] for node in nodes])]
        token_ids = np.full(len(nodes), -1, np.intp)
        short = np.flatnonzero(ends - begins <= MAX_PIECE_BYTES)
        token_ids[short] = self._look_up(text, begins[short], ends[short])
        answers = iter(zip(begins.tolist(), ends.tolist(), token_ids.tolist(), strict=True))
        for path in holders:
            spelled: list[tuple[int, int, int]] = []
            for first, end, token_id in path:
                if token_id != unknown:
                    spelled.append((first, end, token_id))
                    continue
                begin_byte, end_byte, fused = next(answers)
                new_ids = [fused] if fused >= 0 else self._fallback(text[begin_byte:end_byte])
                spelled += [(first, end, each) for each in new_ids]
            path[:] = spelled

    def _fallback(self, stretch: NDArray[np.uint8]) -> list[int]:
        """Return the ids of the bytes of unknown text, or the unknown id."""
        if self._bytes is None:
            return [self._unknown]
        spelled = [self._bytes[byte] for byte in stretch.tolist()]
        return [self._unknown] if min(spelled) < 0 else spelled

    def _powers_for(self, size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return powers of the multiplier and of its inverse, at least up to `size`."""
        powers = self._powers
        if len(powers[0]) <= size:
            powers = _powers(max(size, 2 * len(powers[0])))
            if size <= 4 * _BLOCK:
                with self._lock:
                    self._powers = powers
        return powers


def _powers(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return M^0 to M^size and M^0 to M^-size modulo 2^64."""
    factors = np.full((2, size + 1), [[MULTIPLIER], [_INVERSE]], np.uint64)
    factors[:, 0] = 1
    powers, inverse = np.cumprod(factors, axis=1, dtype=np.uint64)
    return powers, inverse


def _blocks(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Group consecutive words; a longer word is a block of its own."""
    begin = size = 0
    for index, word in enumerate(words):
        size += len(word)
        if size > _BLOCK and index > begin:
            yield words[begin:index]
            begin, size = index, len(word)
    if begin < len(words):
        yield words[begin:]


def _parts(sizes: NDArray[np.intp]) -> Iterator[slice]:
    """Cut starts into parts with a bounded number of look-ups."""
    totals = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = int(totals[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(totals, before + _LOOK_UPS, "right")))
        yield slice(begin, end)
        begin = end
