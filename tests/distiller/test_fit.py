"""The closed-form fit against dense algebra, and the laws users rely on."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from staticemb_distiller.errors import DivergedError, TableError
from staticemb_distiller.fitting import conjugate_gradients as ridge
from staticemb_distiller.fitting import ridge_fit as module
from staticemb_distiller.fitting.ridge_fit import FitStep, count_matrix, fit, scale_prior


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def problem(seed=0, texts=60, tokens=25, dim=7, unseen=3):
    """Random texts over all but the last `unseen` tokens, with random targets and prior."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 9, texts)
    ids = random.integers(0, tokens - unseen, lengths.sum()).astype(np.int32)
    targets = unit(random.normal(size=(texts, dim))).astype(np.float32)
    prior = random.normal(size=(tokens, dim)).astype(np.float32)
    return count_matrix(ids, lengths, tokens), targets, prior


def dense_solution(counts, targets, prior, penalty, weights=None):
    """One round, solved directly in float64."""
    dense, prior = counts.toarray().astype(float), prior.astype(float)
    scaled = dense / np.linalg.norm(dense @ prior, axis=1, keepdims=True)
    weights = np.ones(len(dense)) if weights is None else weights
    penalty = np.diag(np.broadcast_to(penalty, len(prior)).astype(float))
    left = scaled.T @ (weights[:, None] * scaled) + penalty
    right = scaled.T @ (weights[:, None] * targets) + penalty @ prior
    return np.linalg.solve(left, right)


EXACT = {"rounds": 1, "iterations": 500, "tolerance": 1e-7}


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 10))
def test_one_round_is_the_ridge_solution(seed, penalty):
    counts, targets, prior = problem(seed)
    found = fit(counts, targets, prior, regularization=penalty, **EXACT)
    np.testing.assert_allclose(
        found, dense_solution(counts, targets, prior, penalty), rtol=2e-2, atol=2e-3
    )


def test_two_rounds_take_the_norms_anew():
    counts, targets, prior = problem(1)
    first = dense_solution(counts, targets, prior, 0.5)
    dense = counts.toarray().astype(float)
    scaled = dense / np.linalg.norm(dense @ first, axis=1, keepdims=True)
    left = scaled.T @ scaled + 0.5 * np.eye(len(prior))
    second = np.linalg.solve(left, scaled.T @ targets + 0.5 * prior)
    found = fit(counts, targets, prior, regularization=0.5, **{**EXACT, "rounds": 2})
    np.testing.assert_allclose(found, second, rtol=1e-2, atol=1e-3)


def test_each_token_can_have_its_own_penalty():
    counts, targets, prior = problem(2)
    penalty = np.linspace(0.1, 3, len(prior)).astype(np.float32)
    found = fit(counts, targets, prior, regularization=penalty, **EXACT)
    np.testing.assert_allclose(
        found, dense_solution(counts, targets, prior, penalty), rtol=1e-2, atol=1e-3
    )


def test_tokens_that_no_text_has_keep_their_prior_row():
    counts, targets, prior = problem(unseen=4)
    found = fit(counts, targets, prior)
    np.testing.assert_allclose(found[-4:], prior[-4:], rtol=1e-6)
    assert not np.allclose(found[:-4], prior[:-4], atol=0.01)


def test_a_strong_penalty_gives_the_prior_back():
    counts, targets, prior = problem()
    np.testing.assert_allclose(fit(counts, targets, prior, regularization=1e7), prior, atol=1e-4)


def test_text_vectors_of_a_table_give_back_their_directions():
    counts, _, truth = problem(3, texts=2000, tokens=40, dim=16, unseen=0)
    targets = unit(counts @ truth)
    random = np.random.default_rng(0)
    prior = (truth + 0.5 * random.normal(size=truth.shape)).astype(np.float32)
    found = fit(counts, targets, prior, regularization=1e-3, rounds=10)
    before = np.sum(unit(counts @ prior) * targets, axis=1).mean()
    after = np.sum(unit(counts @ found) * targets, axis=1).mean()
    assert after > 0.99 > 0.95 > before


def test_a_text_of_weight_two_counts_like_two_texts():
    counts, targets, prior = problem(4)
    weights = np.ones(counts.shape[0], np.float32)
    weights[:20] = 2
    twice = csr_matrix(np.concatenate([counts.toarray(), counts[:20].toarray()]))
    weighted = fit(counts, targets, prior, text_weights=weights, **EXACT)
    repeated = fit(twice, np.concatenate([targets, targets[:20]]), prior, **EXACT)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-3, atol=1e-4)


def test_texts_without_tokens_change_nothing():
    counts, targets, prior = problem(5)
    empty = csr_matrix((9, counts.shape[1]), dtype=np.float32)
    longer = csr_matrix(np.concatenate([counts.toarray(), empty.toarray()]))
    padded = np.concatenate([targets, np.full((9, targets.shape[1]), 0.3, np.float32)])
    np.testing.assert_array_equal(fit(longer, padded, prior), fit(counts, targets, prior))


def test_the_number_of_threads_does_not_show(monkeypatch):
    monkeypatch.setattr(module, "_COLUMNS", 3)
    counts, targets, prior = problem(dim=11)
    alone = fit(counts, targets, prior, threads=1)
    np.testing.assert_array_equal(alone, fit(counts, targets, prior, threads=4))


