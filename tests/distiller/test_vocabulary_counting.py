"""Counting words, phrases and tokens, against counts made the plain way."""

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from distiller.vocabulary_families import CORPUS, FAMILIES, TEXTS, plain
from staticemb_distiller.errors import VocabularyError
from staticemb_distiller.vocabulary.build import build
from staticemb_distiller.vocabulary.counting import count_tokens, count_words

EVERY = pytest.mark.parametrize("name", FAMILIES)
WORDS = st.lists(
    st.sampled_from(["alpha", "beta", "gamma", "delta", "42", "x1", "!", ",", "-"]), max_size=12
)


@EVERY
@given(texts=st.lists(TEXTS, max_size=3))
def test_tokens_are_counted_as_they_are_encoded(name, texts):
    tokenizer = FAMILIES[name]
    expected = Counter()
    for text in texts:
        expected.update(plain(tokenizer).encode(text, add_special_tokens=False).ids)
    counts = count_tokens(iter(texts), tokenizer, prefix_space=False)
    assert len(counts) == tokenizer.get_vocab_size()
    assert Counter({i: int(n) for i, n in enumerate(counts) if n}) == expected


def test_tokens_are_counted_with_the_blank_in_front_that_a_vocabulary_has():
    tokenizer = FAMILIES["roberta"]
    spaced = count_tokens([" walked", " city"], tokenizer, prefix_space=False)
    assert (count_tokens(["walked", "city"], tokenizer) == spaced).all()
    assert (count_tokens(["walked", "city"], tokenizer, prefix_space=False) != spaced).any()


def test_long_texts_are_counted_to_their_end():
    tokenizer = FAMILIES["wordpiece"]  # cuts to 6 tokens and pads to 6
    assert tokenizer.truncation
    assert count_tokens(["the city " * 5000], tokenizer).sum() == 10_000


@given(texts=st.lists(WORDS.map(" ".join), max_size=8), size=st.integers(1, 10))
def test_words_are_the_most_frequent_first(texts, size):
    counts = Counter(word for text in texts for word in text.split() if word[0].isalnum())
    expected = sorted(counts, key=lambda word: (-counts[word], word))[:size]
    assert count_words(iter(texts), size, tokenizer=FAMILIES["roberta"]) == expected


def test_words_are_normalized_and_cut_as_the_word_mode_does():
    texts = ["Café, café & CAFE: don't!"]
    lowered = ["cafe", "don", "t"]
    assert count_words(texts, 9, tokenizer=FAMILIES["wordpiece"]) == lowered
    cased = ["CAFE", "Café", "café", "don", "t"]
    for name in ("roberta", "qwen", "gemma", "unigram"):
        assert count_words(texts, 9, tokenizer=FAMILIES[name]) == cased


@EVERY
def test_split_words_are_those_that_take_new_rows(name):
    every = count_words(CORPUS, 10_000, tokenizer=FAMILIES[name])
    split = count_words(CORPUS, 10_000, tokenizer=FAMILIES[name], split=True)
    before = len(build(FAMILIES[name]))
    assert split == [word for word in every if word in set(split)]
    if split:
        added = len(build(FAMILIES[name], mode="subword", words=split)) - before
        assert len(split) * 0.9 < added <= len(split)
    whole = [word for word in every if word not in set(split)]
    if whole:
        assert len(build(FAMILIES[name], mode="subword", words=whole)) == before
    assert count_words(CORPUS, 1, tokenizer=FAMILIES[name], split=True) == split[:1]


def test_min_count():
    texts = ["a a a b b c"]
    assert count_words(texts, 9, tokenizer=FAMILIES["roberta"], min_count=2) == ["a", "b"]


def test_phrases_are_pairs_that_stand_together_more_than_by_chance():
    texts = ["he lives in new york", "the new car in the york museum", "new york in the news"] * 4
    texts += ["in the car", "the car, in town", "in a car he lives"] * 20
    found = count_words(texts, 99, tokenizer=FAMILIES["roberta"], phrases=True)
    phrases = [entry for entry in found if " " in entry]
    assert "new york" in phrases
    assert not {"in the", "car in", "in town york"} & set(phrases)
    rare = count_words(texts[:6], 99, tokenizer=FAMILIES["roberta"], phrases=True)
    assert not any(" " in entry for entry in rare)


def test_no_phrase_goes_over_punctuation():
    texts = ["new, york", "new york!"] * 2 + ["new. York"] * 50
    found = count_words(texts, 99, tokenizer=FAMILIES["wordpiece"], phrases=True)
    assert not any(" " in entry for entry in found)


def test_memory_does_not_grow_with_the_text():
    def text():
        for number in range(60_000):
            yield f"common word{number} frequent other{number}"

    tracemalloc.start()
    found = count_words(text(), 2, tokenizer=FAMILIES["roberta"], phrases=True, max_entries=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["common", "frequent"]
    assert peak < 2_000_000


@EVERY
def test_counted_words_make_a_vocabulary_in_both_modes(name):
    tokenizer = FAMILIES[name]
    words = count_words(CORPUS * 2, 60, tokenizer=tokenizer, phrases=True)
    assert any(" " in word for word in words)
    for mode in ("word", "subword"):
        vocabulary = build(tokenizer, mode=mode, words=words)
        cut = Tokenizer.from_buffer(vocabulary.tokenizer_json)
        counts = count_tokens(CORPUS, cut)
        used = {token for token, n in zip(vocabulary.tokens, counts, strict=True) if n}
        assert len({word for word in words if word in used or f"▁{word}" in used}) > len(words) / 4


@pytest.mark.parametrize("setting", ["size", "min_count", "max_entries"])
def test_settings_are_positive(setting):
    arguments = {"size": 1, setting: 0}
    with pytest.raises(VocabularyError, match=f"{setting}: expected at least 1, found 0"):
        count_words([], tokenizer=FAMILIES["roberta"], **arguments)
