"""Duplicates: the results of brute force, streams, two sets, hostile input."""

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import strategies
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import InvalidDimensionError, InvalidOptionError, InvalidTextError
from staticemb_runtime.search import Deduplicator, Duplicate, deduplicate
from staticemb_runtime.search.near_vectors import NearVectors, spherical_centers

WORDS = ["red", "green", "old", "new", "house", "car", "river", "train", "how", "do", "I"]
WORDS += ["reset", "my", "password"]


@pytest.fixture(scope="module")
def model():
    return StaticModel()


def normalized(text):
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def brute_force(model, texts, threshold):
    """(number, is_exact, the similarities of all kept texts before it) of each text."""
    vectors = model.encode(texts, on_empty="zero").astype(np.float64)
    kept: list[int] = []
    for number, text in enumerate(texts):
        equal = [k for k in kept if normalized(texts[k]) == normalized(text)]
        cosines = {k: float(vectors[number] @ vectors[k]) for k in kept}
        best = max(cosines.values(), default=-1.0)
        is_duplicate = bool(equal) or best >= threshold
        yield number, equal, cosines, is_duplicate, abs(best - threshold) < 3e-6
        if not is_duplicate:
            kept.append(number)


def numbers(duplicates):
    """What rounding does not change: of two equally similar texts either may be the nearest."""
    return [(d.number, d.exact) for d in duplicates]


short_texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
odd_texts = (
    short_texts
    | short_texts.map(lambda t: f"  {t.upper()}\n")
    | st.sampled_from(["", "\x00", "漢字"])
)


@settings(max_examples=60)
@given(st.lists(odd_texts, max_size=30), st.sampled_from([0.5, 0.7, 0.9, 1.0]))
@example(["green", "red green red red green", "red", "red green red red green"], 0.5)
def test_duplicates_are_those_of_brute_force(model, texts, threshold):
    found = deduplicate(model, texts, threshold=threshold)
    assert found.total == len(texts)
    by_number = {duplicate.number: duplicate for duplicate in found.duplicates}
    for number, equal, cosines, is_duplicate, is_close in brute_force(model, texts, threshold):
        if is_close and not equal:
            return  # rounding decides, and the rest of the stream follows from it
        assert (number in by_number) == is_duplicate
        if is_duplicate:
            duplicate = by_number[number]
            assert duplicate.exact == bool(equal)
            if equal:
                assert duplicate[1:] == (equal[0], 1.0, True)
            else:
                best = max(cosines.values())
                assert cosines[duplicate.representative] == pytest.approx(best, abs=2e-6)
                assert duplicate.similarity == pytest.approx(best, abs=2e-6)
    assert found.kept().tolist() == sorted(set(range(len(texts))) - set(by_number))
    members = [d for group in found.groups() for d in group.duplicates]
    assert sorted(members) == list(found.duplicates)
    assert {group.representative for group in found.groups()} <= set(found.kept().tolist())


@settings(max_examples=30)
@given(st.lists(odd_texts, max_size=25), st.integers(0, 25))
def test_a_stream_gives_the_same_in_any_blocks(model, texts, cut):
    whole = Deduplicator(model, threshold=0.8)
    parts = Deduplicator(model, threshold=0.8)
    expected = whole.add(iter(texts))
    found = parts.add(texts[:cut]) + parts.add(texts[cut:])
    assert numbers(found) == numbers(expected)
    assert len(parts) == len(whole) == len(texts) - len(expected)


def test_small_blocks_give_the_same(model, monkeypatch):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 5))) for _ in range(600)]
    whole = deduplicate(model, texts, threshold=0.8)
    assert 100 < len(whole.duplicates) < 600
    monkeypatch.setattr("staticemb_runtime.search.duplicates._BLOCK", 7)
    cut = deduplicate(model, texts, threshold=0.8)
    assert numbers(cut.duplicates) == numbers(whole.duplicates)


def test_texts_are_compared_with_another_set_alone(model):
    train = ["How do I reset my password?", "how can I reset my password", "Where is my refund?"]
    test = [
        "HOW DO I RESET  MY PASSWORD?",
        "a red house",
        "a red house",
        "how do I reset a password",
    ]
    found = deduplicate(model, test, against=iter(train), threshold=0.8)
    assert found.total == 4
    assert found.duplicates[0] == Duplicate(0, 0, 1.0, True)
    assert [d.number for d in found.duplicates] == [0, 3]
    assert found.duplicates[1].representative in (0, 1)
    cosine = model.encode(test[3]) @ model.encode(train[found.duplicates[1].representative])
    assert found.duplicates[1].similarity == pytest.approx(float(cosine), abs=1e-6)
    assert deduplicate(model, test, against=[]).duplicates == ()


