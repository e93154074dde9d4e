"""SentencePiece's Unigram tokenizers from mapped arrays, without the `tokenizers` library.

`tokenizers` takes seconds and hundreds of megabytes to read a large multilingual vocabulary. This
module needs neither: it normalizes, cuts and encodes texts itself, exactly as `tokenizers` does.
What it cannot prove to be equal, it refuses: designs with other components, texts that hold an
added token, and texts whose normalization may depend on the version of Unicode.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..format.pieces import read_pieces
from .unigram import Unigram
from .unigram_design import MARK, WHITE_SPACE, read_design

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..format.pieces import Pieces

# Python splits at these, `tokenizers` does not.
_OTHER_SPACES: Final = "\x1c\x1d\x1e\x1f"
# Longer texts would take much memory at once: `tokenizers` encodes them by segments.
_MAX_CHARACTERS: Final = 1 << 20
# Characters of texts whose new words are encoded together.
_GROUP: Final = 1 << 16
# Words to remember: about 6 MB. Longer words seldom occur twice.
_CACHE_WORDS: Final = 1 << 15
_CACHED_LENGTH: Final = 64


class MappedUnigram:
    """A Unigram tokenizer over mapped arrays; safe to use from several threads.

    Args:
        pieces: the vocabulary, and the definition without it.

    Raises:
        ValueError: the definition has a component that this module does not know.
    """

    def __init__(self, pieces: Pieces) -> None:
        self._design = read_design(pieces.definition, len(pieces.ends))
        self._model = Unigram(
            pieces, unknown=self._design.unknown, byte_fallback=self._design.byte_fallback
        )
        self._ids: dict[str, bytes] = {}

    def encode(
        self, texts: Sequence[str], *, unknown_token_id: int | None, max_tokens: int | None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """Encode texts as `WordTokenizer.encode` does.

        Returns:
            The ids of all texts, shape (N,) int32, and the number of ids of each, shape (B,) int64;
            None if the ids of a text are not proven.
        """
        packed: list[bytes] = []
        for group in _groups(texts):
            cuts: list[list[str]] = []
            for text in group:
                words = self._words(text)
                if words is None:
                    return None
                cuts.append(words)
            ids = self._learn(word for words in cuts for word in words)
            packed += [b"".join(map(ids.__getitem__, words)) for words in cuts]
        arrays = [np.frombuffer(each, np.int32) for each in packed]
        if unknown_token_id is not None:
            arrays = [ids[ids != unknown_token_id] for ids in arrays]
        arrays = [ids[:max_tokens] for ids in arrays]
        counts = np.fromiter(map(len, arrays), np.int64, len(arrays))
        return np.concatenate([np.empty(0, np.int32), *arrays]), counts

    def encode_words(self, words: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode words of texts, between blanks.

        The ids of a text are those of its words, if each word has a count and single blanks
        (U+0020) stand between them. A word without a count may depend on its neighbors.

        Args:
            words: B words without blanks.

        Returns:
            The ids of all words, shape (N,) int32, and the number of ids of each word, shape (B,)
            int64; -1 for a word whose ids are not proven.
        """
        cuts = [self._separable(word) for word in words]
        ids = self._learn(part for cut in cuts if cut is not None for part in cut)
        packed = [None if cut is None else b"".join(map(ids.__getitem__, cut)) for cut in cuts]
        counts = [-1 if each is None else len(each) // 4 for each in packed]
        joined = bytearray().join(each for each in packed if each is not None)
        return np.frombuffer(joined, np.int32), np.array(counts, np.int64)

    def _separable(self, word: str) -> list[str] | None:
        """Cut a word that has the same ids in every text; None for any other word."""
        if not self._design.separable or not word:
            return None
        if any(map(word.__contains__, WHITE_SPACE + _OTHER_SPACES)):
            return None
        if not (word.isascii() and word.isprintable()) and not _is_apart(word):
            return None
        parts = self._words(word)
        if parts is None or not parts:
            return None
        # A blank that the normalizer leaves at an end would meet the blank beside the word.
        edge = self._design.normalize(word)
        if edge is None or edge[0] in WHITE_SPACE + MARK or edge[-1] in WHITE_SPACE + MARK:
            return None
        return parts

    def _words(self, text: str) -> list[str] | None:
        """Cut a text into the model's words, each with its marker; None if it is not proven."""
        if len(text) > _MAX_CHARACTERS:
            return None
        design = self._design
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                return None  # a lone surrogate
        normalized = design.normalize(text)
        if normalized is None:
            return None
        for spelling in design.added:
            if spelling in text or spelling in normalized:
                return None
        if not design.splits:
            return _marked(normalized.replace(" ", MARK))
        if any(map(normalized.__contains__, _OTHER_SPACES)):
            return None
        words = normalized.split()
        if MARK in normalized:
            return [part for word in words for part in _marked(word)]
        return [MARK + word for word in words]

    def _learn(self, words: Iterable[str]) -> Mapping[str, bytes]:
        """Return the ids of words, as bytes."""
        known = self._ids
        distinct = set(words)
        ids = {word: known[word] for word in distinct.intersection(known)}
        new = list(distinct.difference(ids))
        if not new:
            return ids
        flat, counts = self._model.encode(new)
        data = flat.tobytes()
        ends = (4 * np.cumsum(counts)).tolist()
        learned = {
            word: data[begin:end]
            for word, begin, end in zip(new, [0, *ends[:-1]], ends, strict=True)
        }
        ids.update(learned)
        kept = {word: each for word, each in learned.items() if len(word) <= _CACHED_LENGTH}
        if len(known) + len(kept) > _CACHE_WORDS:
            known = self._ids = {}  # other threads may read the old one
        known.update(kept)
        return ids


def open_mapped(tensors: Mapping[str, NDArray[Any]], n_token_ids: int) -> MappedUnigram | None:
    """Open the tokenizer in a file's optional tensors.

    Args:
        tensors: the optional tensors.
        n_token_ids: the number of token ids.

    Returns:
        None if there is none, if it is malformed, or if this module does not know its design.
    """
    pieces = read_pieces(tensors, n_token_ids)
    if pieces is None:
        return None
    try:
        return MappedUnigram(pieces)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def _groups(texts: Sequence[str]) -> list[list[str]]:
    """Group consecutive texts, so that the words of a group take a bounded amount of memory."""
    groups: list[list[str]] = []
    size = 0
    for text in texts:
        if not groups or size + len(text) > _GROUP:
            groups.append([])
            size = 0
        groups[-1].append(text)
        size += len(text)
    return groups


def _marked(text: str) -> list[str]:
    """Put the marker before a text, unless it is there, and cut before each marker."""
    if not text:
        return []
    text = text[1:] if text[0] == MARK else text
    return [MARK + part for part in text.split(MARK)]


def _is_apart(word: str) -> bool:
    """Tell whether no character at a word's ends can join the blank beside it."""
    first, last = word[0], word[-1]
    joins = unicodedata.category(first) in {"Mn", "Mc", "Me", "Cf", "Cn", "Co", "Lm", "Sk"}
    leads = unicodedata.category(last) in {"Cf", "Lo", "Cn"} and (
        unicodedata.category(last) != "Lo" or last == "\u0d4e" or ord(last) > 0xFFFF
    )
    return not joins and not leads and first not in "\u0e33\u0eb3"
