"""What is done to all rows alike before training: laws, and that a training does it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller import training_data as data
from staticemb_distiller.fitting.row_shape import whitening_matrix, with_length_power
from staticemb_distiller.training import run
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_runtime import StaticModel
from staticemb_runtime.format.reader import read

SEEDS = st.integers(0, 2**32 - 1)


def table(random, count=41, dim=6):
    """Rows of very different lengths, the first one zeros."""
    rows = random.standard_normal((count, dim)) * random.lognormal(size=(count, 1))
    rows[0] = 0
    return rows.astype(np.float32)


def whitened(rows, texts, exponent):
    return rows @ whitening_matrix(texts, exponent)


def lengths(rows):
    return np.linalg.norm(rows.astype(np.float64), axis=1)


@given(SEEDS, st.floats(0.25, 4.0))
def test_a_length_power_raises_lengths_and_keeps_directions_and_the_median(seed, power):
    rows = table(np.random.default_rng(seed))
    after = with_length_power(rows, power)
    assert after.dtype == np.float32
    assert not after[0].any()
    before = lengths(rows)[1:]
    middle = np.median(before)
    np.testing.assert_allclose(
        lengths(after)[1:] / middle, (before / middle) ** power, rtol=1e-4, atol=0
    )
    cosines = (rows * after).sum(1)[1:] / (before * lengths(after)[1:])
    np.testing.assert_allclose(cosines, 1, atol=1e-5)


def test_a_table_of_zeros_stays_one():
    assert not with_length_power(np.zeros((3, 2), np.float32), 2.0).any()


@given(SEEDS, st.floats(0.0, 0.5))
def test_whitening_does_not_depend_on_the_axes(seed, exponent):
    random = np.random.default_rng(seed)
    rows, texts = table(random), table(random, 200)
    turn = np.linalg.qr(random.standard_normal((6, 6)))[0].astype(np.float32)
    np.testing.assert_allclose(
        whitened(rows @ turn, texts @ turn, exponent),
        whitened(rows, texts, exponent) @ turn,
        atol=1e-4 * np.abs(rows).max(),
    )


@pytest.mark.parametrize("exponent", [0.0, 0.25, 0.5])
def test_whitening_brings_the_directions_of_texts_closer_to_each_other(exponent):
    random = np.random.default_rng(3)
    texts = random.standard_normal((20_000, 4)) * [8, 4, 2, 1]
    texts = (texts / np.linalg.norm(texts, axis=1, keepdims=True)).astype(np.float32)

    def moments(vectors):
        return np.linalg.eigvalsh(vectors.T @ vectors)

    before, after = moments(texts), moments(whitened(texts, texts, exponent))
    np.testing.assert_allclose(
        after / after[-1], (before / before[-1]) ** (1 - 2 * exponent), rtol=0.02
    )


def test_texts_that_say_nothing_change_nothing():
    rows = table(np.random.default_rng(0))
    for texts in (np.zeros((0, 6), np.float32), np.zeros((5, 6), np.float32)):
        np.testing.assert_allclose(whitened(rows, texts, 0.5), rows, rtol=1e-5)


def test_one_text_does_little_and_many_like_it_do_more():
    rows = np.eye(4, dtype=np.float32)
    text = np.array([[1, 0, 0, 0]], np.float32)
    ratios = []
    for times in (1, 10, 1_000):
        after = whitened(rows, np.repeat(text, times, axis=0), 0.25)
        ratios.append(after[1, 1] / after[0, 0])
    np.testing.assert_allclose(ratios, [2**0.25, 11**0.25, 1001**0.25], rtol=1e-5)


def test_a_training_shapes_tokens_that_no_pair_holds_too(tmp_path):
    rows = [pair for pair in data.pairs(np.random.default_rng(1), 300) if "f7" not in str(pair)]
    examples = data.save(tmp_path / "pairs.tsv", rows)
    start = data.model(tmp_path / "start.staticemb", damping=(1.0, 16))
    recipe = TrainingRecipe(
        pairs=[str(examples)],
        epochs=1,
        batch_size=64,
        length_power=1.5,
        whiten=0.25,
        rotate=False,
        dtype="float32",
    )
    out = tmp_path / "out.staticemb"
    run.train_file(str(start), recipe, run.Places(out, device="cpu"))
    before, after = (read(path).embeddings[data.words().index("f7")] for path in (start, out))
    assert np.linalg.norm(after - before) > 0.01 * np.linalg.norm(before)
    assert "whiten = 0.25" in read(out).metadata.extra["recipe"]
    assert np.isfinite(StaticModel.load(out).encode(["f7 f1"])).all()
