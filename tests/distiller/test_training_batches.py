"""Batches: every example, no text twice, sources in proportion, the same on each process."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from staticemb_distiller.errors import TrainingError
from staticemb_distiller.training.batches import batches, check_batch_size, steps
from staticemb_distiller.training.dataset import Dataset, Examples, Texts
from strategies import pair_columns

SIZES = st.integers(1, 20)


def dataset(*examples):
    texts = Texts(np.empty(0, np.int32), np.zeros(1, np.int64))
    return Dataset(texts, list(examples), np.empty(0, np.uint8), np.zeros(1, np.int64))


def pairs(columns, weight=1.0, kind="pairs"):
    return Examples(kind, np.array(columns, np.int32), None, None, weight, "a.tsv")


def unique(n, weight=1.0):
    return pairs(np.arange(2 * n).reshape(n, 2), weight)


def labeled(labels):
    columns = np.arange(len(labels), dtype=np.int32)[:, None]
    return Examples("labeled", columns, None, np.array(labels, np.int32), 1.0, "a.tsv")


def rows(data, size, **knobs):
    """Each batch as source and rows."""
    knobs = {"seed": 1, "epoch": 0, **knobs}
    return [(b.source, b.columns.tolist()) for b in batches(data, size, **knobs)]


def taken(data, size, epoch=0):
    return Counter(tuple(row) for _, batch in rows(data, size, epoch=epoch) for row in batch)


@given(pair_columns(), SIZES, st.integers(0, 3))
def test_no_text_is_in_two_examples_of_a_batch(columns, size, epoch):
    data = dataset(pairs(columns))
    there = Counter(map(tuple, columns))
    assert len(rows(data, size, epoch=epoch)) == steps(data, size)
    for _, batch in rows(data, size, epoch=epoch):
        assert len(batch) <= size
        texts = [text for row in batch for text in set(row)]
        assert len(texts) == len(set(texts))
    assert not taken(data, size, epoch) - there


@given(st.integers(2, 300), SIZES, st.integers(0, 3))
def test_every_example_comes_once_an_epoch(n, size, epoch):
    data = dataset(unique(n))
    assert taken(data, size, epoch) == Counter(map(tuple, data.examples[0].columns.tolist()))
    lengths = [len(batch) for _, batch in rows(data, size, epoch=epoch)]
    assert max(lengths) <= size
    assert sum(lengths) == n


@pytest.mark.parametrize("seed", range(4))
def test_examples_that_share_texts_all_come_where_batches_are_many(seed):
    """Each anchor and each positive stands in up to five examples; there are 32 batches."""
    random = np.random.default_rng(seed)
    columns = np.stack([np.arange(512) % 110, 200 + random.permutation(512) % 110], axis=1)
    data = dataset(pairs(columns))
    assert steps(data, 16) == 32
    assert taken(data, 16) == Counter(map(tuple, columns.tolist()))


@settings(max_examples=25)
@given(pair_columns(max_size=16), st.integers(2, 9))
@example(  # an example whose turn always came together with another's of its text
    [
        [0, 0],
        [0, 0],
        [1, 1],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 1],
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 1],
        [2, 1],
    ],
    6,
)
def test_examples_that_find_no_place_come_in_another_epoch(columns, size):
    data = dataset(pairs(columns))
    seen = Counter()
    for epoch in range(20 * len(columns)):
        seen += taken(data, size, epoch)
    assert set(seen) == set(map(tuple, columns))


def test_examples_of_a_text_that_is_everywhere_take_turns():
    columns = [[0, number] for number in range(1, 41)] + [[50 + n, 100 + n] for n in range(60)]
    data = dataset(pairs(columns))
    epochs = [taken(data, 10, epoch) for epoch in range(4)]
    assert steps(data, 10) == 10
    assert all(sum(row[0] == 0 for row in epoch) == 10 for epoch in epochs)
    assert len(set().union(*epochs)) == 100  # 4 epochs of 10 batches: each of the 40 came once
    assert all(row in epoch for epoch in epochs for row in map(tuple, columns[40:]))


@pytest.mark.parametrize("kind", ["pairs", "triplets"])
def test_negatives_may_repeat(kind):
    columns = np.stack([np.arange(20), np.arange(20) + 20, np.full(20, 99)], axis=1)
    data = dataset(pairs(columns if kind == "triplets" else columns[:, :2], kind=kind))
    assert [len(batch) for _, batch in rows(data, 10)] == [10, 10]


@given(pair_columns(), SIZES, st.integers(0, 70), st.integers(0, 2))
def test_an_epoch_is_resumed_where_it_stopped(columns, size, start, epoch):
    data = dataset(pairs(columns), unique(30), labeled([0, 1] * 9))
    whole = rows(data, size, epoch=epoch)
    assert rows(data, size, epoch=epoch) == whole
    assert rows(data, size, epoch=epoch, start=start) == whole[start:]


@given(pair_columns(), SIZES, st.integers(1, 5))
def test_processes_share_each_batch(columns, size, world):
    data = dataset(pairs(columns), unique(30))
    shares = [rows(data, size, rank=rank, world=world) for rank in range(world)]
    for (source, whole), *parts in zip(rows(data, size), *shares, strict=True):
        assert all(part[0] == source for part in parts)
        assert len({len(part[1]) for part in parts}) == 1
        together = [row for part in parts for row in part[1]]
        assert together == whole[: len(together)]
        assert len(whole) - len(together) < world


def test_other_epochs_and_seeds_give_other_batches():
    data = dataset(unique(100))
    found = [rows(data, 10), rows(data, 10, epoch=1), rows(data, 10, seed=2)]
    assert found[0] != found[1] != found[2] != found[0]
    assert rows(data, 10, epoch=1)[0] not in found[0]  # other company, not only another order


@given(st.lists(st.integers(2, 200), min_size=2, max_size=4), st.integers(1, 9))
def test_sources_are_mixed_in_proportion_all_along(sizes, size):
    data = dataset(*map(unique, sizes))
    order = [source for source, _ in rows(data, size)]
    counts = np.array([-(-n // size) for n in sizes])
    assert np.bincount(order, minlength=len(sizes)).tolist() == counts.tolist()
    for end in range(len(order)):
        due = counts * end / len(order)
        # Each source is never more than a batch off its own clock, which sources share.
        assert (abs(np.bincount(order[:end], minlength=len(sizes)) - due) <= len(sizes)).all()


def test_a_weight_is_how_often_an_example_comes():
    data = dataset(unique(40, 2.0), unique(40, 0.5), unique(40))
    assert steps(data, 10) == 8 + 2 + 4
    by_source = [Counter(), Counter(), Counter()]
    for epoch in range(2):
        for source, batch in rows(data, 10, epoch=epoch):
            by_source[source].update(map(tuple, batch))
    for found, times in zip(by_source, (4, 1, 2), strict=True):
        assert len(found) == 40
        assert set(found.values()) == {times}


@given(st.lists(st.integers(0, 9), min_size=20, max_size=80), st.integers(0, 3))
def test_labels_come_at_least_by_twos(labels, epoch):
    labels = labels + labels
    data = dataset(labeled(labels))
    found = list(batches(data, 20, seed=1, epoch=epoch))
    assert sorted(row for b in found for row in b.columns.ravel().tolist()) == list(
        range(len(labels))
    )
    for batch in found:
        assert [labels[row] for row in batch.columns.ravel()] == batch.labels.tolist()
        # Only where a batch begins and ends can a label be parted from its like.
        assert sum(count == 1 for count in Counter(batch.labels.tolist()).values()) <= 2


def test_scores_stay_with_their_pairs():
    scores = np.linspace(0, 1, 30, dtype=np.float32)
    columns = np.zeros((30, 2), np.int32)
    columns[:, 1] = np.arange(30)
    data = dataset(Examples("scored", columns, scores, None, 1.0, "a.tsv"))
    for batch in batches(data, 7, seed=1, epoch=0):
        assert batch.scores.tolist() == scores[batch.columns[:, 1]].tolist()


def test_a_source_that_fills_no_batch_is_named():
    check_batch_size(dataset(unique(10), unique(5, 2.0)), 10)
    for short in (unique(9), unique(10, 0.5)):
        with pytest.raises(TrainingError, match=r"a.tsv: expected .* 10, found [59]; reduce"):
            check_batch_size(dataset(unique(10), short), 10)
    assert [len(batch) for _, batch in rows(dataset(unique(9)), 16)] == [9]


def test_a_source_without_examples_gives_no_batch():
    none = pairs(np.empty((0, 2)))
    assert steps(dataset(none), 4) == 0
    assert [source for source, _ in rows(dataset(none, unique(4)), 4)] == [1]
