"""The table of words is a dictionary; the cut of bytes is the rule's cut; neither can be slowed."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_runtime.tokenization import word_table
from staticemb_runtime.tokenization.segmenters import Dropped
from staticemb_runtime.tokenization.separability import find_splitter
from staticemb_runtime.tokenization.word_cache import WordCache
from staticemb_runtime.tokenization.word_table import MISSING, WordTable, expand
from staticemb_runtime.tokenization.words import WordIds, Words, merge
from strategies import texts
from tokenizer_families import NAMES, family_json

KEYS = st.binary(min_size=1, max_size=16).filter(lambda key: 0 not in key)
IDS = st.lists(st.integers(0, 2**31 - 1), max_size=4)
ENTRIES = st.dictionaries(KEYS, st.none() | IDS, max_size=40)


def ids_of(entries: list[list[int] | None]) -> WordIds:
    return WordIds.join([None if ids is None else np.int32(ids).tobytes() for ids in entries])


def lists(ids: WordIds) -> list[list[int] | None]:
    return [
        None if each is None else np.frombuffer(each, np.int32).tolist() for each in ids.split()
    ]


@given(batches=st.lists(ENTRIES, max_size=5), asked=st.lists(KEYS, max_size=20))
def test_a_table_is_a_dictionary(batches, asked):
    table = WordTable(2, 1000)
    expected = {}
    for batch in batches:
        new = {key: ids for key, ids in batch.items() if key not in expected}
        table.add(Words.join(list(new)), ids_of(list(new.values())))
        expected |= new
    assert table.size == len(expected)
    asked = [*asked, *expected]
    values, ids = table.find(Words.join(asked))
    assert [value == MISSING for value in values] == [key not in expected for key in asked]
    known = list(expected)
    values, ids = table.find(Words.join(known))
    assert lists(expand(values, ids)) == [expected[key] for key in known]


@given(
    keys=st.lists(KEYS, min_size=1, max_size=200, unique=True),
    most=st.integers(1, 50),
    step=st.integers(1, 20),
)
def test_a_full_table_stays_within_its_bound_and_right(keys, most, step):
    table = WordTable(2, most)
    numbers = {key: i for i, key in enumerate(keys)}
    for begin in range(0, len(keys), step):
        words = Words.join(keys[begin : begin + step])
        new = (table.find(words)[0] == MISSING).nonzero()[0]
        ids = WordIds(np.int32([numbers[key] for key in keys[begin : begin + step]]), None)
        table.add(words.select(new), WordIds(ids.ids[new], np.ones(len(new), np.intp)))
        assert table.size <= most
        values, _ = table.find(Words.join(keys))
        assert (values != MISSING).sum() == table.size
        assert all(value in (MISSING, i) for i, value in enumerate(values.tolist()))


def test_the_memory_of_a_table_is_bounded():
    table = WordTable(2, 1000)
    for begin in range(0, 100_000, 500):
        words = Words.join([b"w%d" % i for i in range(begin, begin + 500)])
        ids = np.zeros(1500, np.int32)
        table.add(words, WordIds(ids, np.full(500, 3, np.intp)))
    assert table.nbytes < 200_000


@given(entries=st.lists(st.tuples(st.booleans(), st.none() | IDS), max_size=30))
def test_merging_restores_the_order(entries):
    first = np.array([is_first for is_first, _ in entries], np.bool_)
    parts = [
        (mask, ids_of([ids for is_first, ids in entries if is_first == flag]))
        for flag, mask in ((True, first), (False, ~first))
    ]
    assert lists(merge(parts)) == [ids for _, ids in entries]


@given(words=st.lists(st.binary(min_size=1, max_size=60).filter(lambda w: 0 not in w), max_size=40))
def test_a_cache_asks_for_each_word_once(words):
    asked = []

    def learn(new):
        asked.extend(new.spelled())
        return ids_of([[len(word), word[0]] for word in new.spelled()])

    cache = WordCache(10_000)
    for _ in range(2):
        ids = cache.encode(Words.join(words), learn)
        assert lists(ids) == [[len(word), word[0]] for word in words]
    assert sorted(asked) == sorted(set(words))


@pytest.mark.parametrize("name", NAMES)
@given(batch=st.lists(texts(), max_size=6))
def test_the_cut_of_bytes_is_the_cut_of_the_rule(name, batch):
    splitter = find_splitter(Tokenizer.from_buffer(family_json(name)))
    if splitter is None:
        return
    words, counts, odd = splitter.byte_cut.cut(batch)
    ends = np.cumsum(counts)
    strings = words.strings()
    for index, text in enumerate(batch):
        if odd is not None and odd[index]:
            continue
        found = strings[ends[index] - counts[index] : ends[index]]
        if isinstance(splitter, Dropped):  # whose rule also cuts at white space beyond ASCII
            found = [word for each in found for word in splitter.cut(each)]
            assert found == list(filter(None, splitter.cut(text)))
        elif splitter.separable(found) == set(found):
            assert found == list(filter(None, splitter.cut(text)))


def growth(work, small):
    """The time of four times the work over the time of the work; the least of several."""
    ratios = []
    for _ in range(5):
        times = []
        for n in (small, 4 * small):
            begin = time.process_time()
            work(n)
            times.append(time.process_time() - begin)
        ratios.append(times[1] / times[0])
    return min(ratios)


@pytest.mark.serial
def test_chosen_words_do_not_slow_the_table():
    """Words that differ in their last bits alone, or in their first, as a multiplier would mix
    them worst."""

    def work(n):
        table = WordTable(2, 1 << 20)
        for pattern in (b"aaaaaaaaaaa%05d", b"%05daaaaaaaaaaa", b"aaa%05daaaaaaaa"):
            for begin in range(0, n, 1000):
                words = Words.join([pattern % i for i in range(begin, begin + 1000)])
                ids = np.zeros(1000, np.int32)
                table.add(words, WordIds(ids, np.ones(1000, np.intp)))
                table.find(words)

    assert growth(work, 10_000) < 8


def test_a_word_far_from_its_home_is_not_stored(monkeypatch):
    """With factors that put every word into one place, the search still ends."""
    table = WordTable(2, 1 << 12)
    table._factors = [np.uint64(0), np.uint64(0)]
    words = Words.join([b"w%04d" % i for i in range(1000)])
    table.add(words, WordIds(np.arange(1000, dtype=np.int32), np.ones(1000, np.intp)))
    values, _ = table.find(words)
    assert table.size == word_table._FARTHEST == (values != MISSING).sum()
    assert values[values != MISSING].tolist() == list(range(word_table._FARTHEST))
