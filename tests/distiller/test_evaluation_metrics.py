"""The measures agree with the field's packages; the bootstrap with drawing examples by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.stats import bootstrap, rankdata, spearmanr
from sklearn.metrics import average_precision_score, v_measure_score

from staticemb_distiller.evaluation import difference, metrics
from staticemb_distiller.evaluation.bootstrap import weighted
from staticemb_distiller.evaluation.scoring import Outcome

seeds = st.integers(0, 2**32 - 1)


def judged(rng, queries, documents):
    """Grades from -1 to 3 for some of the documents; at least one for each query."""
    grades = rng.integers(-1, 4, (queries, documents))
    known = rng.random((queries, documents)) < 0.3
    known[:, 0] = True
    return grades, known


@settings(max_examples=60)
@given(seeds, st.integers(1, 6), st.integers(1, 150), st.booleans())
def test_ranking_metrics_equal_trec_eval(seed, queries, documents, tied):
    pytrec_eval = pytest.importorskip("pytrec_eval")
    rng = np.random.default_rng(seed)
    grades, known = judged(rng, queries, documents)
    scores = rng.normal(size=(queries, documents)).astype(np.float32)
    if tied:
        scores = np.round(scores * 2) / 2
    # trec_eval breaks ties by descending id; columns are in that order.
    ids = [f"d{documents - i:04d}" for i in range(documents)]
    qrels = {
        f"q{i}": {ids[j]: int(grades[i, j]) for j in np.flatnonzero(known[i])}
        for i in range(queries)
    }
    run = {f"q{i}": dict(zip(ids, map(float, scores[i]), strict=True)) for i in range(queries)}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.100"}).evaluate(run)

    relevance = csr_matrix(np.where(known, grades, 0))
    ranked = metrics.top_columns(scores, 100)
    ndcg, recall = metrics.ndcg(ranked, relevance, 10), metrics.recall(ranked, relevance, 100)
    for i in range(queries):
        assert ndcg[i] == pytest.approx(theirs[f"q{i}"]["ndcg_cut_10"], abs=1e-9)
        assert recall[i] == pytest.approx(theirs[f"q{i}"]["recall_100"], abs=1e-9)


@given(seeds, st.integers(1, 4), st.integers(1, 40), st.integers(1, 50))
def test_top_columns_is_a_stable_sort(seed, rows, columns, k):
    scores = np.random.default_rng(seed).choice(
        np.array([-np.inf, -1.5, -0.0, 0.0, 1e-30, 2.5], np.float32), (rows, columns)
    )
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert (metrics.top_columns(scores, k) == expected).all()


def test_documents_rank_alike_in_blocks_and_without_the_excluded(monkeypatch):
    scores = np.random.default_rng(0).normal(size=(5, 30))

    def best(excluded=None):
        return metrics.best_documents(lambda a, b: scores[a:b], scores.shape, 10, excluded)

    whole = best()
    monkeypatch.setattr(metrics, "BLOCK", 60)
    assert (best() == whole).all()
    without = best(np.array([whole[0, 0], -1, -1, -1, whole[4, 0]]))
    assert (without[1:4] == whole[1:4]).all()
    assert (without[[0, 4], :9] == whole[[0, 4], 1:]).all()


def test_a_query_without_relevant_documents_counts_zero():
    relevance = csr_matrix(np.array([[0, 0], [0, 1]]))
    ranked = np.array([[0, 1], [1, 0]])
    assert metrics.ndcg(ranked, relevance).tolist() == [0, 1]
    assert metrics.recall(ranked, relevance).tolist() == [0, 1]


def test_constant_output_correlates_with_nothing():
    assert metrics.spearman(np.arange(5.0), np.ones(5)) == 0


def test_unit_keeps_zero_rows():
    vectors = metrics.unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, 0]], atol=1e-7)


def repeated(statistic, gold, output, weights):
    """The metric of examples that are written out as often as they were drawn."""
    rows = np.repeat(np.arange(len(gold)), weights)
    if statistic == "mean":
        return output[rows].mean()
    if statistic == "spearman":
        return spearmanr(gold[rows], output[rows]).statistic
    if statistic == "average_precision":
        return average_precision_score(gold[rows], output[rows])
    return v_measure_score(gold[rows], output[rows])


@settings(max_examples=40)
@given(
    seeds,
    st.sampled_from(["mean", "spearman", "average_precision", "v_measure"]),
    st.integers(8, 60),
)
def test_weighted_metrics_equal_those_of_repeated_examples(seed, statistic, count):
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, {"average_precision": 2, "v_measure": 4}.get(statistic, 9), count)
    output = rng.integers(0, 5, count)
    if statistic != "v_measure":
        gold, output = gold.astype(float), output / 2
    weights = rng.multinomial(count, np.full(count, 1 / count), size=6)
    found = weighted(statistic, gold, output, weights)
    for row, value in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(count), row)
        if statistic != "mean" and len(set(gold[rows])) < 2:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = repeated(statistic, gold, output, row)
        assert value == pytest.approx(0 if np.isnan(expected) else expected, abs=1e-9)


def outcome(output, statistic="mean"):
    output = np.asarray(output, float)
    return Outcome("accuracy", 100 * float(output.mean()), statistic, np.zeros(0), output)


def test_a_model_differs_from_itself_by_nothing():
    same = outcome(np.random.default_rng(0).random(200))
    found = difference([same], [same])
    assert (found.value, found.low, found.high, found.clear) == (0, 0, 0, False)


def test_a_steady_gain_is_clear_and_noise_is_not():
    rng = np.random.default_rng(1)
    base = rng.random(400)
    gain = difference([outcome(base + 0.1 + 0.01 * rng.normal(size=400))], [outcome(base)])
    assert gain.clear
    assert gain.low < gain.value < gain.high
    assert gain.value == pytest.approx(10, abs=0.3)
    noise = difference([outcome(rng.permutation(base))], [outcome(base)])
    assert noise.low < 0 < noise.high


def test_the_interval_of_a_mean_has_its_known_width():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=2000), rng.normal(size=2000)
    found = difference([outcome(a)], [outcome(b)], resamples=2000)
    expected = 2 * 1.96 * 100 * (a - b).std() / np.sqrt(2000)
    assert found.high - found.low == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("statistic", ["mean", "spearman"])
def test_the_interval_is_that_of_scipys_paired_bootstrap(statistic):
    rng = np.random.default_rng(5)
    gold = rng.normal(size=120)
    ours, theirs = gold + rng.normal(size=120), gold + 1.3 * rng.normal(size=120)

    def value(gold, output, axis=-1):
        if statistic == "mean":
            return 100 * output.mean(axis)
        ranks = [rankdata(x, axis=axis) for x in (gold, output)]
        a, b = (x - x.mean(axis, keepdims=True) for x in ranks)
        return 100 * (a * b).sum(axis) / np.sqrt((a * a).sum(axis) * (b * b).sum(axis))

    found = difference(
        [Outcome(statistic, value(gold, ours), statistic, gold, ours)],
        [Outcome(statistic, value(gold, theirs), statistic, gold, theirs)],
        resamples=8000,
    )
    expected = bootstrap(
        (gold, ours, theirs),
        lambda g, a, b, axis=-1: value(g, a, axis) - value(g, b, axis),
        paired=True,
        vectorized=True,
        n_resamples=8000,
        batch=500,
        method="percentile",
        random_state=0,
    ).confidence_interval
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=width / 20)


def test_the_mean_of_several_tasks_varies_less_than_one():
    rng = np.random.default_rng(3)
    tasks = [(outcome(rng.random(100 + i)), outcome(rng.random(100 + i))) for i in range(9)]
    one = difference([tasks[0][0]], [tasks[0][1]])
    nine = difference([a for a, _ in tasks], [b for _, b in tasks])
    assert nine.high - nine.low < 0.5 * (one.high - one.low)


def test_outcomes_of_different_tasks_cannot_be_paired():
    with pytest.raises(ValueError, match="not of one task"):
        difference([outcome([1, 0])], [outcome([1, 0, 1])])
    with pytest.raises(ValueError, match="cannot be paired"):
        difference([outcome([1, 0])], [])
