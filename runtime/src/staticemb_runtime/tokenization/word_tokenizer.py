"""Text to token ids, equal to those of `tokenizers`, most of them from a table of known words.

Word frequencies follow Zipf's law, so a table of words holds nearly every word of a text. A block
of texts is cut into words and all of them are looked up at once, by operations on arrays
(`byte_cut`, `word_table`). An encoder gives the ids of new words, all new words of a block at once.

For a few short texts that would take longer than a dictionary of words, which answers a query in
about two microseconds.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import InvalidTextError
from ..format.surrogates import lone_surrogate
from ..format.tokenizer_library import is_failure
from .word_cache import CACHE_WORDS, WordCache
from .words import WordIds, Words, merge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .segmenters import Splitter
    from .text_encoder import TextEncoder

    Ids = NDArray[np.int32]
    IdCounts = NDArray[np.intp]

# Characters per block: few enough for the arrays to stay in the processor's cache.
_BLOCK: Final = 1 << 17
# With several threads blocks are so many times larger: see `encoding.pooling`.
_SHARED: Final = 4
# Calls with at most so many characters and texts use the dictionary.
_FEW_CHARACTERS: Final = 2048
_FEW_TEXTS: Final = 32
# The dictionary is cleared at so many words; it has no longer words than these.
_DICTIONARY: Final = 1 << 14
_DICTIONARY_WORD: Final = 64


class WordTokenizer:
    """A tokenizer that knows words; safe to use from several threads.

    The memory of words is bounded: see `WordCache`.

    Args:
        encoder: the tokenizer.
        unknown_token_id: the id to drop; None drops nothing.
        max_tokens: the number of ids to keep of each text, from its start; None keeps all.
        cache_words: the maximum number of known words; 0 keeps nothing between calls.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        *,
        unknown_token_id: int | None = None,
        max_tokens: int | None = None,
        cache_words: int = CACHE_WORDS,
    ) -> None:
        self._encoder = encoder
        self._unknown = unknown_token_id
        self._limit = max_tokens
        self._cache = WordCache(cache_words)
        self._is_filled = not cache_words
        self._dictionary: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def vocab_size(self) -> int:
        """The number of tokens, added ones included."""
        return self._encoder.vocab_size

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of the ids from `encode`, as the vocabulary spells them."""
        ids, _ = self.encode([text])
        return [self._encoder.token(i) for i in ids.tolist()]

    def encode(
        self, texts: list[str], *, start: int = 0, shared: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode texts; their ids follow each other in one array.

        Args:
            texts: B strings, of no derived class.
            start: the number of the first text in error messages.
            shared: whether several threads share the work. It does not change the results.

        Returns:
            The ids, shape (N,) int32, and the number of ids of each text, shape (B,) int64, sum N.

        Raises:
            InvalidTextError: a text holds a lone surrogate, or `tokenizers` fails at it.
        """
        try:
            ids, counts = self._encode(texts, _SHARED * _BLOCK if shared else _BLOCK)
        except UnicodeEncodeError:
            raise _surrogate(texts, start) from None
        except BaseException as error:
            if not is_failure(error):
                raise
            ids, counts = self._encode_each(texts, start)
        return ids, counts.astype(np.int64, copy=False)

    def encode_one(self, text: str) -> Ids:
        """Encode one text, faster than `encode` if all of its words are in the dictionary.

        Args:
            text: a `str`, of no derived class.

        Raises:
            InvalidTextError: as `encode`.
        """
        splitter = self._encoder.splitter
        if splitter is not None and len(text) <= _FEW_CHARACTERS:
            words = splitter.cut(text)
            packed = None if words is None else self._join(words)
            if packed is not None:
                ids: Ids = np.frombuffer(packed, np.int32)
                return ids if self._limit is None else ids[: self._limit]
        return self.encode([text])[0]

    def _encode(self, texts: list[str], size: int) -> tuple[Ids, IdCounts]:
        """Encode texts in blocks of about `size` characters."""
        splitter = self._encoder.splitter
        if splitter is None:
            return self._shortened(self._encoder.texts(texts))
        ends = list(accumulate(map(len, texts), initial=0))
        if ends[-1] <= _FEW_CHARACTERS and len(texts) <= _FEW_TEXTS:
            return self._encode_few(splitter, texts)
        blocks: list[tuple[Ids, IdCounts]] = []
        begin = 0
        while begin < len(texts):
            end = bisect_right(ends, ends[begin] + size) - 1
            if end > begin:
                blocks.append(self._shortened(self._encode_block(splitter, texts[begin:end])))
            else:
                blocks.append(self._encode_long(splitter, texts[begin]))
                end = begin + 1
            begin = end
        return _concatenate(blocks)

    def _shortened(self, encoded: WordIds) -> tuple[Ids, IdCounts]:
        """Return ids without the unknown token, of each text the first ones."""
        ids, counts = encoded
        if self._unknown is not None:
            known = ids != self._unknown
            if not known.all():
                texts = np.repeat(np.arange(len(counts)), counts)
                ids, counts = ids[known], np.bincount(texts[known], minlength=len(counts))
        if self._limit is not None and counts.max(initial=0) > self._limit:
            ends = np.cumsum(counts)
            place = np.arange(len(ids)) - np.repeat(ends - counts, counts)
            ids, counts = ids[place < self._limit], np.minimum(counts, self._limit)
        return ids, counts

    def _encode_each(self, texts: list[str], start: int) -> tuple[Ids, IdCounts]:
        """Encode texts singly with the whole pipeline; an InvalidTextError names a failing text."""
        encoded: list[tuple[Ids, IdCounts]] = []
        for index, text in enumerate(texts, start):
            try:
                encoded.append(self._shortened(self._encoder.texts([text])))
            except BaseException as error:
                if not is_failure(error):
                    raise
                raise InvalidTextError(
                    "expected text that the tokenizer has tokens for, found an error of "
                    f"`tokenizers`: {error}",
                    index=index,
                ) from None
        return _concatenate(encoded)

    # --- a few texts ------------------------------------------------------------------------------

    def _encode_few(self, splitter: Splitter, texts: list[str]) -> tuple[Ids, IdCounts]:
        packed = [self._encode_one(splitter, text) for text in texts]
        ids = np.frombuffer(b"".join(packed), np.int32)
        counts = np.fromiter(map(len, packed), np.intp, len(packed)) // 4
        return self._shortened(WordIds(ids, counts))

    def _encode_one(self, splitter: Splitter, text: str) -> bytes:
        """Encode a short text to the bytes of its ids."""
        words = splitter.cut(text)
        if words is not None:
            packed = self._join(words)
            if packed is not None:
                return packed
            known = self._dictionary
            new = [word for word in set(words) if word not in known]
            # A zero byte cannot be part of a key.
            learned = None if "\0" in text else self._learn_few(new)
            if learned is not None:
                return b"".join([known[w] if w in known else learned[w] for w in words])
        return self._encoder.texts([text]).ids.tobytes()

    def _join(self, words: list[str]) -> bytes | None:
        """Return the bytes of the words' known ids; None if a word is not in the dictionary."""
        try:
            return b"".join(map(self._dictionary.__getitem__, words))
        except KeyError:
            return None

    def _learn_few(self, words: list[str]) -> dict[str, bytes] | None:
        """Encode new words, without unknown ids; None if one is not separable."""
        encoded = self._encoder.words(Words.join([word.encode() for word in words])).split()
        if self._unknown is not None:
            encoded = [ids if ids is None else self._known(ids) for ids in encoded]
        learned = {word: ids for word, ids in zip(words, encoded, strict=True) if ids is not None}
        if len(learned) < len(words):
            return None
        if self._cache.size:
            with self._lock:
                if len(self._dictionary) + len(learned) > _DICTIONARY:
                    self._dictionary = {}  # another thread may read the full one
                short = {w: ids for w, ids in learned.items() if len(w) <= _DICTIONARY_WORD}
                self._dictionary.update(short)
        return learned

    def _known(self, packed: bytes) -> bytes:
        """Drop the unknown id from the bytes of a word's ids."""
        ids: Ids = np.frombuffer(packed, np.int32)
        known: Ids = ids[ids != self._unknown]
        return known.tobytes()

    def _fill(self) -> None:
        """Store the words whose ids are known in advance."""
        with self._lock:
            if not self._is_filled:
                known = self._encoder.known()
                if known is not None:
                    self._cache.add(*known)
                self._is_filled = True

    # --- blocks -----------------------------------------------------------------------------------

    def _encode_long(self, splitter: Splitter, text: str) -> tuple[Ids, IdCounts]:
        """Encode a text longer than a block by segments: its words are never all in memory."""
        packed = bytearray()  # it grows in place: ids of a long text take as much as the text
        begin = 0
        while begin < len(text) and (self._limit is None or len(packed) < 4 * self._limit):
            cut = splitter.boundary(text, begin + _BLOCK) if len(text) - begin > _BLOCK else None
            end, following = cut or (len(text), len(text))
            encoded = self._encode_block(splitter, [text[begin:end]], continued=begin > 0)
            packed += self._shortened(encoded)[0].data
            begin = following
        ids = np.frombuffer(packed, np.int32)[: self._limit]
        return ids, np.array([len(ids)], np.intp)

    def _encode_block(
        self, splitter: Splitter, texts: list[str], *, continued: bool = False
    ) -> WordIds:
        """Encode texts that together are no longer than a block.

        Args:
            splitter: the encoder's rule.
            texts: the texts.
            continued: whether the first text continues another one after a blank.
        """
        if not self._is_filled:
            self._fill()
        words, counts, odd = splitter.byte_cut.cut(texts, continued=continued)
        clean, encoded = self._encode_words(words, counts, odd)
        if clean is None:
            return encoded
        others = (~clean).nonzero()[0]
        rest = [texts[i] for i in others.tolist()]
        if continued and splitter.byte_cut.keep_blank and not clean[0]:
            rest[0] = " " + rest[0]
        return merge([(clean, encoded), (~clean, self._encode_odd(splitter, rest))])

    def _encode_words(
        self, words: Words, counts: IdCounts, odd: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.bool_] | None, WordIds]:
        """Encode texts that are cut into words.

        Args:
            words: the words of B texts.
            counts: (B,) the number of words of each text.
            odd: (B,) the texts to leave out; None: none.

        Returns:
            (B,) whether a text was encoded (None: all were), and the ids of these texts.
        """
        clean = None
        if odd is not None:
            clean = ~odd
            words = words.select(np.repeat(clean, counts))
            counts = counts[clean]
        encoded = self._cache.encode(words, self._encoder.words)
        if encoded.counts.min(initial=0) < 0:
            texts = np.repeat(np.arange(len(counts)), counts)
            separable = np.ones(len(counts), np.bool_)
            separable[texts[encoded.counts < 0]] = False
            encoded = encoded.select((separable.take(texts)).nonzero()[0])
            counts = counts[separable]
            clean = _refine(clean, separable)
        before = np.zeros(len(encoded.counts) + 1, np.intp)
        np.cumsum(encoded.counts, out=before[1:])
        ends = before.take(np.cumsum(counts))
        ends[1:] -= ends[:-1].copy()
        return clean, WordIds(encoded.ids, ends)

    def _encode_odd(self, splitter: Splitter, texts: list[str]) -> WordIds:
        """Encode texts that the cut of bytes cannot cut."""
        # A zero byte cannot be part of a key.
        word_lists = [None if "\0" in text else splitter.cut(text) for text in texts]
        odd = np.array([cut is None for cut in word_lists])
        cuts = [cut or [] for cut in word_lists]
        counts = np.fromiter(map(len, cuts), np.intp, len(cuts))
        words = Words.join([word.encode() for cut in cuts for word in cut])
        clean, encoded = self._encode_words(words, counts, odd)
        assert clean is not None
        rest = [texts[i] for i in (~clean).nonzero()[0].tolist()]
        return merge([(clean, encoded), (~clean, self._encoder.texts(rest))])


def _refine(first: NDArray[np.bool_] | None, second: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Combine a choice of texts with a choice among the chosen ones."""
    if first is None:
        return second
    first[first] = second
    return first


def _concatenate(parts: list[tuple[Ids, IdCounts]]) -> tuple[Ids, IdCounts]:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return np.empty(0, np.int32), np.empty(0, np.intp)
    ids, counts = zip(*parts, strict=True)
    return np.concatenate(ids), np.concatenate(counts)


def _surrogate(texts: list[str], start: int) -> InvalidTextError:
    """Make the error that names the first lone surrogate."""
    for index, text in enumerate(texts, start):
        if surrogate := lone_surrogate(text):
            return InvalidTextError(f"expected valid Unicode, found {surrogate}", index=index)
    raise AssertionError("no text holds a lone surrogate")
