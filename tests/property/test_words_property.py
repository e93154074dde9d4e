"""Ids are always exactly those of `tokenizers`, family by family."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_runtime.tokenization.separability import find_splitter
from staticemb_runtime.tokenization.word_cache import WordCache
from staticemb_runtime.tokenization.word_tokenizer import WordTokenizer
from strategies import texts
from tokenizer_families import NAMES, WHOLE, family_json
from word_tokenizers import found, open_tokenizer


@cache
def oracle(name: str) -> Tokenizer:
    tokenizer = Tokenizer.from_buffer(family_json(name))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@cache
def learned(name: str) -> WordTokenizer:
    """One for all examples: its cache holds the words of all texts before."""
    return open_tokenizer(family_json(name))


def expected(name: str, texts: list[str]) -> list[list[int]]:
    return [oracle(name).encode(text, add_special_tokens=False).ids for text in texts]


@pytest.mark.parametrize("name", NAMES)
@given(batch=st.lists(texts(), min_size=1, max_size=4))
def test_ids_are_those_of_tokenizers(name: str, batch: list[str]) -> None:
    right = expected(name, batch)
    assert found(learned(name), batch) == right
    assert found(learned(name), batch) == right, "with every word known"


@pytest.mark.parametrize("name", NAMES)
@given(batch=st.lists(texts(12), min_size=1, max_size=4))
def test_a_fresh_cache_gives_the_same(name: str, batch: list[str]) -> None:
    assert found(fresh(name), batch) == expected(name, batch)


def fresh(name: str) -> WordTokenizer:
    """As newly made, without reading the definition again."""
    tokenizer = learned(name)
    copy = object.__new__(WordTokenizer)
    copy.__dict__.update(tokenizer.__dict__)
    copy._cache, copy._dictionary, copy._is_filled = WordCache(1000), {}, False
    return copy


@given(text=texts(), unknown=st.integers(0, 8), limit=st.integers(0, 9))
def test_unknown_ids_are_dropped_before_the_cut(text: str, unknown: int, limit: int) -> None:
    tokenizer = open_tokenizer(
        family_json("word_level"), unknown_token_id=unknown, max_tokens=limit
    )
    right = [i for i in expected("word_level", [text])[0] if i != unknown][:limit]
    assert found(tokenizer, [text]) == [right]
    assert found(tokenizer, [text]) == [right], "with every word known"


@given(batch=st.lists(texts(8), max_size=6), order=st.randoms())
def test_neighbors_and_order_do_not_matter(batch: list[str], order) -> None:
    tokenizer = open_tokenizer(family_json("modernbert"), cache_words=16)
    alone = {text: found(tokenizer, [text])[0] for text in batch}
    order.shuffle(batch)
    assert found(tokenizer, batch) == [alone[text] for text in batch]


@pytest.mark.parametrize("name", NAMES)
def test_words_are_cut_wherever_that_is_exact(name: str) -> None:
    assert (find_splitter(oracle(name)) is None) == (name in WHOLE)
