"""Heads: sources of labels, fits compared with scikit-learn's, calibration, reports, files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, r2_score

from distiller.tables import write as write_table
from staticemb_distiller import DistillerError, fit_head
from staticemb_distiller.errors import TrainingError
from staticemb_distiller.heads import calibration
from staticemb_distiller.heads.examples import read_examples
from staticemb_distiller.heads.folds import fold_numbers
from staticemb_distiller.heads.hidden import fit_hidden
from staticemb_distiller.heads.linear import Linear, outputs
from staticemb_distiller.heads.logistic import Weights, fit_logistic
from staticemb_distiller.heads.page import html
from staticemb_distiller.heads.ridge import fit_ridge, moments
from staticemb_distiller.heads.scores import Predictions, score
from staticemb_distiller.heads.targets import Targets
from staticemb_runtime import StaticModel
from staticemb_runtime.loading import find_installed, open_parts

TOPICS = {
    "billing": ["invoice", "payment", "refund", "charge", "price"],
    "login": ["password", "account", "username", "sign in", "locked"],
    "delivery": ["parcel", "shipping", "courier", "late", "tracking number"],
}


def tickets(count, seed=0):
    """(label, text) rows of tickets."""
    random = np.random.default_rng(seed)
    labels = list(TOPICS)
    rows = []
    for number in range(count):
        label = labels[number % len(labels)]
        words = random.choice(TOPICS[label], 2, replace=False)
        rows.append((label, f"my {words[0]} and the {words[1]} number {random.integers(10**6)}"))
    return rows


def blobs(seed=0, count=400, width=12, labels=5):
    """Vectors around a center for each label, and the labels' numbers."""
    random = np.random.default_rng(seed)
    numbers = random.integers(0, labels, count).astype(np.int32)
    centers = random.normal(size=(labels, width))
    vectors = (centers[numbers] + random.normal(size=(count, width))).astype(np.float32)
    return vectors, numbers


def softmax_targets(numbers):
    return Targets("softmax", tuple(map(str, range(numbers.max() + 1))), numbers)


@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_regression_is_scikit_learns(weighted):
    vectors, numbers = blobs()
    weights = np.linspace(0.5, 2, len(numbers)).astype(np.float32) if weighted else None
    ours = fit_logistic(vectors, softmax_targets(numbers), 0.1, weights=Weights(weights))
    theirs = LogisticRegression(C=0.1, tol=1e-8).fit(vectors, numbers, sample_weight=weights)
    expected = theirs.predict_proba(vectors)
    found = calibration.probabilities(outputs(ours, vectors), "softmax")
    assert np.abs(found - expected).max() < 0.02


def test_sigmoid_regression_is_scikit_learns_for_each_label():
    vectors, numbers = blobs()
    matrix = np.stack([numbers % 2 == 0, numbers > 2], axis=1).astype(np.uint8)
    positive = np.array([1.0, 3.0], np.float32)
    targets = Targets("sigmoid", ("even", "large"), csr_matrix(matrix))
    ours = fit_logistic(vectors, targets, 0.1, weights=Weights(None, positive))
    found = calibration.probabilities(outputs(ours, vectors), "sigmoid")
    for column, weight in enumerate(positive):
        theirs = LogisticRegression(C=0.1, tol=1e-8, class_weight={0: 1, 1: float(weight)})
        expected = theirs.fit(vectors, matrix[:, column]).predict_proba(vectors)[:, 1]
        assert np.abs(found[:, column] - expected).max() < 0.02


def test_ridge_regression_is_scikit_learns():
    vectors, numbers = blobs()
    values = np.stack([numbers, vectors[:, 0] * 3], axis=1).astype(np.float64)
    weights = np.linspace(0.5, 2, len(values)).astype(np.float32)
    ours = fit_ridge(moments(vectors, values, weights), 0.5)
    theirs = Ridge(alpha=2.0).fit(vectors, values, sample_weight=weights)
    np.testing.assert_allclose(outputs(ours, vectors), theirs.predict(vectors), atol=1e-3)


