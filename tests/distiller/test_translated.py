"""Sentences translated word by word, by the vectors of a teacher that knows several languages."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staticemb_distiller.corpus.translated import FrequentWords, dictionary, translate
from staticemb_distiller.corpus.word_lists import word_frequencies, word_list
from staticemb_distiller.errors import TextSourceError

COUNT = 400
SOURCE = [f"s{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(COUNT)]
TARGET = ["T" + word[1:] for word in SOURCE]


def words(texts, seed, *, noise=0.15):
    """FrequentWords of one language: the n-th has the n-th meaning, and all share a direction."""
    meanings = np.random.default_rng(0).normal(size=(COUNT, 48))
    own = np.random.default_rng(seed)
    vectors = meanings + noise * own.normal(size=meanings.shape) + 9 * own.normal(size=48)
    frequencies = 8 - np.log10(np.arange(COUNT) + 1)
    return FrequentWords(texts, frequencies, vectors.astype(np.float32))


def made(loans=None, source=SOURCE, target=TARGET):
    loans = np.zeros(COUNT) if loans is None else loans
    return dictionary(words(source, 1), words([each.lower() for each in target], 2), loans)


def test_a_word_becomes_the_word_of_its_meaning():
    table = made()
    best = {
        word: choices[int(np.argmax(np.diff([0, *shares])))]
        for word, (choices, shares) in table.translations.items()
    }
    assert len(best) == COUNT
    right = sum(best[word] == "t" + word[1:] for word in SOURCE)
    assert right > 0.99 * COUNT
    sentence = " ".join(SOURCE[100:200])
    changed = translate([sentence], table, "de")[0].split()
    assert sum(a[1:] == b[1:] for a, b in zip(SOURCE[100:200], changed, strict=True)) > 90


def test_a_word_of_the_source_in_the_other_list_is_no_translation():
    loans = np.zeros(COUNT)
    loans[150:250] = 9.0
    table = made(loans)
    offered = {choice for choices, _ in table.translations.values() for choice in choices}
    assert not offered & {word.lower() for word in TARGET[150:250]}
    assert {word.lower() for word in TARGET[:150]} - offered == set()
    assert not set(table.words) & {word.lower() for word in TARGET[150:250]}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("abcxyz ABC,.?!'’-19äж日", max_size=40) | st.sampled_from(SOURCE), max_size=6),
    st.integers(0, 9),
)
def test_what_is_no_word_stays_and_the_same_seed_gives_the_same_texts(sentences, seed):
    table = made()
    texts = translate(sentences, table, "fr", seed=seed)
    assert texts == translate(sentences, table, "fr", seed=seed)
    word = re.compile(r"\w+(?:['’]\w+)*")
    for sentence, text in zip(sentences, texts, strict=True):
        assert word.sub("w", text) == word.sub("w", sentence)


def test_names_and_numbers_stay_and_capitals_are_kept():
    table = made()
    rare = SOURCE[-1]
    (text,) = translate([f"Sdd met Smithers in 1985, {SOURCE[200].capitalize()}."], table, "es")
    assert text.startswith("T")
    assert " Smithers " in text
    assert " 1985, T" in text
    assert text.endswith(".")
    assert rare in table.translations


def test_languages_without_blanks_have_none():
    assert " " not in translate([" ".join(SOURCE[100:110]) + ", and more."], made(), "zh")[0]


def test_frequencies_are_those_of_the_lists():
    wordfreq = pytest.importorskip("wordfreq")
    chosen = word_list("de", 300)
    expected = [wordfreq.zipf_frequency(word, "de") for word in chosen]
    # zipf_frequency rounds to two digits, and cuts words at hyphens.
    assert np.allclose(word_frequencies(chosen, "de"), expected, atol=0.006)
    assert word_frequencies(["qqqxxqq"], "en").tolist() == [0.0]
    assert (np.diff(word_frequencies(word_list("zh", 500), "zh")) <= 0).all()
    with pytest.raises(TextSourceError, match="found 'xx'"):
        word_frequencies(["a"], "xx")
