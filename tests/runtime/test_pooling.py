"""Pooling where sizes matter: long texts, many texts, extreme numbers, wrong ids."""

import itertools
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from staticemb_runtime.encoding.long_texts import Parameters
from staticemb_runtime.encoding.pooling import Pooler, pool
from staticemb_runtime.encoding.table import EmbeddingTable
from staticemb_runtime.errors import InvalidDimensionError, InvalidTokenIdError

DAMPED = {"pooling": "damped_mean", "beta": 1.0}


def tables(n_rows: int, dim: int) -> dict[str, EmbeddingTable]:
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((n_rows, dim)).astype(np.float32)
    rows += 0.3 * rng.standard_normal(dim).astype(np.float32)
    scale = np.abs(rows).max(axis=0) / np.float32(127)
    small = np.rint(rows / scale).astype(np.int8)
    weights = rng.uniform(-0.5, 2, 2 * n_rows).astype(np.float32)
    shared = rng.integers(0, n_rows, 2 * n_rows).astype(np.uint16)
    return {
        "float32": EmbeddingTable(rows),
        "float16": EmbeddingTable(rows.astype(np.float16)),
        "int8": EmbeddingTable(small, scale),
        "weighted float32": EmbeddingTable(rows, None, weights, shared),
        "weighted int8": EmbeddingTable(small, scale, weights, shared),
    }


def reference(table: EmbeddingTable, text: np.ndarray, beta: float, dims: int) -> np.ndarray:
    rows = table.embeddings if table.rows is None else table.embeddings[table.rows]
    rows = rows[text].astype(np.float64)
    if table.scale is not None:
        rows *= table.scale
    if table.weights is not None:
        rows *= table.weights[text][:, None]
    mean = rows.mean(axis=0)
    lengths = np.linalg.norm(rows[:, :dims], axis=1) * np.linalg.norm(mean[:dims])
    lengths[lengths == 0] = 1
    damping = np.exp(-beta * (rows[:, :dims] @ mean[:dims]) / lengths)
    return (damping[:, None] * rows).sum(axis=0) / damping.sum()