def test_texts_without_known_tokens_have_exact_duplicates_alone(model):
    found = deduplicate(model, ["", "\x00", " ", "a text"])
    assert [(d.number, d.representative, d.exact) for d in found.duplicates] == [(2, 0, True)]


def test_many_equal_texts_are_one_group(model):
    texts = ["a red house"] * 5000 + ["A red house"] * 10
    (group,) = deduplicate(model, texts).groups()
    assert group.representative == 0
    assert len(group.duplicates) == 5009
    assert all(d.exact and d.similarity == 1 for d in group.duplicates)


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan"), "0.9", True, None])
def test_a_wrong_threshold_is_refused(model, threshold):
    with pytest.raises(InvalidOptionError, match="threshold"):
        Deduplicator(model, threshold=threshold)


@pytest.mark.parametrize("texts", ["a text", 3, [1], [b"bytes"], {"a", "b"}, 1.5])
def test_what_is_not_texts_is_refused(model, texts):
    with pytest.raises(TypeError):
        deduplicate(model, texts)
    with pytest.raises(TypeError):
        deduplicate(model, ["a"], against=texts)


def test_errors_of_the_model_are_passed_on(model):
    with pytest.raises(InvalidTextError):
        deduplicate(model, ["a", "\ud800"])
    with pytest.raises(InvalidDimensionError):
        deduplicate(model, ["a"], truncate_dim=100_000)


@settings(max_examples=25)
@given(strategies.texts(), strategies.texts())
def test_any_texts(model, a, b):
    found = deduplicate(model, [a, b, a])
    assert {d.number for d in found.duplicates} >= {2}


# --- the lists of vectors ------------------------------------------------------------------------