def test_a_layer_around_the_mean_gives_the_same_outputs():
    vectors, numbers = blobs()
    mean = vectors.mean(axis=0)
    layer = fit_logistic(vectors - mean, softmax_targets(numbers), 1.0)
    np.testing.assert_allclose(
        outputs(layer.around(mean), vectors), outputs(layer, vectors - mean), atol=1e-3
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=60), st.integers(0, 99))
def test_folds_hold_each_label_out_evenly_and_keep_copies_together(labels, seed):
    numbers = np.array(labels, np.int32)
    digests = np.arange(len(numbers), dtype=np.uint64)
    digests[1] = digests[0]
    folds = fold_numbers(softmax_targets(numbers), digests, seed)
    assert folds[0] == folds[1]
    for label in set(labels):
        own = folds[(numbers == label) & (np.arange(len(numbers)) > 1)]
        counts = np.bincount(own[own >= 0], minlength=5)
        assert counts.max() - counts.min() <= 2
        # A label whose texts are all held out at once could not be learned.
        everywhere = folds[numbers == label]
        assert len(set(everywhere.tolist())) > 1 or everywhere[0] == -1 or label in labels[:2]


def test_temperature_undoes_a_scale_and_leaves_the_order():
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3)).astype(np.float32) * 2
    chances = calibration.probabilities(logits, "softmax")
    numbers = np.array([random.choice(3, p=row / row.sum()) for row in chances.astype(float)])
    targets = softmax_targets(numbers.astype(np.int32))
    for scale in (0.1, 1, 7):
        found = calibration.best_temperature(logits * np.float32(scale), targets)
        assert found == pytest.approx(scale, rel=0.1)
    scores = score(Predictions(logits), targets)
    assert scores.main["calibration error"] < 0.03
    assert score(Predictions(logits * 9), targets).main["calibration error"] > 0.1


@pytest.mark.parametrize("count", [20, 200, 2000])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_few_texts_that_are_all_right_give_no_certainty(count, kind):
    """The rule of succession: after n successes, the next one has a chance of (n + 1) / (n + 2)."""
    numbers = (np.arange(count) % 2).astype(np.int32)
    logits = np.where(numbers[:, None] == [0, 1], 30, -30).astype(np.float32)
    values = numbers if kind == "softmax" else csr_matrix(np.eye(2, dtype=np.uint8)[numbers])
    temperature = calibration.best_temperature(logits, Targets(kind, ("a", "b"), values))
    wrong = calibration.probabilities(logits, kind, temperature).min(axis=1)
    assert wrong.max() == pytest.approx(0.5 / (count + 2), rel=0.2)


def test_scores_are_scikit_learns():
    random = np.random.default_rng(1)
    logits = random.normal(size=(300, 4)).astype(np.float32)
    numbers = random.integers(0, 3, 300).astype(np.int32)
    targets = Targets("softmax", ("a", "b", "c", "never"), numbers)
    scores = score(Predictions(logits), targets)
    given_labels = logits.argmax(axis=1)
    assert scores.main["accuracy"] == pytest.approx((given_labels == numbers).mean())
    expected = f1_score(numbers, given_labels, average="macro", zero_division=0)
    assert scores.main["macro F1"] == pytest.approx(expected)
    assert scores.confusions.sum() == 300
    assert np.trace(scores.confusions) == (given_labels == numbers).sum()


@pytest.mark.parametrize("wanted", [[3.0], [2.0, 2.0], [1.0, 2.0, 4.0]])
@pytest.mark.parametrize("given", [2.0, 2.5])
def test_scores_of_numbers_are_scikit_learns(wanted, given):
    """A single held-out number, or equal ones, have no variance that R² could divide by."""
    numbers = np.array(wanted)[:, None]
    outputs = np.full((len(wanted), 1), given, np.float32)
    scores = score(Predictions(outputs), Targets("linear", ("value",), numbers))
    if len(wanted) == 1:  # scikit-learn gives NaN, which JSON cannot hold
        wanted, outputs = wanted * 2, np.repeat(outputs, 2, axis=0)
    assert scores.main["R²"] == pytest.approx(r2_score(wanted, outputs[:, 0]), abs=1e-6)


def test_thresholds_give_at_least_the_f1_of_one_half():
    random = np.random.default_rng(2)
    wanted = random.random((500, 3)) < [0.05, 0.3, 0.6]
    chances = np.clip(0.3 * wanted + 0.5 * random.random((500, 3)), 0, 1).astype(np.float32)
    targets = Targets("sigmoid", ("a", "b", "c"), csr_matrix(wanted.astype(np.uint8)))
    thresholds = calibration.best_thresholds(chances, targets)
    for column, threshold in enumerate(thresholds):
        best, half = (f1_score(wanted[:, column], chances[:, column] > t) for t in (threshold, 0.5))
        assert best >= half


@pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.jsonl", "t.parquet", "t.csv.gz"])
def test_every_format_gives_the_same_examples(tmp_path, name):
    rows = tickets(12)
    path = write_table(tmp_path / name, ["queue", "message"], rows)
    spec = f"{path}::text=message,label=queue"
    examples = read_examples(spec, tmp_path / "texts", task=None, separator=None)
    assert examples.targets.labels == ("billing", "delivery", "login")
    assert examples.texts.take(np.arange(12)) == [text for _, text in rows]
    found = [examples.targets.labels[number] for number in examples.targets.values]
    assert found == [label for label, _ in rows]


def test_several_labels_are_read_from_lists_cells_and_columns(tmp_path):
    texts = ["a b", "c d", "e f", "g h"]
    wanted = [["x", "y"], ["y"], [], ["x"]]
    lists = tmp_path / "lists.jsonl"
    lists.write_text(
        "".join(
            json.dumps({"text": t, "labels": ls}) + "\n"
            for t, ls in zip(texts, wanted, strict=True)
        )
    )
    cells = write_table(
        tmp_path / "c.csv",
        ["text", "label"],
        [(t, ";".join(ls)) for t, ls in zip(texts, wanted, strict=True)],
    )
    columns = write_table(
        tmp_path / "k.csv",
        ["text", "x", "y"],
        [(t, int("x" in ls), int("y" in ls)) for t, ls in zip(texts, wanted, strict=True)],
    )
    for spec, separator in ((lists, None), (cells, ";"), (f"{columns}::label=x+y", None)):
        found = read_examples(str(spec), tmp_path / "t", task=None, separator=separator)
        assert found.targets.kind == "sigmoid"
        assert found.targets.labels == ("x", "y")
        dense = found.targets.dense(slice(None))
        assert dense.tolist() == [["x" in ls, "y" in ls] for ls in wanted]


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["a\tx"] * 9, {}, "at least two labels, found 'a'"),
        ([f"l{i}\tx {i}" for i in range(10_000)], {}, "10,000 labels in 10,000 texts"),
        (["1.5\tx", "2.5\ty"] * 4, {}, "found the number 1.5; for numbers give the task"),
        (["a\tx", "nan\ty"] * 4, {"task": "regression"}, "finite number in 'value', found 'a'"),
        (["1\tx", "nan\ty"] * 4, {"task": "regression"}, "line 2: expected a finite number"),
        (["2\tx", "2\ty"] * 4, {"task": "regression"}, "numbers that differ"),
        (["a\t", "b\t "] * 4, {}, "8 without text (the first: "),
        (["\tx", " \ty"] * 4, {}, "8 without label (the first: "),
        (["a" * 2000 + "\tx", "b\ty"] * 4, {}, "at most 1024 bytes, found one of 2,000"),
        (["a\tx", "b\ty"] * 4, {"class_weight": {"c": 2}}, "a label of the texts, found 'c'"),
        (["a\tx", "b\ty"] * 4, {"strength": -1.0}, "a number above 0"),
        (["a\tx", "b\ty"] * 4, {"seed": -1}, "seed: expected a number of at least 0, found -1"),
        (["a\tx", "b\ty"] * 4, {"name": "a b"}, "digits"),
        (["a\tx", "b\ty"], {}, "two texts of a label"),
        (["a\t☃☃", "b\t𓀀"] * 4, {}, "found 8 without any, such as '☃☃', '𓀀', '☃☃'"),
        (["a\tx", "b\tx"] * 4, {}, "texts that differ"),
        (["a\tx", "b\ty"] * 4, {}, "copies alone among 8 texts"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_the_output(tmp_path, lines, options, message):
    data, output = tmp_path / "train.tsv", tmp_path / "model.staticemb"
    data.write_text("\n".join(lines) + "\n")
    output.write_bytes(b"before")
    with pytest.raises(DistillerError) as caught:
        fit_head("minilm-en-small", data, output, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert output.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [output, data]


def test_what_is_left_out_repeated_leaked_or_unseen_is_named(tmp_path):
    rows = tickets(30)
    train = [*rows, rows[0], ("login", rows[3][1].upper()), ("billing", ""), ("", "no label")]
    train.append(("billing", "☃☃"))
    (tmp_path / "train.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in train))
    held = [*tickets(9, seed=5), rows[1], ("spam", "buy now")]
    (tmp_path / "test.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in held))
    report = fit_head(
        "minilm-en-small",
        tmp_path / "train.tsv",
        tmp_path / "m.staticemb",
        test=tmp_path / "test.tsv",
        with_baseline=False,
    )
    notes = "\n".join(report.warnings)
    assert "1 without text (the first: " in notes
    assert "1 without label (the first: " in notes
    assert "2 texts appear again among the training texts" in notes
    assert "1 of these have another label" in notes
    assert "1 text appears also among the training texts" in notes
    assert "1 held-out text has 1 label that no training text has; they count as wrong" in notes
    assert "'spam'" in notes
    assert "1 text has no token that the model knows, such as '☃☃'" in notes
    assert report.scores.texts == 11


def test_an_unseen_label_of_several_is_left_out_and_named(tmp_path):
    texts = [text for _, text in tickets(30)]
    labels = [[label] for label, _ in tickets(30)]
    held_out = (texts[:9], [[*labels[0], "new"], *labels[1:9]])
    report = fit_head("minilm-en-small", (texts, labels), tmp_path / "m.staticemb", test=held_out)
    notes = "\n".join(report.warnings)
    assert "1 label that no training text has; they are left out: 'new'" in notes
    assert report.scores.main["all labels right"] > 0.5


def test_a_missing_number_is_left_out_and_named(tmp_path):
    lines = [{"text": f"word {n}", "label": None if n == 4 else n * 1.5} for n in range(20)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = fit_head(
        "minilm-en-small",
        tmp_path / "t.jsonl",
        tmp_path / "m.staticemb",
        task="regression",
        with_baseline=False,
    )
    assert report.texts == 19
    assert "1 without label (the first: " in report.warnings[0]
    assert "line 5" in report.warnings[0]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    texts, labels = ([row[at] for row in tickets(90)] for at in (1, 0))
    report = fit_head("minilm-en-small", (texts, labels), folder / "m.staticemb", name="queue")
    return folder / "m.staticemb", report, texts, labels


def test_the_file_predicts_and_keeps_its_vectors(fitted):
    path, report, texts, labels = fitted
    model, before = StaticModel.load(path), StaticModel.load()
    assert report.scores.main["accuracy"] > 0.95
    assert report.baseline.main["accuracy"] > 0.95
    assert (np.array(model.classify(texts)) == labels).mean() > 0.95
    assert list(model.classify(["the courier is late"])) == ["delivery"]
    np.testing.assert_array_equal(model.encode(texts), before.encode(texts))


def test_the_same_input_gives_the_same_bytes(fitted, tmp_path):
    path, _, texts, labels = fitted
    fit_head("minilm-en-small", (texts, labels), tmp_path / "m.staticemb", name="queue")
    assert (tmp_path / "m.staticemb").read_bytes() == path.read_bytes()


def test_several_heads_share_a_file_and_a_name_is_not_taken_twice(fitted, tmp_path):
    path, _, texts, labels = fitted
    lengths = [float(len(text)) for text in texts]
    output = tmp_path / "two.staticemb"
    report = fit_head(
        path, (texts, lengths), output, task="regression", name="length", with_baseline=False
    )
    assert report.kind == "linear"
    model = StaticModel.load(output)
    assert model.heads == ("length", "queue")
    assert np.ravel(model.predict(texts, head="length")).std() > 0
    np.testing.assert_array_equal(
        model.predict_proba(texts, head="queue"), StaticModel.load(path).predict_proba(texts)
    )
    with pytest.raises(TrainingError, match="expected no head 'queue'"):
        fit_head(output, (texts, labels), output, name="queue")
    fit_head(output, (texts, labels), output, name="queue", replace=True, with_baseline=False)
    assert StaticModel.load(output).heads == ("length", "queue")


def test_the_report_is_read_on_a_terminal_a_page_and_by_programs(fitted):
    _, report, _, _ = fitted
    lines = report.lines()
    assert all(len(line) < 120 for line in lines)
    assert any("TF-IDF" in line for line in lines)
    page = html(report)
    assert page == html(report)
    for label in TOPICS:
        assert label in page
    values = json.loads(report.dumps())
    assert values["scores"]["accuracy"] == report.scores.main["accuracy"]
    assert np.sum(values["confusions"]) == report.scores.texts


def test_labels_in_a_page_are_escaped(tmp_path):
    texts = [f"{word} {number}" for number in range(8) for word in ("red", "blue")]
    labels = ["<script>", "a&b"] * 8
    fit_head("minilm-en-small", (texts, labels), tmp_path / "m.staticemb", html=tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("option", [["--class-weight", "balanced"], ["--tune"]])
def test_the_command_fits_without_torch(tmp_path, option):
    (tmp_path / "t.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in tickets(30)))
    program = (
        "import sys; from staticemb_distiller.cli.main import main\n"
        "code = main(['fit-head', 'minilm-en-small', '--data', 't.tsv', '-o', 'm.staticemb',"
        f" '--precision', 'int8', '--no-baseline', *{option}])\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stderr
    model = StaticModel.load(tmp_path / "m.staticemb")
    assert list(model.classify(["forgot my password"])) == ["login"]


@pytest.mark.serial
def test_memory_does_not_grow_with_texts_times_labels(tmp_path):
    """The logits of a fit are computed in blocks: 200 labels of many texts never fit at once."""
    program = """
import resource, sys, numpy as np
from staticemb_distiller.heads.logistic import fit_logistic
from staticemb_distiller.heads.targets import Targets
count = int(sys.argv[1]); random = np.random.default_rng(0)
vectors = np.lib.format.open_memmap("v.npy", "w+", np.float32, (count, 8))
vectors[:] = random.normal(size=(count, 8))
numbers = np.arange(count, dtype=np.int32) % 200
import staticemb_distiller.heads.logistic as module
module._ITERATIONS = 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fit_logistic(vectors, Targets("softmax", tuple(map(str, range(200))), numbers), 1.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = [
        int(
            subprocess.run(
                [sys.executable, "-c", program, str(count)],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for count in (100_000, 400_000)
    ]
    logits = 400_000 * 200 * 4 / 1024  # kilobytes
    assert max(grown) < logits / 2, grown


@pytest.mark.serial
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_of_the_command_does_not_grow_with_the_vectors(tmp_path):
    """Texts and vectors lie in files: memory holds a digest and a target of each text."""
    program = """
import re, sys, threading
from staticemb_distiller.cli.main import main
from staticemb_distiller.heads import sampling
sampling.MOST_TEXTS = 1000
peak, ended = 0, threading.Event()
def watch():
    global peak
    while not ended.wait(0.01):
        status = open("/proc/self/status").read()
        peak = max(peak, int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]))
threading.Thread(target=watch, daemon=True).start()
code = main(["fit-head", "minilm-en-small", "--data", sys.argv[1], "-o", "m.staticemb",
             "--no-baseline", "--quiet", "--strength", "1"])
ended.set()
print(peak)
sys.exit(code)
"""
    peaks = []
    for count in (70_000, 210_000):
        path = tmp_path / f"{count}.tsv"
        path.write_text("".join(f"{label}\t{text}\n" for label, text in tickets(count)))
        command = [sys.executable, "-c", program, path]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    vectors = 140_000 * 256 * 4 / 1024  # kilobytes
    assert peaks[1] - peaks[0] < vectors / 3, peaks  # a quarter: 240 bytes a text


def test_scores_of_a_sample_are_named_so(monkeypatch, tmp_path):
    monkeypatch.setattr("staticemb_distiller.heads.sampling.MOST_TEXTS", 60)
    texts, labels = ([row[at] for row in tickets(90)] for at in (1, 0))
    report = fit_head("minilm-en-small", (texts, labels), tmp_path / "m", with_baseline=False)
    assert "a sample of 60 training texts, each held out once" in report.method
    assert report.texts == 90


def test_outputs_of_blocks_are_those_of_the_whole(monkeypatch):
    vectors, numbers = blobs()
    layer = Linear(np.ones((3, 12), np.float32), np.arange(3, dtype=np.float32))
    whole = outputs(layer, vectors)
    monkeypatch.setattr("staticemb_distiller.heads.linear._MOST_LOGITS", 1)
    np.testing.assert_allclose(outputs(layer, vectors), whole, atol=1e-5)
    blocked = fit_logistic(vectors, softmax_targets(numbers), 0.1)
    monkeypatch.undo()
    at_once = fit_logistic(vectors, softmax_targets(numbers), 0.1)
    np.testing.assert_allclose(blocked.weights, at_once.weights, atol=1e-2)


def test_a_hidden_layer_is_kept_where_no_line_separates(tmp_path):
    # Two words that are both there or both absent: the exclusive or of two words.
    random = np.random.default_rng(0)
    texts, labels = [], []
    for number in range(600):
        first, second = random.integers(0, 2, 2)
        words = [("cold", "hot")[first], ("river", "music")[second]]
        texts.append(" ".join(words) + f" {number % 7}")
        labels.append("same" if first == second else "different")
    report = fit_head(
        "minilm-en-small", (texts, labels), tmp_path / "m", hidden=32, with_baseline=False
    )
    assert report.hidden == 32
    assert "kept" in report.choices[0]
    model = StaticModel.load(tmp_path / "m")
    assert (np.array(model.classify(texts)) == labels).mean() > 0.9


def test_a_hidden_layer_that_does_not_help_is_not_kept(fitted, tmp_path):
    _, _, texts, labels = fitted
    report = fit_head(
        "minilm-en-small", (texts, labels), tmp_path / "m", hidden=4, with_baseline=False
    )
    assert report.hidden == 0
    assert "not kept" in report.choices[0]


def test_a_perceptron_is_scikit_learns():
    vectors, numbers = blobs(labels=2)
    values = np.stack([numbers * 5.0 + 1, vectors[:, 0]], axis=1)
    for targets in (softmax_targets(numbers), Targets("linear", ("a", "b"), values)):
        mean = vectors.mean(axis=0)
        network = fit_hidden(vectors - mean, targets, 16, seed=0)
        found = network.logits(vectors - mean)
        whole = network.around(mean).logits(vectors)
        np.testing.assert_allclose(whole, found, atol=1e-2)
        if targets.kind == "softmax":
            assert (found.argmax(axis=1) == numbers).mean() > 0.85
        else:
            assert np.corrcoef(found[:, 1], values[:, 1])[0, 1] > 0.8
            assert abs(found[:, 0].mean() - values[:, 0].mean()) < 0.5


def test_a_hidden_layer_needs_texts_of_each_label():
    """Or else its outputs would be fewer than the labels, and belong to others."""
    vectors, numbers = blobs(labels=3)
    targets = softmax_targets(numbers)
    rows = np.flatnonzero(numbers != 1)
    with pytest.raises(TrainingError, match="more texts of each label"):
        fit_hidden(vectors[rows], targets.take(rows), 4, seed=0)


def test_a_tuned_table_is_kept_where_words_decide(fitted, tmp_path):
    before = fitted[0]
    # Each word has a label by lot: more words than the vectors have dimensions.
    random = np.random.default_rng(0)
    vocabulary = json.loads(open_parts(find_installed("minilm-en-small")).tokenizer)["model"][
        "vocab"
    ]
    words = [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 4]
    sides = random.permutation(sorted(words))[:600].reshape(2, 300)
    numbers = random.integers(0, 2, 1500)
    texts = [" ".join(random.choice(sides[number], 3)) for number in numbers]
    labels = [("a", "b")[number] for number in numbers]
    report = fit_head(
        before, (texts, labels), tmp_path / "m", name="new", tune=True, with_baseline=False
    )
    assert report.tuned
    assert any("has no head.queue" in line for line in report.warnings)
    model = StaticModel.load(tmp_path / "m", verify=True)
    assert model.heads == ("new",)
    assert (np.array(model.classify(texts)) == labels).mean() > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "expected 1 to"),
        ({"hidden": 2, "tune": True}, "expected one of them"),
        ({"hidden": 2, "class_weight": "balanced"}, "expected no weights"),
    ],
)
def test_options_beyond_the_linear_layer_are_checked(tmp_path, options, message):
    with pytest.raises(TrainingError, match=message):
        fit_head("minilm-en-small", (["a", "b"], ["x", "y"]), tmp_path / "m", **options)
