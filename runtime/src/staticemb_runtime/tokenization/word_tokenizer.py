"""Text to token ids, equal to those of `tokenizers`, most of them from a word cache.

Word frequencies follow Zipf's law. So a dictionary from words to the bytes of their int32 ids holds
nearly every word of a text, and no Python integers are made. `separability` decides where a text
may be cut. New words are tokenized together, for one block of texts at a time.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import InvalidTextError
from ..format.surrogates import lone_surrogate
from ..format.tokenizer_library import is_failure
from .backend import Backend, SurrogateError, check_surrogates, pack_id
from .segmenters import Splitter
from .separability import find_splitter
from .separator_pieces import END

if TYPE_CHECKING:
    from numpy.typing import NDArray

CACHE_WORDS: Final = 262_144
# Long words seldom occur twice: few above the first length are cached, none above the second.
_SHORT: Final = 64
_LONG: Final = 1024
_LONG_SHARE: Final = 64
# Characters per block: few enough for their words to stay in the processor's cache.
_BLOCK: Final = 1 << 14
_END: Final = pack_id(-1)
# After this many texts of a block with a new word, the other texts are assumed to have one too.
_NEW_TEXTS: Final = 8


class WordTokenizer:
    """A tokenizer with a word cache; safe to use from several threads.

    The cache holds at most `cache_words` words, or the distinct words of one block of 16,384
    characters if these are more. Words have at most 64 characters; a 64th of them may have 1024. A
    word takes about 150 bytes: a full default cache takes 40 MB, and 20 MB more if each long word
    has one token per character.

    A full cache is halved: it keeps the words of the current block, which include many frequent
    words, and half of the others. The alternatives are worse. A cache that stops growing serves
    only the first subject. A cache that drops its oldest words loses every word of a collection,
    read repeatedly, just before its next use. Counting uses would slow every use. A word is learned
    once between two halvings, so text made of new words takes linear time.

    Args:
        tokenizer_json: the bytes of a Hugging Face tokenizer.json; truncation and padding in it
            are ignored.
        unknown_token_id: the id to drop; None drops nothing.
        max_tokens: the number of ids to keep of each text, from its start; None keeps all.
        cache_words: the size of the cache in words; 0 keeps nothing between calls.

    Raises:
        InvalidTokenizerError: `tokenizers` cannot read the definition.
    """

    def __init__(
        self,
        tokenizer_json: bytes,
        *,
        unknown_token_id: int | None = None,
        max_tokens: int | None = None,
        cache_words: int = CACHE_WORDS,
    ) -> None:
        self._arguments = (unknown_token_id, max_tokens, cache_words)
        self._limit = None if max_tokens is None else 4 * max_tokens
        self._cache_words = cache_words
        self._backend = Backend(tokenizer_json, unknown_token_id)
        self._splitter = find_splitter(self._backend.tokenizer)
        self._words: dict[str, bytes] = {}
        self._long_words = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._backend.tokenizer.to_str().encode(), *self._arguments)

    @property
    def vocab_size(self) -> int:
        """The number of tokens, added ones included."""
        return self._backend.tokenizer.get_vocab_size()

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of the ids from `encode`, as the vocabulary spells them."""
        ids, _ = self.encode([text])
        return [str(self._backend.tokenizer.id_to_token(i)) for i in ids.tolist()]

    def encode(
        self, texts: Sequence[str], *, start: int = 0
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode texts; their ids follow each other in one array.

        Args:
            texts: B strings.
            start: the number of the first text in error messages.

        Returns:
            The ids, shape (N,) int32, and the number of ids of each text, shape (B,) int64, sum N.

        Raises:
            TypeError: an element is not a string, or `texts` is a single string.
            InvalidTextError: a text holds a lone surrogate, or `tokenizers` fails at it.
        """
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"texts: expected a sequence of str, found {type(texts).__name__}")
        texts = list(texts)
        if set(map(type, texts)) - {str}:
            texts = [_string(text, index) for index, text in enumerate(texts, start)]
        try:
            packed = self._encode(texts)
        except SurrogateError:
            raise _surrogate(texts, start) from None
        except BaseException as error:
            if not is_failure(error):
                raise
            packed = self._encode_each(texts, start)
        lengths = np.fromiter(map(len, packed), np.int64, len(packed)) // 4
        return np.frombuffer(bytearray().join(packed), np.int32), lengths

    def _encode(self, texts: list[str]) -> list[bytes]:
        """Encode texts to bytes of ids, cut to the limit."""
        packed: list[bytes] = []
        if self._splitter is None:
            packed += self._backend.texts(texts)
        else:
            ends = list(accumulate(map(len, texts)))
            begin, done = 0, 0
            while begin < len(texts):
                end = bisect_right(ends, done + _BLOCK, begin)
                if end > begin:
                    packed += self._encode_block(self._splitter, texts[begin:end])
                else:
                    packed.append(self._encode_long(self._splitter, texts[begin]))
                    end = begin + 1
                begin, done = end, ends[end - 1]
        if self._limit is None:
            return packed
        return [ids[: self._limit] for ids in packed]

    def _encode_each(self, texts: list[str], start: int) -> list[bytes]:
        """Encode texts singly with the whole pipeline; an InvalidTextError names a failing text."""
        packed: list[bytes] = []
        for index, text in enumerate(texts, start):
            try:
                packed += self._backend.texts([text])
            except BaseException as error:
                if not is_failure(error):
                    raise
                raise InvalidTextError(
                    "expected text that the tokenizer has tokens for, found an error of "
                    f"`tokenizers`: {error}",
                    index=index,
                ) from None
        return packed if self._limit is None else [ids[: self._limit] for ids in packed]

    def _encode_long(self, splitter: Splitter, text: str) -> bytes:
        """Encode a text longer than a block by segments: its words are never all in memory."""
        packed = bytearray()
        begin = 0
        while begin < len(text) and (self._limit is None or len(packed) < self._limit):
            cut = splitter.boundary(text, begin + _BLOCK) if len(text) - begin > _BLOCK else None
            end, following = cut or (len(text), len(text))
            packed += self._encode_block(splitter, [text[begin:end]])[0]
            begin = following
        return bytes(packed)

    def _encode_block(self, splitter: Splitter, texts: list[str]) -> list[bytes]:
        """Encode texts that together are no longer than a block to bytes of ids."""
        cut = splitter.quick("".join(texts))
        known, join = self._words.__getitem__, b"".join
        packed: list[bytes] = []
        pending: list[int] = []
        for index, text in enumerate(texts):
            try:
                packed.append(join(map(known, cut(text))))
            except KeyError:
                packed.append(b"")
                pending.append(index)
                if len(pending) == _NEW_TEXTS:
                    # Most of the block is new: trying each other text first would waste time.
                    pending += range(index + 1, len(texts))
                    packed += [b""] * (len(texts) - len(packed))
                    break
        if pending:
            answers = self._answer(splitter, [texts[index] for index in pending])
            for index, ids in zip(pending, answers, strict=True):
                packed[index] = ids
        return packed

    def _answer(self, splitter: Splitter, texts: list[str]) -> list[bytes]:
        """Encode texts that may hold words that are not cached."""
        cuts = list(map(splitter.careful("".join(texts)), texts))
        block = set(chain.from_iterable(cut for cut in cuts if cut is not None))
        words = self._words
        learned = self._learn(splitter, block.difference(words), words)
        words = self._keep(learned, block)
        uncut: list[int] = []
        answers: list[bytes] = []
        for index, cut in enumerate(cuts):
            ids = None if cut is None else _join(cut, words, learned)
            if ids is None:
                uncut.append(index)
            answers.append(ids or b"")
        for index, ids in zip(uncut, self._backend.texts([texts[i] for i in uncut]), strict=True):
            answers[index] = ids
        return answers

    def _learn(
        self, splitter: Splitter, missing: set[str], words: dict[str, bytes]
    ) -> dict[str, bytes]:
        """Encode new words, except words that are not separable."""
        check_surrogates(missing)
        remaining = separable = splitter.separable(missing)
        learned: dict[str, bytes] = {}
        plain = splitter.plain
        if plain is not None:
            parts = plain.parts(separable)
            atoms = set(parts.atoms)
            atoms.discard(END)
            new = atoms.difference(words)
            known = {atom: words[atom] for atom in atoms.difference(new)}
            known.update(self._backend.atoms(list(new), plain.piece))
            alone = splitter.separable(new.difference(parts.words))
            learned = {atom: known[atom] for atom in alone}
            known[END] = _END
            ids = b"".join(map(known.__getitem__, parts.atoms))
            ends = 4 * np.flatnonzero(np.frombuffer(ids, np.int32) < 0)
            begins = chain((0,), (ends + 4).tolist())
            slices = map(slice, begins, ends.tolist())
            learned.update(zip(parts.words, map(ids.__getitem__, slices), strict=True))
            remaining = separable.difference(learned)
        others = list(remaining)
        answers = self._backend.texts([splitter.spelled(word) for word in others])
        learned.update(zip(others, answers, strict=True))
        return learned

    def _keep(self, learned: dict[str, bytes], block: set[str]) -> dict[str, bytes]:
        """Add the new words of a block to the cache; halve the cache first if it is full."""
        if not self._cache_words:
            return self._words
        with self._lock:
            words = self._words
            new = learned
            if max(map(len, new), default=0) > _SHORT:
                new = new.copy()
                room = self._cache_words // _LONG_SHARE - self._long_words
                long = [word for word in new if len(word) > _SHORT]
                cached = [word for word in long if len(word) <= _LONG][:room]
                for word in set(long).difference(cached):
                    del new[word]
                self._long_words += len(cached)
            if len(words) + len(new) > self._cache_words:
                # Other threads may read the full dictionary, so no word is removed from it.
                full, words = words, {word: words[word] for word in block if word in words}
                words.update(new)
                room = max(0, self._cache_words // 2 - len(words))
                words.update(islice(full.items(), 0, 2 * room, 2))
                self._long_words = sum(len(word) > _SHORT for word in words)
                self._words = words
            else:
                words.update(new)
            return words


def _join(cut: list[str], words: dict[str, bytes], learned: dict[str, bytes]) -> bytes | None:
    try:
        return b"".join(map(words.__getitem__, cut))
    except KeyError:
        pass
    try:
        return b"".join([words[word] if word in words else learned[word] for word in cut])
    except KeyError:
        return None


def _surrogate(texts: Sequence[str], start: int) -> InvalidTextError:
    """Make the error that names the first lone surrogate."""
    for index, text in enumerate(texts, start):
        if found := lone_surrogate(text):
            return InvalidTextError(f"expected valid Unicode, found {found}", index=index)
    raise AssertionError("no text holds a lone surrogate")


def _string(text: object, index: int) -> str:
    if not isinstance(text, str):
        raise TypeError(f"text {index}: expected str, found {type(text).__name__}")
    return str(text)


def _rebuild(
    tokenizer_json: bytes, unknown: int | None, limit: int | None, cache_words: int
) -> WordTokenizer:
    return WordTokenizer(
        tokenizer_json, unknown_token_id=unknown, max_tokens=limit, cache_words=cache_words
    )