def test_blocks_of_rows_do_not_show(monkeypatch):
    counts, targets, prior = problem(6)
    whole = fit(counts, targets, prior)
    monkeypatch.setattr(ridge, "_ROWS", 16)
    np.testing.assert_allclose(fit(counts, targets, prior), whole, rtol=1e-3, atol=1e-4)


def test_float16_targets_on_disk_do(tmp_path):
    counts, targets, prior = problem()
    np.save(tmp_path / "targets.npy", targets.astype(np.float16))
    mapped = np.load(tmp_path / "targets.npy", mmap_mode="r")
    np.testing.assert_allclose(
        fit(counts, mapped, prior), fit(counts, targets, prior), rtol=0.02, atol=0.02
    )


def test_the_code_for_cuda_finds_the_same_table():
    # "cpu:0" is a device of torch: the path that a GPU takes, on the CPU.
    pytest.importorskip("torch")
    counts, targets, prior = problem(7)
    on_torch = fit(counts, targets, prior, device="cpu:0")
    np.testing.assert_allclose(on_torch, fit(counts, targets, prior), rtol=1e-3, atol=1e-4)


def test_progress_tells_rounds_and_a_falling_residual():
    counts, targets, prior = problem(8)
    steps: list[FitStep] = []
    fit(counts, targets, prior, rounds=3, iterations=50, tolerance=1e-3, progress=steps.append)
    assert [step.round for step in steps] == [1, 2, 3]
    assert all(step.residual <= 1e-3 and 0 < step.iterations < 50 for step in steps)


def test_the_prior_is_scaled_by_least_squares():
    counts, targets, prior = problem(9)
    prior[:, 0] += 3
    targets[:, 0] = abs(targets[:, 0])
    best = np.linalg.lstsq((counts @ prior).reshape(-1, 1), targets.ravel(), rcond=None)[0][0]
    np.testing.assert_allclose(scale_prior(counts, targets, prior), prior * best, rtol=1e-4)


def test_a_prior_that_points_away_is_left_alone():
    counts, _, prior = problem()
    targets = -unit(counts @ prior)
    np.testing.assert_array_equal(scale_prior(counts, targets, prior), prior)


@given(st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=8))
def test_counts_are_shares_of_the_text(texts):
    ids = np.array([token for text in texts for token in text], np.int32)
    lengths = np.array([len(text) for text in texts])
    expected = [np.bincount(text, minlength=7) / max(len(text), 1) for text in map(list, texts)]
    np.testing.assert_allclose(count_matrix(ids, lengths, 7).toarray(), expected, rtol=1e-6)


def test_counting_leaves_the_ids_alone():
    ids = np.array([2, 0, 2, 1, 1], np.int32)
    kept = ids.copy()
    count_matrix(ids, np.array([3, 2]), 3)
    np.testing.assert_array_equal(ids, kept)


def test_what_does_not_belong_together_is_refused():
    counts, targets, prior = problem()
    for arguments in [
        (counts, targets[:-1], prior),
        (counts, targets[:, :-1], prior),
        (counts, targets, prior[:-1]),
        (counts[:0], targets[:0], prior),
    ]:
        with pytest.raises(TableError):
            fit(*arguments)
    for knobs in [
        {"regularization": 0.0},
        {"regularization": np.nan},
        {"rounds": 0},
        {"iterations": 0},
        {"text_weights": np.ones(3, np.float32)},
        {"text_weights": np.full(len(targets), -1, np.float32)},
    ]:
        with pytest.raises(TableError):
            fit(counts, targets, prior, **knobs)
    with pytest.raises(TableError, match="expected a sum of 3"):
        count_matrix(np.zeros(3, np.int32), np.array([2]), 5)
    with pytest.raises(TableError, match="found 0 to 5"):
        count_matrix(np.array([0, 5], np.int32), np.array([2]), 5)


def test_nan_in_the_targets_is_no_table():
    counts, targets, prior = problem()
    targets[3, 2] = np.nan
    with pytest.raises(DivergedError):
        fit(counts, targets, prior)


# --- memory ---------------------------------------------------------------------------------------


def test_blocks_of_rows_and_their_transposes_share_the_memory_of_the_counts(monkeypatch):
    monkeypatch.setattr(ridge, "_ROWS", 7)
    counts, _, _ = problem()
    blocks = ridge.row_blocks(counts)
    assert len(blocks) == 9
    for block, rows in blocks:
        np.testing.assert_array_equal(block.toarray(), counts[rows].toarray())
        assert np.shares_memory(block.data, counts.data)
        assert np.shares_memory(block.indices, counts.indices)


def test_a_fit_copies_no_counts(monkeypatch):
    monkeypatch.setattr(ridge, "_ROWS", 500)
    peaks, sizes = [], []
    for texts in (4_000, 16_000):
        random = np.random.default_rng(0)
        ids = random.integers(0, 500, 100 * texts).astype(np.int32)
        counts = count_matrix(ids, np.full(texts, 100), 500)
        targets = unit(random.normal(size=(texts, 4))).astype(np.float16)
        del ids
        tracemalloc.start()
        fit(counts, targets, np.zeros((500, 4), np.float32), threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append(counts.data.nbytes + counts.indices.nbytes)
    assert peaks[1] - peaks[0] < 0.2 * (sizes[1] - sizes[0])
