"""Tuning: bags pool as the runtime does, and what the fit of table and head moves."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from staticemb_distiller import fit_head
from staticemb_distiller.heads.bags import read_bags
from staticemb_distiller.heads.linear import outputs
from staticemb_distiller.heads.logistic import fit_logistic
from staticemb_distiller.heads.ridge import fit_ridge, moments
from staticemb_distiller.heads.targets import Targets
from staticemb_distiller.heads.text_store import TextStore
from staticemb_distiller.heads.tuning import TuningKnobs, tune
from staticemb_distiller.progress import Progress
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_distiller.training.start import open_start
from staticemb_runtime import StaticModel

WORDS = [
    side.split()
    for side in (
        "river mountain forest garden window kitchen candle mirror blanket pillow",
        "engine bridge tunnel station ticket harbor signal bottle ladder hammer",
    )
]


@pytest.fixture(scope="module")
def start():
    recipe = TrainingRecipe(pairs=("texts",))
    return open_start("minilm-en-small", recipe, progress=Progress(quiet=True))


def sentences(count, seed=0):
    """Texts of three words of one side and one of either, and the sides."""
    random = np.random.default_rng(seed)
    sides = random.integers(0, 2, count)
    texts = [
        " ".join([*random.choice(WORDS[side], 3), random.choice(WORDS[random.integers(2)])])
        for side in sides
    ]
    return texts, sides


def bags_of(texts, start, damping, folder):
    store = TextStore(folder / "texts")
    for text in texts:
        store.add(text)
    store.finish()
    return read_bags(start, damping, store)


@pytest.mark.parametrize("pooling", ["mean", "damped_mean"])
def test_bags_have_the_vectors_of_the_runtime(start, tmp_path, pooling):
    texts = [*sentences(50)[0], "", "☃", "The the the THE weather, isn't it?"]
    bags = bags_of(texts, start, start.damping if pooling == "damped_mean" else None, tmp_path)
    expected = StaticModel.load().encode(texts, pooling=pooling, on_empty="zero")
    np.testing.assert_allclose(bags.vectors(bags.rows), expected, atol=1e-5)
    np.testing.assert_array_equal(bags.table(start.rows, bags.rows), start.rows)


def frozen(bags, targets):
    vectors = bags.vectors(bags.rows)
    mean = vectors.mean(axis=0)
    if targets.kind == "linear":
        return fit_ridge(moments(vectors - mean, targets.values), 1.0), mean
    return fit_logistic(vectors - mean, targets, 1.0), mean


def logits(bags, tuned, mean):
    return outputs(tuned.layer, bags.vectors(tuned.rows) - mean)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "linear"])
def test_a_fit_of_all_is_closer_to_its_targets_than_the_frozen_fit(start, tmp_path, kind):
    texts, sides = sentences(300)
    bags = bags_of(texts, start, start.damping, tmp_path)
    values = {
        "softmax": sides.astype(np.int32),
        "sigmoid": csr_matrix(np.eye(2, dtype=np.uint8)[sides]),
        "linear": np.stack([sides * 1000.0, -sides], axis=1).astype(np.float64),
    }[kind]
    targets = Targets(kind, ("a", "b"), values)
    layer, mean = frozen(bags, targets)
    before = outputs(layer, bags.vectors(bags.rows) - mean)
    after = logits(bags, tune(bags, targets, layer, mean, TuningKnobs(1.0, 0.5)), mean)
    if kind == "linear":
        spread = values.std(axis=0)
        assert (((after - values) / spread) ** 2).mean() < (
            ((before - values) / spread) ** 2
        ).mean()
    else:
        own, other = np.eye(2, dtype=bool)[sides], ~np.eye(2, dtype=bool)[sides]
        assert (after[own] - after[other]).mean() > (before[own] - before[other]).mean()


def test_a_fit_does_not_depend_on_the_unit_of_numbers(start, tmp_path):
    texts, sides = sentences(200)
    bags = bags_of(texts, start, None, tmp_path)
    tuned = []
    for unit in (1.0, 1024.0):
        targets = Targets("linear", ("x",), sides[:, None] * unit)
        layer, mean = frozen(bags, targets)
        tuned.append((tune(bags, targets, layer, mean, TuningKnobs(1.0, 0.5)), unit))
    (first, _), (second, unit) = tuned
    np.testing.assert_allclose(second.rows, first.rows, atol=1e-4)
    np.testing.assert_allclose(second.layer.weights / unit, first.layer.weights, atol=1e-3)


def test_rows_move_by_reach_and_length_and_once_seen_tokens_stay(start, tmp_path):
    texts, sides = sentences(300)
    bags = bags_of([*texts, "zebra"], start, start.damping, tmp_path)
    targets = Targets("softmax", ("a", "b"), np.append(sides, 0).astype(np.int32))
    layer, mean = frozen(bags, targets)
    moved = []
    for reach in (0.01, 0.5):
        rows = tune(bags, targets, layer, mean, TuningKnobs(1.0, reach)).rows
        moved.append(np.linalg.norm(rows - bags.rows, axis=1) / bags.lengths)
    assert moved[1].mean() > 5 * moved[0].mean()
    assert bags.repeated < len(bags.tokens)
    assert (moved[1][bags.repeated :] == 0).all()
    assert (moved[1][: bags.repeated] > 0).all()


def test_what_does_not_help_is_not_kept(tmp_path):
    """Labels by lot: nothing can be learned from words."""
    texts, _ = sentences(200)
    labels = np.random.default_rng(1).choice(["a", "b"], 200).tolist()
    report = fit_head(
        "minilm-en-small", (texts, labels), tmp_path / "m", tune=True, with_baseline=False
    )
    assert not report.tuned
    assert "not kept" in report.choices[0]
    np.testing.assert_array_equal(
        StaticModel.load(tmp_path / "m").encode(texts), StaticModel.load().encode(texts)
    )
