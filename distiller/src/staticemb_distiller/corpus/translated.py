"""Sentences translated word by word: natural text for languages that have only a word list.

A random sequence of words lacks what sentences have: words that occur together. A sentence whose
words are replaced one by one keeps that, whatever becomes of its grammar, and a table of token
vectors knows no grammar. The dictionary comes from a multilingual teacher's vectors of single
words: translations are near each other by CSLS (Conneau et al., 2018) and about equally frequent.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from .generated import WORD_OFFSET, written_in

_NEIGHBORS = 10  # CSLS: a word near everything is a worse translation
_CHOICES = 5  # translations of a word: mostly its inflected forms
_LEAST_COSINE = 0.5
_FREQUENCY = 0.15  # the price of a translation that is ten times as frequent, or as rare
_TEMPERATURE = 0.08
_LOAN = 0.3  # a target's word that is this much more frequent in the source is the source's word
_FUNCTION_WORDS = 80  # the first words: their vectors say how they are spelled
_NAME = 4.0  # Zipf frequency: a rarer word with a capital is a name
_BLOCK = 1024
_WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True, eq=False)
class FrequentWords:
    """The frequent words of a language.

    Attributes:
        words: n words in lower case, the most frequent first.
        frequencies: (n,) float64, their Zipf frequencies: log10 of the count in a billion words.
        vectors: (n, D) float32 or float16, the teacher's vectors of the words.
    """

    words: Sequence[str]
    frequencies: NDArray[np.float64]
    vectors: NDArray[np.floating]


@dataclass(frozen=True)
class Dictionary:
    """What words become in another language.

    Attributes:
        translations: a word -> its translations, and their cumulative shares.
        function_words: the source's most frequent words, which have no translations.
        frequent: the source's frequent words: others with a capital are names, and stay.
        words: the target's words; any of them stands for a word without a translation.
    """

    translations: Mapping[str, tuple[list[str], list[float]]]
    function_words: frozenset[str]
    frequent: frozenset[str]
    words: Sequence[str]


def dictionary(
    source: FrequentWords, target: FrequentWords, loans: NDArray[np.float64]
) -> Dictionary:
    """Find each word's nearest words in another language.

    Args:
        source: n words of the sentences' language.
        target: m words of the other one.
        loans: (m,) the Zipf frequencies in the source's language of the target's words; a word that
            is the source's own, such as "the" in a German list, is no translation.
    """
    own = np.flatnonzero(target.frequencies >= loans - _LOAN)
    words = [target.words[index] for index in own.tolist()]
    left, right = _centered(source.vectors), _centered(target.vectors[own])
    left_near, right_near = _nearness(left, right), _nearness(right, left)
    left_often = source.frequencies.astype(np.float32)
    right_often = target.frequencies[own].astype(np.float32)
    most = min(_CHOICES, len(words) - 1)
    translations: dict[str, tuple[list[str], list[float]]] = {}
    for start in range(0, len(left), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cosines = left[rows] @ right.T
        distance = np.abs(left_often[rows, None] - right_often)
        scores = 2 * cosines - left_near[rows, None] - right_near - _FREQUENCY * distance
        for row, choices in enumerate(np.argpartition(-scores, most, axis=1)[:, :most]):
            best = choices[np.argsort(-scores[row, choices])]
            kept = best[cosines[row, best] >= _LEAST_COSINE]
            if len(kept):
                shares = np.exp((scores[row, kept] - scores[row, kept].max()) / _TEMPERATURE)
                cumulative = np.cumsum(shares / shares.sum()).tolist()
                translations[source.words[start + row]] = [words[at] for at in kept], cumulative
    frequent = source.frequencies >= _NAME
    return Dictionary(
        translations,
        frozenset(source.words[:_FUNCTION_WORDS]),
        frozenset(word for word, often in zip(source.words, frequent, strict=True) if often),
        words,
    )


def translate(
    sentences: Sequence[str], words: Dictionary, language: str, *, seed: int = 0
) -> list[str]:
    """Replace the words of sentences by words of another language.

    Names, numbers and punctuation stay. A function word becomes any frequent word of the language,
    and a word without a translation any word, by Zipf's law.

    Args:
        sentences: n sentences.
        words: The dictionary.
        language: The code of ISO 639-1 of the other language, which decides about blanks.
        seed: The seed of the random numbers.

    Returns:
        n texts.
    """
    random = np.random.default_rng([seed, *language.encode()])
    zipf = list(accumulate(1 / (rank + WORD_OFFSET) for rank in range(len(words.words))))
    frequent = zipf[:_FUNCTION_WORDS]

    def replaced(match: re.Match[str]) -> str:
        given = match[0]
        word = given.lower()
        capital, first = given[0].isupper(), match.start() == 0
        stem = word if word in words.translations else word.removesuffix("'s")
        if word in words.function_words:
            made = words.words[bisect(frequent, random.random() * frequent[-1])]
        elif any(map(str.isdigit, word)) or (capital and not first and stem not in words.frequent):
            return given
        elif stem in words.translations:
            choices, shares = words.translations[stem]
            made = choices[min(bisect(shares, random.random()), len(choices) - 1)]
        else:
            made = words.words[bisect(zipf, random.random() * zipf[-1])]
        if capital and (first or word not in words.function_words):
            made = made[0].upper() + made[1:]
        return made

    return [written_in(_WORD.sub(replaced, sentence), language) for sentence in sentences]


def _centered(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Subtract what the words of a language share, above all the language; scale to unit length."""
    rows = vectors.astype(np.float32)
    rows -= rows.mean(0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-9))
    return rows


def _nearness(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row's mean cosine to its nearest others, (n,)."""
    most = min(_NEIGHBORS, len(others))
    near = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        cosines = rows[start : start + _BLOCK] @ others.T
        near[start : start + _BLOCK] = np.partition(cosines, -most, axis=1)[:, -most:].mean(1)
    return near
