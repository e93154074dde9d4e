"""Weights: the formulas of the papers, and Model2Vec as the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model2vec.distill.inference import compute_weights

from staticemb_distiller.errors import TableError
from staticemb_distiller.table.weights import count_probabilities, rank_probabilities, sif_weights


@given(st.integers(1, 3000), st.floats(1e-6, 0.99))
def test_weights_by_rank_are_those_of_model2vec(tokens, coefficient):
    ours = sif_weights(rank_probabilities(tokens), coefficient)
    np.testing.assert_allclose(ours, compute_weights(tokens, coefficient), rtol=1e-12)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=50).filter(any))
def test_the_more_often_a_token_was_counted_the_less_it_weighs(counts):
    weights = sif_weights(count_probabilities(counts), 1e-3)
    order = np.argsort(counts)
    assert (np.diff(weights[order]) <= 0).all()
    assert (weights[np.array(counts) == 0] == 1.0).all()
    assert ((weights > 0) & (weights <= 1)).all()


@given(st.integers(1, 3000))
def test_probabilities_sum_to_one(tokens):
    assert rank_probabilities(tokens).sum() == pytest.approx(1)
    assert count_probabilities(np.arange(tokens + 1)).sum() == pytest.approx(1)


@pytest.mark.parametrize("coefficient", [0.0, 1.0, -1e-4, 2.0, float("nan")])
def test_a_coefficient_outside_its_range_is_refused(coefficient):
    with pytest.raises(TableError, match="strictly between 0 and 1"):
        sif_weights(rank_probabilities(3), coefficient)


@pytest.mark.parametrize("counts", [[-1, 2], [0, 0], [np.nan], [[1]]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(TableError, match="token"):
        count_probabilities(counts)