def unit(rows):
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def clustered(seed, count, dim):
    """Vectors around some directions, with close pairs and zeros."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(8, dim))
    rows = middle[rng.integers(0, 8, count)] + rng.normal(size=(count, dim)) * rng.choice(
        [0.05, 0.3, 1.0], (count, 1)
    )
    rows[rng.integers(0, count, count // 20)] = 0
    return unit(rows)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("dim", [2, 5, 40])
def test_the_whole_bound_misses_no_vector(dim, threshold):
    vectors = clustered(1, 3000, dim)
    noise = np.random.default_rng(2).normal(size=(300, dim)) / dim**0.5
    queries = unit(vectors[::10] + noise * np.linspace(0, 2, 300)[:, None])
    near = NearVectors(dim, threshold, slack=1.0, first_lists=500)
    own_numbers = np.arange(0, 30_000, 10)
    for begin in range(0, 3000, 250):
        near.add(vectors[begin : begin + 250], own_numbers[begin : begin + 250])
    assert len(near) == int(vectors.any(axis=1).sum())
    assert len(near._lists) > 10
    found = near.nearest(queries)
    cosines = queries.astype(np.float64) @ vectors.T
    best = cosines.max(axis=1)
    sure = np.abs(best - threshold) > 2e-6
    assert ((found.indices >= 0) == (best >= threshold))[sure].all()
    hit = found.indices >= 0
    assert hit.sum() >= 1
    assert found.cosines[hit] == pytest.approx(best[hit], abs=2e-6)
    assert (found.cosines[~hit] == -1).all()
    own = cosines[np.flatnonzero(hit), found.indices[hit] // 10]
    assert own == pytest.approx(best[hit], abs=2e-6)


def test_half_the_bound_finds_nearly_all():
    rng = np.random.default_rng(3)
    vectors = clustered(4, 20_000, 64)
    queries = unit(vectors[::4] + rng.normal(size=(5000, 64)) * 0.04)
    near = NearVectors(64, 0.9, first_lists=5000)
    near.add(vectors, np.arange(len(vectors)))
    best = (queries @ vectors.T).max(axis=1)
    found = near.nearest(queries).cosines >= 0
    assert (best >= 0.9).sum() > 2000
    assert found[best >= 0.9].mean() > 0.995


@pytest.mark.parametrize("dim", [40, 64, 192, 300])
@pytest.mark.parametrize("threshold", [0.82, 0.9, 0.97])
def test_hashes_find_nearly_all(dim, threshold):
    rng = np.random.default_rng(3)
    vectors = unit(rng.normal(size=(9000, dim)))
    vectors[::50] = 0
    near = NearVectors(dim, threshold, first_lists=2000, hashes=True)
    numbers = np.arange(0, 90_000, 10)
    for begin in range(0, 9000, 1500):
        near.add(vectors[begin : begin + 1500], numbers[begin : begin + 1500])
    assert near._hashed is not None
    assert len(near) == int(vectors.any(axis=1).sum())
    noise = unit(rng.normal(size=(2000, dim)))
    queries = unit(vectors[:2000] + noise * np.linspace(0, 0.8, 2000)[:, None].astype(np.float32))
    cosines = queries @ vectors.T
    best = cosines.max(axis=1)
    found = near.nearest(queries)
    hit = found.indices >= 0
    assert (best[hit] >= threshold - 2e-6).all()
    assert hit[best >= threshold].mean() > 0.98
    own = cosines[np.flatnonzero(hit), found.indices[hit] // 10]
    assert own == pytest.approx(found.cosines[hit], abs=2e-6)
    assert (np.abs(own - best[hit]) < 2e-6).mean() > 0.98


def test_vectors_of_one_direction_are_kept_in_lists():
    """Less their mean, similar vectors are no longer similar: signs would say nothing."""
    rng = np.random.default_rng(3)
    vectors = unit(rng.normal(size=(3000, 64)) + 15)
    near = NearVectors(64, 0.9999, first_lists=2000, hashes=True)
    near.add(vectors, np.arange(3000))
    assert near._hashed is not None
    near = NearVectors(64, 0.99, first_lists=2000, hashes=True)
    near.add(vectors, np.arange(3000))
    assert near._hashed is None
    assert (near.nearest(vectors).cosines > 0.9999).all()


def test_equal_vectors_in_hash_tables_take_no_time(model):
    """Equal texts of the other set are stored once."""
    seen = Deduplicator(model)
    seen.keep(["the same text"] * 5000 + ["another one"])
    assert len(seen) == 5001
    assert len(seen._near) == 2
    assert [d.representative for d in seen.compare(["The same  text", "another one"])] == [0, 5000]


@pytest.mark.serial
def test_the_time_of_hashes_grows_nearly_linearly():
    rng = np.random.default_rng(1)
    vectors = unit(rng.normal(size=(4 * 12_000, 96)))

    def work(count):
        near = NearVectors(96, 0.9, first_lists=3000, hashes=True)
        for begin in range(0, count, 2000):
            near.nearest(vectors[begin : begin + 2000])
            near.add(vectors[begin : begin + 2000], np.arange(begin, begin + 2000))

    # from four to eight times as long for four times as many: a quadratic search takes sixteen
    small, large = (min(processor_time(work, n) for _ in range(2)) for n in (12_000, 48_000))
    assert large < 8 * small


def processor_time(call, argument):
    before = time.process_time()
    call(argument)
    return time.process_time() - before


def test_few_vectors_of_many_are_read():
    """The lists make the work grow slower than the number of pairs."""
    rng = np.random.default_rng(5)
    vectors = unit(
        rng.normal(size=(20_000, 64)) + 4 * rng.normal(size=(50, 64))[rng.integers(0, 50, 20_000)]
    )
    near = NearVectors(64, 0.95, first_lists=5000)
    near.add(vectors, np.arange(len(vectors)))
    read = []
    original = near._read
    near._read = lambda number, chosen, *rest: (  # type: ignore[method-assign]
        read.append(len(chosen) * len(near._lists[number].view()[0])),
        original(number, chosen, *rest),
    )
    near.nearest(vectors[:1000])
    assert sum(read) < 0.2 * 1000 * len(vectors)


def test_the_first_of_equal_vectors_is_found():
    near = NearVectors(3, 0.5, first_lists=20)
    vectors = unit(np.random.default_rng(0).normal(size=(40, 3)))
    near.add(np.concatenate([vectors, vectors]), np.arange(80))
    assert near.nearest(vectors).indices.tolist() == list(range(40))


def test_centers_of_groups_have_unit_length():
    vectors = clustered(6, 400, 7)
    centers = spherical_centers(vectors, 30)
    assert centers.shape == (30, 7)
    assert np.linalg.norm(centers, axis=1) == pytest.approx(1, abs=1e-5)
    assert (spherical_centers(vectors, 30) == centers).all()
    assert np.isfinite(spherical_centers(np.zeros((5, 4), np.float32), 3)).all()
