"""Rotations: the laws of principal components, with scikit-learn as the oracle."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from staticemb_distiller.errors import TableError
from staticemb_distiller.table import rotation as rotate
from staticemb_distiller.table.rotation import (
    prefix_ladder,
    principal_components,
    second_moment_axes,
    variance_shares,
)


def sample(seed, count=60, width=8):
    rng = np.random.default_rng(seed)
    spread = np.linspace(3.0, 0.3, width)
    return (rng.normal(size=(count, width)) * spread + rng.normal(size=width)).astype(np.float32)


@given(st.integers(0, 10**6), st.integers(1, 8))
def test_components_are_those_of_scikit_learn_up_to_sign(seed, dims):
    vectors = sample(seed)
    expected = PCA(dims, svd_solver="full").fit_transform(vectors.astype(np.float64))
    found = principal_components(vectors, dims).apply(vectors)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=2e-5)


@given(st.integers(0, 10**6))
def test_a_full_rotation_about_the_origin_changes_no_inner_product(seed):
    vectors = sample(seed)
    rotated = second_moment_axes(vectors, "all").apply(vectors).astype(np.float64)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-3)


@given(st.integers(0, 10**6))
def test_second_moments_fall_along_the_axes_and_do_not_mix(seed):
    vectors = sample(seed)
    rotation = second_moment_axes(vectors, "all")
    rotated = rotation.apply(vectors).astype(np.float64)
    moments = rotated.T @ rotated / len(rotated)
    np.testing.assert_allclose(moments, np.diag(rotation.variances), atol=1e-4)
    assert (np.diff(rotation.variances) <= 0).all()


@given(st.integers(0, 10**6), st.floats(0.05, 0.999))
def test_a_share_of_variance_is_reached_by_no_fewer_axes(seed, share):
    vectors = sample(seed)
    rotation = principal_components(vectors, share)
    shares = variance_shares(rotation.variances, tuple(range(1, 9)))
    assert shares[rotation.dims - 1] >= share
    assert rotation.dims == 1 or shares[rotation.dims - 2] <= share


def test_blocks_do_not_change_the_result(monkeypatch):
    vectors = sample(1, count=100)
    whole = principal_components(vectors, 5).apply(vectors)
    monkeypatch.setattr(rotate, "BLOCK_ROWS", 7)
    np.testing.assert_allclose(principal_components(vectors, 5).apply(vectors), whole, atol=1e-6)


@given(st.integers(0, 10**6))
def test_signs_do_not_depend_on_how_the_eigenvectors_came_out(seed):
    # Turning the data's axes around turns eigenvectors around, too; the projections must stay.
    vectors = sample(seed)
    turned = np.ascontiguousarray(vectors[:, ::-1])
    found = principal_components(turned, 8)
    assert (np.abs(found.axes).max(axis=0) == found.axes.max(axis=0)).all()
    np.testing.assert_allclose(
        found.apply(turned), principal_components(vectors, 8).apply(vectors), atol=1e-4
    )


@pytest.mark.parametrize(
    ("vectors", "dims", "says"),
    [
        (sample(0), 9, "at most 8"),
        (sample(0, count=8), 8, "more than 8 tokens, found 8"),
        (sample(0, count=8), "all", "more than 8 tokens, found 8"),
        (np.ones((20, 4), np.float32), 2, "the same"),
    ],
)
def test_what_has_no_components_is_refused(vectors, dims, says):
    with pytest.raises(TableError, match=says):
        principal_components(vectors, dims)


@given(st.integers(1, 5000))
def test_the_ladder_ascends_to_the_full_length(dims):
    ladder = prefix_ladder(dims)
    assert ladder[-1] == dims
    assert all(a < b for a, b in itertools.pairwise(ladder))
