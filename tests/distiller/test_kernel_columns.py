"""Kernel columns: scikit-learn's kernel as the oracle, and what users of a file see of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import rbf_kernel

from staticemb_distiller.table.build import Table
from staticemb_distiller.table.kernel_columns import with_kernel_columns
from staticemb_runtime import StaticModel
from staticemb_runtime.format import read


def table(seed, tokens=40, width=12):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(tokens, width)).astype(np.float32)
    rows[1::2] = rows[::2] + 0.3 * rows[1::2]  # pairs of similar tokens
    rows[5] = 0
    return Table(rows, random.uniform(0.5, 2, tokens), np.ones(16), np.eye(16, width))


def columns_of(made, width):
    """Return unit rows of the added columns, and their lengths as shares of the rows'."""
    added, own = made.rows[:, width:], made.rows[:, :width]
    lengths = np.linalg.norm(added, axis=1)
    shares = lengths / np.where(own.any(axis=1), np.linalg.norm(own, axis=1), 1)
    return added / np.where(lengths, lengths, 1)[:, None], shares


@given(st.integers(0, 10**6))
def test_columns_approach_the_gaussian_kernel_of_directions(seed):
    start = table(seed)
    keep = start.rows.any(axis=1)
    directions = start.rows[keep] / np.linalg.norm(start.rows[keep], axis=1, keepdims=True)
    expected = rbf_kernel(directions, gamma=1 / (2 * 0.5**2))
    errors = []
    for columns in (64, 4096):
        unit, _ = columns_of(with_kernel_columns(start, columns, seed=seed), 12)
        errors.append(np.abs(unit[keep] @ unit[keep].T - expected).mean())
    assert errors[1] < 0.02
    assert errors[1] < errors[0] / 3  # the error falls with the root of the number of columns


@given(st.integers(0, 10**6), st.sampled_from([2, 64]))
def test_rare_tokens_get_larger_columns_and_an_average_one_its_share(seed, columns):
    start = table(seed)
    made = with_kernel_columns(start, columns, seed=seed)
    np.testing.assert_array_equal(made.rows[:, :12], start.rows)
    assert not made.rows[5].any()
    _, shares = columns_of(made, 12)
    shares = np.delete(shares, 5)
    assert (np.diff(shares) > 0).all()
    assert shares[0] < 0.8 < shares[-1]
    assert made.projection.shape == (16, 12 + columns)
    assert not made.projection[:, 12:].any()


def test_no_columns_change_nothing():
    start = table(0)
    assert with_kernel_columns(start, 0) is start


torch = pytest.importorskip("torch")

from distiller.test_space import HELD_OUT, make, t5, text  # noqa: E402, F401 - fixtures


@pytest.fixture
def pair(make, text):  # noqa: F811
    """Return a model with kernel columns and the same one without."""

    def made(**knobs):
        return [
            StaticModel.from_parts(read(make(fit=[text], kernel_dims=n, **knobs))) for n in (20, 0)
        ]

    return made


@pytest.mark.parametrize("pooling", ["mean", "damped_mean"])
def test_a_prefix_without_the_columns_has_the_vectors_of_the_model_without(pair, pooling):
    wide, plain = pair(pooling=pooling)
    assert (wide.dim, plain.dim) == (36, 16)
    assert {16, 36} <= set(wide.prefixes)
    np.testing.assert_allclose(
        wide.encode(HELD_OUT, truncate_dim=16), plain.encode(HELD_OUT), atol=1e-6
    )


def test_queries_score_the_teachers_documents_as_without_but_for_a_factor(pair, t5):  # noqa: F811
    documents = t5.encode(HELD_OUT)
    wide, plain = (model.encode_query(HELD_OUT) @ model.project(documents).T for model in pair())
    factors = (wide * plain).sum(axis=1) / (plain * plain).sum(axis=1)
    assert (factors > 0.1).all()
    np.testing.assert_allclose(wide, factors[:, None] * plain, atol=5e-3)


def test_texts_that_share_a_rare_word_come_nearer(pair):
    wide, plain = pair(dtype="int8")
    shared = [(a, f"{a} {b}") for a, b in itertools.pairwise(HELD_OUT)]
    gains = []
    for model in (wide, plain):
        left = model.encode([a for a, _ in shared])
        right = model.encode([b for _, b in shared])
        cosines = left @ right.T
        own = np.diag(cosines)
        gains.append((own - cosines.mean(axis=1)).mean())
    assert gains[0] > gains[1]