@pytest.mark.parametrize("kind", tables(2, 2))
@pytest.mark.parametrize(
    ("dim", "dims", "prefix"), [(256, 64, 256), (256, 64, 32), (96, 96, 40), (7, 3, 5), (5, 1, 1)]
)
@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_texts_of_every_length(kind, dim, dims, prefix, beta):
    table = tables(500, dim)[kind]
    rng = np.random.default_rng(1)
    lengths = np.concatenate(
        [np.arange(40), rng.integers(41, 700, 12), [255, 256, 257, 1024, 4095, 4096, 4097, 9000, 0]]
    )
    rng.shuffle(lengths)
    ids = rng.integers(0, table.vocab_size, lengths.sum()).astype(np.int32)
    request = {"pooling": "damped_mean", "beta": beta, "dims": dims, "prefix": prefix}
    found = pool(table, ids, lengths, **request)
    for text, vector in zip(np.split(ids, np.cumsum(lengths)[:-1]), found, strict=True):
        alone = pool(table, text, np.array([len(text)]), **request)
        np.testing.assert_array_equal(alone[0], vector)
        if not len(text):
            assert not vector.any()
        elif beta == 0 or len(text) > 9:  # a short text's mean may all but vanish
            expected = reference(table, text, beta, dims)[:prefix]
            np.testing.assert_allclose(vector, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize("kind", tables(2, 2))
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize(("dims", "prefix"), [(64, 192), (64, 48), (192, 1), (1, 192)])
def test_a_query_of_every_length_has_the_bits_of_a_batch(kind, unit, dims, prefix):
    table = tables(500, 192)[kind]
    rng = np.random.default_rng(5)
    lengths = np.concatenate([np.arange(70), [255, 256, 257, 300, 1023, 1024, 1025, 3000]])
    ids = rng.integers(0, table.vocab_size, lengths.sum()).astype(np.int32)
    for beta in (0.0, 1.0):
        pooler = Pooler(table, Parameters(beta, dims, prefix, unit))
        together = pooler.many(ids, lengths)
        for text, vector in zip(np.split(ids, np.cumsum(lengths)[:-1]), together, strict=True):
            assert pooler.one(text).tobytes() == vector.tobytes()


@pytest.mark.parametrize("size", [1e-36, 1e-25, 1e-12, 1e15, 1e30])
def test_extreme_rows_do_not_depend_on_their_neighbors(size):
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((40, 24)).astype(np.float32)
    rows[::3] *= np.float32(size)
    rows[7] = 0
    lengths = rng.integers(0, 30, 60)
    ids = rng.integers(0, 40, lengths.sum()).astype(np.int32)
    table = EmbeddingTable(rows)
    pooler = Pooler(table, Parameters(1.0, 16, 24, False))
    together = pooler.many(ids, lengths)
    for text, vector in zip(np.split(ids, np.cumsum(lengths)[:-1]), together, strict=True):
        assert pooler.one(text).tobytes() == vector.tobytes()
        if len(text) > 3:
            expected = reference(table, text, 1.0, 16)
            np.testing.assert_allclose(
                vector, expected, rtol=0, atol=1e-4 * np.abs(rows[text]).max()
            )


@pytest.mark.parametrize("wrong", [4, 2**31 - 1])
@pytest.mark.parametrize("length", [2, 2000])
def test_a_query_with_a_token_without_a_row_is_refused(wrong, length):
    table = EmbeddingTable(np.ones((9, 2), np.float32), rows=np.array([8, 8, 0, 1], np.uint16))
    ids = np.zeros(length, np.int32)
    ids[-1] = wrong
    with pytest.raises(InvalidTokenIdError, match=f"0 to 3, found {wrong}"):
        Pooler(table, Parameters(0.0, 0, 2, True)).one(ids)


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_text_of_a_million_tokens_is_exact_and_needs_little_memory(kind):
    table = tables(500, 16)[kind]
    ids = np.random.default_rng(2).integers(0, 500, 1_000_000).astype(np.int32)
    for beta in (0.0, 1.0):
        tracemalloc.start()
        found = pool(table, ids, np.array([len(ids)]), pooling="damped_mean", beta=beta, dims=8)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        np.testing.assert_allclose(found[0], reference(table, ids, beta, 8), rtol=0, atol=1e-6)
        assert peak < 4_000_000  # as many bytes as the ids have, whose rows would need 64 MB


def test_few_columns_of_a_table_that_is_not_cut_evenly_need_little_memory():
    table = EmbeddingTable(np.ones((3, 8191), np.float32))  # a prime: whole rows are gathered
    ids = np.zeros(200_000, np.int32)
    tracemalloc.start()
    pool(table, ids, np.full(2000, 100), prefix=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000  # a block of 1,024 rows takes 34 MB


def test_the_batch_decides_nothing():
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 90, 700)
    for table in tables(2000, 128).values():
        ids = rng.integers(0, table.vocab_size, lengths.sum()).astype(np.int32)
        for request in ({}, {**DAMPED, "dims": 64}):
            whole = pool(table, ids, lengths, **request)
            cuts = np.cumsum([0, 1, 2, 30, 32, 235, 400])
            starts = np.concatenate([[0], np.cumsum(lengths)])
            for begin, end in itertools.pairwise(cuts):
                part = ids[starts[begin] : starts[end]]
                some = pool(table, part, lengths[begin:end], **request)
                np.testing.assert_array_equal(some, whole[begin:end])


def test_threads_decide_nothing():
    rng = np.random.default_rng(4)
    lengths = rng.integers(0, 60, 200)
    ids = rng.integers(0, 2000, lengths.sum()).astype(np.int32)
    texts = np.split(ids, np.cumsum(lengths)[:-1])
    for _ in range(5):  # the threads find no length of a row computed
        pooler = Pooler(tables(2000, 128)["int8"], Parameters(1.0, 64, 128, False))

        def work(number: int, pooler: Pooler = pooler) -> np.ndarray:
            if number % 2:
                return pooler.many(ids, lengths)
            return np.array([pooler.one(text) for text in texts])

        with ThreadPoolExecutor(8) as threads:
            results = list(threads.map(work, range(16)))
        expected = work(1)
        for result in results:
            np.testing.assert_array_equal(result, expected)


def test_int8_sums_do_not_overflow():
    table = EmbeddingTable(np.array([[-128, 127]], np.int8), np.ones(2, np.float32))
    ids = np.zeros(5000, np.int32)
    for length in (255, 256, 257, 5000):
        vector = pool(table, ids[:length], np.array([length]))
        np.testing.assert_array_equal(vector, [[-128, 127]])


def test_every_float16_is_read_exactly():
    bits = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = bits[np.isfinite(bits)].reshape(-1, 2)
    ids = np.arange(len(finite), dtype=np.int32)
    found = pool(EmbeddingTable(finite), ids, np.ones(len(finite), np.int64))
    np.testing.assert_array_equal(found, finite.astype(np.float32))


@pytest.mark.parametrize("size", [1e-36, 1e-25, 1.0, 1e30])
def test_the_size_of_rows_does_not_change_the_damping(size):
    rows = np.array([[1, 0, 1], [3, 4, 0], [0, -1, 2]], np.float32)
    ids, lengths = np.array([0, 1, 1, 2], np.int32), np.array([4])
    expected = pool(EmbeddingTable(rows), ids, lengths, **DAMPED, dims=2)
    found = pool(EmbeddingTable(rows * np.float32(size)), ids, lengths, **DAMPED, dims=2)
    np.testing.assert_allclose(found, expected * size, rtol=1e-5)
    small = EmbeddingTable(rows.astype(np.int8), np.full(3, size, np.float32))
    np.testing.assert_allclose(
        pool(small, ids, lengths, **DAMPED, dims=2), expected * size, rtol=1e-5
    )


def test_damping_by_hand():
    # Mean (1, 0), cosines 1, 1 and 0: e^-1, e^-1 and 1.
    table = EmbeddingTable(np.array([[1, 0], [2, 0], [0, 0]], np.float32))
    found = pool(table, np.array([0, 1, 2]), np.array([3]), **DAMPED, dims=2)
    a = np.exp(-1)
    np.testing.assert_allclose(found, [[3 * a / (2 * a + 1), 0]], rtol=1e-6)


def test_a_mean_of_length_zero_damps_nothing():
    table = EmbeddingTable(np.array([[1, 5], [-1, 3]], np.float32))
    found = pool(table, np.array([0, 1]), np.array([2]), **DAMPED, dims=1)
    np.testing.assert_array_equal(found, [[0, 4]])


@pytest.mark.parametrize("wrong", [-1, 4, 2**31 - 1])
def test_a_token_without_a_row_is_refused(wrong):
    table = EmbeddingTable(np.ones((9, 2), np.float32), rows=np.array([8, 8, 0, 1], np.uint16))
    with pytest.raises(InvalidTokenIdError, match=f"0 to 3, found {wrong}"):
        pool(table, np.array([0, wrong], np.int32), np.array([2]))
    with pytest.raises(InvalidTokenIdError):
        table.token_rows(np.array([wrong]))


@pytest.mark.parametrize("wrong", [0, -1, 3])
def test_a_prefix_that_the_table_has_not_is_refused(wrong):
    with pytest.raises(InvalidDimensionError, match=f"1 to 2, found {wrong}"):
        pool(
            EmbeddingTable(np.ones((1, 2), np.float32)), np.array([0]), np.array([1]), prefix=wrong
        )


def test_rows_of_single_tokens():
    for table in tables(50, 12).values():
        ids = np.array([3, 0, 3, table.vocab_size - 1])
        alone = pool(table, ids, np.ones(4, np.int64))
        np.testing.assert_allclose(table.token_rows(ids), alone, rtol=1e-6)
        np.testing.assert_array_equal(table.token_rows(ids, 5), table.token_rows(ids)[:, :5])
        assert table.token_rows(ids[:0]).shape == (0, 12)


def test_no_texts():
    table = EmbeddingTable(np.ones((1, 2), np.float32))
    none = np.array([], np.int32)
    assert pool(table, none, none).shape == (0, 2)
    assert pool(table, none, none, **DAMPED, dims=1).shape == (0, 2)
