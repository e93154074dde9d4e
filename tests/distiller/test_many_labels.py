"""Heads of many labels: the sample that strengths are chosen by, memory, and growth of time."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from staticemb_distiller import fit_head
from staticemb_distiller.heads import sampling
from staticemb_distiller.heads.logistic import Weights
from staticemb_distiller.heads.sampling import held_out, sample
from staticemb_distiller.heads.targets import Targets
from staticemb_runtime import StaticModel

WIDTH = 192


def labeled(count, labels, seed=0):
    """Targets of one label a text, each label about as often."""
    numbers = np.random.default_rng(seed).permutation(np.arange(count) % labels)
    return Targets("softmax", tuple(f"label {at}" for at in range(labels)), numbers)


@settings(max_examples=50, deadline=None)
@given(st.integers(4, 3000), st.integers(2, 300), st.integers(10**4, 10**8), st.integers(0, 9))
def test_a_sample_is_bounded_and_keeps_labels_whole(count, labels, most, seed):
    targets = labeled(count, min(labels, count // 2), seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "MOST_PRODUCTS", most)
        drawn = sample(targets, WIDTH, seed)
    part = drawn.of(targets)
    assert len(part) == len(drawn.rows)
    names = [targets.labels[at] for at in targets.values[drawn.rows]]
    assert [part.labels[at] for at in part.values] == names
    if drawn.labels is None:
        assert len(part) * len(targets.labels) * WIDTH <= most or len(part) == count
        return
    assert len(part.labels) >= 2
    if len(part.labels) > 2:
        assert len(part) * len(part.labels) * WIDTH <= most
        np.testing.assert_array_equal(part.counts(), targets.counts()[drawn.labels])


def test_labels_of_several_a_text_are_sampled_with_their_weights(monkeypatch):
    random = np.random.default_rng(0)
    matrix = csr_matrix((random.random((500, 40)) < 0.1).astype(np.uint8))
    targets = Targets("sigmoid", tuple(map(str, range(40))), matrix)
    monkeypatch.setattr(sampling, "MOST_PRODUCTS", 500 * 12 * WIDTH)
    drawn = sample(targets, WIDTH, 0)
    part = drawn.of(targets)
    assert len(part.labels) == 12
    expected = matrix[drawn.rows][:, drawn.labels].toarray()
    np.testing.assert_array_equal(part.dense(slice(None)), expected)
    positive = np.arange(40, dtype=np.float32)
    found = drawn.weights(Weights(None, positive)).positive
    assert [str(int(weight)) for weight in found] == list(part.labels)


def test_copies_of_texts_held_out_are_not_trained_on():
    targets = labeled(400, 20)
    digests = np.arange(400, dtype=np.uint64) % 150
    rows, left_out = held_out(targets, digests, 0)
    assert left_out[rows].all()
    assert not np.isin(digests[~left_out], digests[rows]).any()


def many(labels, each, seed=0):
    """Texts of labels that have two words each, and the labels."""
    random = np.random.default_rng(seed)
    firsts, seconds = "sun rain road hand book fire star snow", "light line man side work ball fall"
    words = [first + second for first in firsts.split() for second in seconds.split()]
    pairs = random.permutation([(a, b) for a in words for b in words if a < b])[:labels]
    texts, names = [], []
    for number, pair in enumerate(pairs.tolist()):
        for _ in range(each):
            texts.append(" ".join([*pair, f"number {random.integers(10**4)}"]))
            names.append(f"label {number}")
    return texts, names


@pytest.mark.parametrize("several", [False, True])
def test_a_part_of_the_labels_chooses_for_all(monkeypatch, tmp_path, several):
    texts, names = many(60, 20)
    labels = [[name] for name in names] if several else names
    whole = fit_head("minilm-en-small", (texts, labels), tmp_path / "a", with_baseline=False)
    monkeypatch.setattr(sampling, "MOST_PRODUCTS", 15 * 1200 * WIDTH)
    report = fit_head("minilm-en-small", (texts, labels), tmp_path / "b", with_baseline=False)
    assert any("were chosen by" in line for line in report.lines())
    assert not any("were chosen by" in line for line in whole.lines())
    assert report.scores.texts == 120
    assert "held out of a fit to the others" in report.method
    main = next(iter(report.scores.main))
    assert report.scores.main[main] > whole.scores.main[main] - 0.05
    model = StaticModel.load(tmp_path / "b")
    found = [each[0] if each else None for each in model.classify(texts)] if several else (
        model.classify(texts)
    )  # fmt: skip
    assert (np.array(found) == names).mean() > 0.9


def test_the_baseline_is_left_out_and_named(monkeypatch, tmp_path):
    monkeypatch.setattr("staticemb_distiller.heads.baseline.MOST_LABELS", 5)
    report = fit_head("minilm-en-small", many(6, 10), tmp_path / "m")
    assert report.baseline is None
    assert any("TF-IDF is measured with up to 5 labels" in line for line in report.lines())


@pytest.mark.serial
def test_time_grows_with_labels_as_a_line_does(monkeypatch, tmp_path):
    monkeypatch.setattr(sampling, "MOST_PRODUCTS", 10**7)

    def seconds(labels):
        texts, names = many(400, 6)
        names = [f"label {int(name.split()[1]) % labels}" for name in names]
        before = time.process_time()
        fit_head("minilm-en-small", (texts, names), tmp_path / "m", with_baseline=False)
        return time.process_time() - before

    seconds(20)
    assert seconds(400) < 8 * seconds(100)
