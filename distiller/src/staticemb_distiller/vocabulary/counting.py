"""Count tokens, words and phrases of a text of any length in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..errors import VocabularyError
from . import tokenizer_json as editing
from .given_words import spell

BATCH = 1024
"""Texts that are tokenized together."""
MAX_ENTRIES = 2_000_000
"""Different words, and different pairs of words, that are held at a time (some 200 MB each)."""
PHRASE_MIN_COUNT = 5
"""Rarer pairs make no phrase: by chance they look like one."""
PHRASE_THRESHOLD = 0.5
"""The association, from -1 to 1, above which a pair of words is a phrase."""


def count_tokens(
    texts: Iterable[str], tokenizer: Tokenizer, *, prefix_space: bool = True
) -> NDArray[np.int64]:
    """How often the texts use each of a tokenizer's ids: int64 `(V,)`.

    Special tokens are not added and texts not cut. Texts are read one batch at a time.
    `prefix_space` is that of `vocabulary.build`, which these counts are for.
    """
    document = editing.parse(tokenizer)
    plain = editing.load(editing.with_prefix_space(document) if prefix_space else document)
    counts = np.zeros(max(plain.get_vocab().values()) + 1, np.int64)
    for batch in _batches(texts):
        for encoding in plain.encode_batch_fast(batch, add_special_tokens=False):
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
    """The most frequent words of the texts, and phrases of two words, the most frequent first.

    Words are cut as mode `word` cuts them: by the tokenizer's own normalizer, then at white space
    and around punctuation; what has neither letter nor digit is no word. Two neighbors are a
    phrase if their normalized pointwise mutual information, ln(p(ab) / (p(a) p(b))) / -ln p(ab),
    is at least `PHRASE_THRESHOLD` (Bouma 2009) and they were seen `PHRASE_MIN_COUNT` times. Equal
    counts are ordered by spelling.

    Args:
        texts: read once, one at a time.
        size: how many words and phrases to return at most.
        tokenizer: the teacher's.
        phrases: whether to look for phrases.
        split: leave out words that are one token already, so that `size` counts new rows.
        min_count: how often a word must occur.
        max_entries: how many different words, and pairs, are held: beyond it the rarest are
            forgotten, so that a count may fall short by as much as the rarest count that was kept.

    Raises:
        VocabularyError: `size`, `min_count` or `max_entries` is not positive.

    >>> from tokenizers import models
    >>> count_words(["a b, a", "B a"], 2, tokenizer=Tokenizer(models.BPE()))
    ['a', 'B']
    """
    for name, value in (("size", size), ("min_count", min_count), ("max_entries", max_entries)):
        if value < 1:
            raise VocabularyError(f"{name} is {value}; expected at least 1")
    cutter = editing.load(editing.word_level(editing.parse(tokenizer), [], set()))
    words = _BoundedCounter(max_entries)
    pairs = _BoundedCounter(max_entries)
    for text in texts:
        pieces = _words(cutter, text)
        words.update(piece for piece in pieces if piece)
        if phrases:
            pairs.update(f"{a} {b}" for a, b in pairwise(pieces) if a and b)
    found = {word: count for word, count in words.counts.items() if count >= min_count}
    if phrases:
        least = max(min_count, PHRASE_MIN_COUNT)
        total = words.total
        for pair, count in pairs.counts.items():
            a, b = (words.counts.get(word, 1) for word in pair.split(" "))
            if count >= least and _association(count, a, b, total) >= PHRASE_THRESHOLD:
                found[pair] = count
    ordered = sorted(found, key=lambda word: (-found[word], word))
    return list(islice(_split(ordered, tokenizer) if split else ordered, size))


class _BoundedCounter:
    """Counts that forget the rarest entries when there are too many.

    Each clearance raises the floor until half the room is free, as in lossy counting (Manku and
    Motwani 2002): an entry that was forgotten and came back is short by at most `floor`.
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
                kept = {entry: n for entry, n in self.counts.items() if n > self.floor}
                self.counts = Counter(kept)


def _association(both: int, first: int, second: int, total: int) -> float:
    """Normalized pointwise mutual information of a pair."""
    if both >= total:
        return 1.0
    return math.log(both * total / (first * second)) / -math.log(both / total)


def _split(words: Iterable[str], tokenizer: Tokenizer) -> Iterator[str]:
    """The words that are more than one token behind a blank."""
    plain = editing.load(editing.with_prefix_space(editing.parse(tokenizer)))
    for batch in _batches(words):
        spelled = zip(batch, spell(plain, batch), strict=True)
        yield from (word for word, ids in spelled if len(ids) > 1)


def _words(cutter: Tokenizer, text: str) -> list[str]:
    """The words of a text in order, "" for what is none."""
    normal = text if cutter.normalizer is None else cutter.normalizer.normalize_str(text)
    pieces = cutter.pre_tokenizer.pre_tokenize_str(normal)
    return [piece if any(map(str.isalnum, piece)) else "" for piece, _ in pieces]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while batch := list(islice(stream, BATCH)):
        yield batch
