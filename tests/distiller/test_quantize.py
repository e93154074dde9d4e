"""Number formats: what is lost, and that no token is lost."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from staticemb_distiller.errors import TableError
from staticemb_distiller.table.quantization import cluster_rows, to_float16, to_int8
from staticemb_distiller.table.weights import rank_probabilities, sif_weights

tables = arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.integers(1, 6)),
    elements=st.floats(-8, 8, width=32),
)


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("coefficient", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("length", [1.0, 1e-3])
def test_float16_keeps_the_rows_of_frequent_tokens(coefficient, length):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5000, 64)) * length / 8
    weights = sif_weights(rank_probabilities(5000), coefficient)
    table = (vectors * weights[:, None]).astype(np.float32)
    stored, exponent = to_float16(table)
    assert np.isfinite(stored).all()
    assert cosines(stored, table).min() > 1 - 1e-6
    sums = np.ldexp(stored.astype(np.float64), -exponent).sum(axis=1)
    np.testing.assert_allclose(sums, table.sum(axis=1), atol=2e-3 * np.abs(table).max())


def test_float16_leaves_a_table_alone_that_needs_no_lift():
    table = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    stored, exponent = to_float16(table)
    assert exponent == 0
    np.testing.assert_array_equal(stored, table.astype(np.float16))


@given(tables)
def test_float16_rounds_each_element_to_its_precision(table):
    try:
        stored, exponent = to_float16(table)
    except TableError:
        return
    found = np.ldexp(stored.astype(np.float64), -exponent)
    largest = np.abs(table).max(axis=1, keepdims=True).astype(np.float64)
    assert (np.abs(found - table) <= largest * 2.0**-9).all()


def test_float16_refuses_what_it_cannot_hold():
    table = np.array([[1e4, 1e4], [1e-9, 1e-9]], np.float32)
    with pytest.raises(TableError, match="float16 cannot hold"):
        to_float16(table)


@given(tables)
def test_int8_is_within_half_a_step(table):
    integers, steps = to_int8(table)
    assert (steps > 0).all()
    error = np.abs(integers * steps.astype(np.float64) - table)
    assert (error <= steps.astype(np.float64) * 0.5001).all()
    assert np.abs(integers.astype(int)).max(initial=0) <= 127


@given(tables, st.floats(0.01, 1))
def test_one_step_for_all_columns_is_as_coarse_as_asked_or_as_int8_needs(table, step):
    integers, steps = to_int8(table, step=step)
    wide = table.astype(np.float64)
    assert len(set(steps.tolist())) == 1
    wanted = max(step * np.sqrt(np.square(wide).mean()), np.abs(wide).max() / 127)
    assert steps[0] == pytest.approx(max(wanted, np.finfo(np.float32).tiny), rel=1e-5)
    assert (np.abs(integers * np.float64(steps[0]) - wide) <= steps[0] * 0.5001).all()


def test_a_coarse_step_compresses_to_less_with_the_error_that_it_stands_for():
    table = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    table *= np.geomspace(1, 0.1, 64, dtype=np.float32)
    sizes = {}
    for step in (None, 0.3):
        integers, steps = to_int8(table, step=step)
        sizes[step] = len(zlib.compress(integers.tobytes()))
    assert sizes[0.3] < 0.6 * sizes[None]
    error = np.sqrt(np.mean((integers * steps - table) ** 2))
    assert error == pytest.approx(0.3 / 12**0.5 * np.sqrt(np.mean(table**2)), rel=0.1)


@given(st.integers(0, 1000))
def test_clipping_lowers_the_error_of_each_column(seed):
    table = np.random.default_rng(seed).standard_t(3, size=(400, 5)).astype(np.float32)
    errors = []
    for clip in (False, True):
        integers, steps = to_int8(table, clip=clip)
        errors.append(np.square(integers * steps.astype(np.float64) - table).sum(axis=0))
    assert (errors[1] <= errors[0] * (1 + 1e-6)).all()


def test_a_column_of_zeros_stays_zero():
    integers, steps = to_int8(np.zeros((3, 2), np.float32), clip=True)
    assert (integers * steps == 0).all()


@pytest.mark.parametrize("function", [to_float16, to_int8])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(function, value):
    with pytest.raises(TableError, match="finite"):
        function(np.array([[1.0, value]], np.float32))


def test_clusters_bring_like_rows_together():
    rng = np.random.default_rng(3)
    groups = rng.integers(5, size=300)
    vectors = (np.eye(5)[groups] * 10 + rng.normal(size=(300, 5)) * 0.01).astype(np.float32)
    centers, rows = cluster_rows(vectors, 20, seed=1)
    assert len(centers) <= 20
    assert np.abs(centers[rows] - vectors).max() < 0.2
    again = cluster_rows(vectors, 20, seed=1)
    np.testing.assert_array_equal(again[0], centers)
    np.testing.assert_array_equal(again[1], rows)


@pytest.mark.parametrize("clusters", [0, 10, 11])
def test_clusters_must_be_fewer_than_tokens(clusters):
    with pytest.raises(TableError, match="clusters: expected 1 to 9"):
        cluster_rows(np.ones((10, 2), np.float32), clusters)
