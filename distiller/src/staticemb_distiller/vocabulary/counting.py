"""Counts of tokens, words and phrases in texts of any length, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..errors import VocabularyError
from . import tokenizer_json as editor
from .given_words import spell

BATCH = 1024
"""Texts that are tokenized together."""
MAX_ENTRIES = 2_000_000
"""The most distinct words, and distinct pairs of words, in memory (about 200 MB each)."""
PHRASE_MIN_COUNT = 5
"""The least count of a phrase: the association of rarer pairs can be chance."""
PHRASE_THRESHOLD = 0.5
"""The least association, from -1 to 1, of a pair of words that is a phrase."""


def count_tokens(
    texts: Iterable[str], tokenizer: Tokenizer, *, prefix_space: bool = True
) -> NDArray[np.int64]:
    """Count a tokenizer's ids in texts: int64 (V,).

    Special tokens are not added, and texts are not truncated. Texts are read in batches.
    `prefix_space` must be the same as for `vocabulary.build`, which takes the counts.
    """
    document = editor.parse(tokenizer)
    plain = editor.load(editor.with_prefix_space(document) if prefix_space else document)
    return count_ids(texts, plain)


def count_ids(texts: Iterable[str], tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Count the ids that a tokenizer gives to texts: int64 (V,).

    Args:
        texts: The texts; they are read in batches.
        tokenizer: A tokenizer without truncation and padding.
    """
    counts = np.zeros(max(tokenizer.get_vocab().values()) + 1, np.int64)
    for batch in _batches(texts):
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            np.add.at(counts, encoding.ids, 1)
    return counts


def count_words(
    texts: Iterable[str],
    size: int,
    *,
    tokenizer: Tokenizer,
    phrases: bool = False,
    split: bool = False,
    min_count: int = 1,
    max_entries: int = MAX_ENTRIES,
) -> list[str]:
    """Return the most frequent words and phrases of two words, the most frequent first.

    Texts are split into words as in mode `word`: by the tokenizer's own normalizer, then at white
    space and around punctuation. A word has a letter or a digit. Two adjacent words are a phrase if
    their normalized pointwise mutual information, ln(p(ab) / (p(a) p(b))) / -ln p(ab), is at least
    `PHRASE_THRESHOLD` (Bouma 2009), and they occur at least `PHRASE_MIN_COUNT` times. Equal counts
    are ordered by spelling.

    Args:
        texts: The texts; they are read once, one at a time.
        size: The most words and phrases to return.
        tokenizer: The teacher's tokenizer.
        phrases: Whether to return phrases as well.
        split: Whether to leave out words that are one token already, so that `size` counts new
            rows.
        min_count: The least count of a word or phrase.
        max_entries: The most distinct words, and pairs, in memory. Beyond it the rarest are
            removed, so a count may be too low by at most the lowest remaining count.

    Raises:
        VocabularyError: `size`, `min_count` or `max_entries` is not positive.

    >>> from tokenizers import models
    >>> count_words(["a b, a", "B a"], 2, tokenizer=Tokenizer(models.BPE()))
    ['a', 'B']
    """
    for name, value in (("size", size), ("min_count", min_count), ("max_entries", max_entries)):
        if value < 1:
            raise VocabularyError(f"{name}: expected at least 1, found {value}")
    cutter = editor.load(editor.word_level(editor.parse(tokenizer), [], set()))
    words = _BoundedCounter(max_entries)
    pairs = _BoundedCounter(max_entries)
    for text in texts:
        pieces = _words(cutter, text)
        words.update(piece for piece in pieces if piece)
        if phrases:
            pairs.update(f"{a} {b}" for a, b in pairwise(pieces) if a and b)
    frequent = {word: count for word, count in words.counts.items() if count >= min_count}
    if phrases:
        least = max(min_count, PHRASE_MIN_COUNT)
        total = words.total
        for pair, count in pairs.counts.items():
            a, b = (words.counts.get(word, 1) for word in pair.split(" "))
            if count >= least and _association(count, a, b, total) >= PHRASE_THRESHOLD:
                frequent[pair] = count
    ordered = sorted(frequent, key=lambda word: (-frequent[word], word))
    return list(islice(_split(ordered, tokenizer) if split else ordered, size))


class _BoundedCounter:
    """Counts of at most `limit` entries; the rarest entries are removed if there are more.

    Each removal raises `floor` until at most half of `limit` remain, as in lossy counting (Manku
    and Motwani 2002). The count of an entry that was removed and added again is too low by at most
    `floor`.
    """

    def __init__(self, limit: int) -> None:
        self.counts: Counter[str] = Counter()
        self.limit = limit
        self.floor = 0
        self.total = 0

    def update(self, entries: Iterable[str]) -> None:
        entries = list(entries)
        self.total += len(entries)
        self.counts.update(entries)
        if len(self.counts) > self.limit:
            while len(self.counts) > max(1, self.limit // 2):
                self.floor += 1
                frequent = {entry: n for entry, n in self.counts.items() if n > self.floor}
                self.counts = Counter(frequent)


def _association(both: int, first: int, second: int, total: int) -> float:
    """Return the normalized pointwise mutual information of a pair."""
    if both >= total:
        return 1.0
    return math.log(both * total / (first * second)) / -math.log(both / total)


def _split(words: Iterable[str], tokenizer: Tokenizer) -> Iterator[str]:
    """Yield the words that are more than one token after a space."""
    plain = editor.load(editor.with_prefix_space(editor.parse(tokenizer)))
    for batch in _batches(words):
        spelled = zip(batch, spell(plain, batch), strict=True)
        yield from (word for word, ids in spelled if len(ids) > 1)


def _words(cutter: Tokenizer, text: str) -> list[str]:
    """Split a text into words, in order; a piece without letters and digits is ""."""
    normal = text if cutter.normalizer is None else cutter.normalizer.normalize_str(text)
    pieces = cutter.pre_tokenizer.pre_tokenize_str(normal)
    return [piece if any(map(str.isalnum, piece)) else "" for piece, _ in pieces]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while batch := list(islice(stream, BATCH)):
        yield batch
