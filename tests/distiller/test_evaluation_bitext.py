"""Retrieval of translations: the nearest text of the other language is the row's own."""

import shutil

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from distiller import evaluation_data as data
from staticemb_distiller.errors import EvaluationError
from staticemb_distiller.evaluation import discover, evaluate
from staticemb_distiller.evaluation.bitext_files import groups
from staticemb_distiller.evaluation.metrics import unit
from staticemb_distiller.evaluation.scoring import score
from staticemb_distiller.evaluation.tasks import BitextTask


def task(first, second):
    return BitextTask(
        "bitext", "bitext/x", {"first": first, "second": second}, {}, groups(first, second)
    )


def outcomes(first, second, vectors):
    found = score(task(first, second), {k: unit(v) for k, v in vectors.items()})
    return {outcome.metric: outcome.value for outcome in found}


def noisy(count, seed=0, dim=12):
    """Vectors of two sides, so noisy that about half of the rows find each other."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(count, dim))
    return {side: true + rng.normal(size=(count, dim)) * 0.7 for side in ("first", "second")}


def nearest(a, b):
    return (unit(a) @ unit(b).T).argmax(axis=1)


@pytest.mark.parametrize("repeated", [0, 40])
def test_accuracy_and_f1_are_those_of_scikit_learn(repeated):
    """MTEB takes accuracy_score, and f1_score weighted; the labels are its rows."""
    count = 200
    first = [f"a{i % (count - repeated)}" for i in range(count)]
    second = [f"b{i}" for i in range(count)]
    vectors = noisy(count)
    found = outcomes(first, second, vectors)
    labels = np.unique(first, return_inverse=True)[1]
    f1 = []
    for name, sides in (("forward", ("first", "second")), ("backward", ("second", "first"))):
        answers = labels[nearest(*(vectors[side] for side in sides))]
        expected = 100 * accuracy_score(labels, answers)
        assert 5 < expected < 95
        assert found[f"accuracy, {name}"] == pytest.approx(expected)
        f1.append(100 * f1_score(labels, answers, average="weighted", zero_division=0))
    assert found["f1"] == pytest.approx(np.mean(f1))
    ways = (found["accuracy, forward"], found["accuracy, backward"])
    assert found["accuracy"] == pytest.approx(np.mean(ways))


def test_rows_that_share_a_text_are_right_answers_for_each_other():
    assert groups(["a", "b", "c", "d"], ["x", "x", "y", "z"]).tolist() == [0, 0, 1, 2]
    # 0 and 1 share a text, 1 and 2 another one.
    assert len(set(groups(["a", "a", "b", "c"], ["x", "y", "y", "z"])[:3])) == 1


def test_exchanged_sides_exchange_the_directions():
    texts = [f"t{i}" for i in range(50)]
    vectors = noisy(50, seed=1)
    there = outcomes(texts, texts, vectors)
    back = outcomes(texts, texts, {"first": vectors["second"], "second": vectors["first"]})
    assert there["accuracy, forward"] == back["accuracy, backward"]
    assert there["accuracy"] == pytest.approx(back["accuracy"])


def test_a_text_without_a_vector_finds_nothing():
    eye = np.eye(3)
    found = outcomes(
        ["a", "b", "c"], ["x", "y", "z"], {"first": eye * [[0], [1], [1]], "second": eye}
    )
    assert found["accuracy, forward"] == pytest.approx(200 / 3)


def test_one_file_with_two_columns_and_files_of_languages(tmp_path):
    data.write(tmp_path / "bitext/own.tsv", [("one", "eins"), ("two", "zwei")])
    for language, lines in {"de": "eins\nzwei\n", "en": "one\ntwo", "fr": "un\ndeux\n"}.items():
        (tmp_path / f"bitext/numbers.{language}.txt").write_text(lines, "utf-8")
    found = {task.name: task for task in discover(tmp_path)}
    assert list(found) == ["bitext/numbers-en-de", "bitext/numbers-en-fr", "bitext/own"]
    assert found["bitext/numbers-en-fr"].texts == {
        "first": ["one", "two"],
        "second": ["un", "deux"],
    }
    assert found["bitext/own"].texts["second"] == ["eins", "zwei"]
    assert set(found["bitext/numbers-en-de"].files) == {
        "bitext/numbers.en.txt",
        "bitext/numbers.de.txt",
    }


@pytest.fixture
def similar(tmp_path):
    data.write(tmp_path / "sts/s-en-test.tsv", [(1, "one", "two"), (2, "three", "four")])
    data.write(tmp_path / "sts/s-de-test.tsv", [(1, "eins", "zwei"), (2, "drei", "vier")])
    return tmp_path


def test_similarity_in_two_languages_is_a_bitext_if_it_is_asked_for(similar):
    assert [task.name for task in discover(similar)] == ["sts/s-de-test", "sts/s-en-test"]
    assert [task.name for task in discover(similar, ["*-en-*"])] == ["sts/s-en-test"]
    for patterns in (["bitext"], ["bitext/*"], ["bitext/s-test-en-de"]):
        (found,) = discover(similar, patterns)
        assert found.texts == {"first": ["one", "three"], "second": ["eins", "drei"]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, "eins", "zwei")], r"s-de-test\.tsv: expected 2 rows, as in .*, found 1"),
        (
            [(1, "eins", "zwei"), (3, "drei", "vier")],
            r"s-de-test\.tsv, row 2: expected the score 2, as in .*s-en-test\.tsv, found 3",
        ),
    ],
)
def test_rows_that_are_not_aligned_are_named(similar, rows, message):
    data.write(similar / "sts/s-de-test.tsv", rows)
    with pytest.raises(EvaluationError, match=message):
        discover(similar, ["bitext"])


def test_characters_find_translations_that_words_do_not(tmp_path):
    rows = [("international", "internacional"), ("university", "universidad"), ("music", "música")]
    data.write(tmp_path / "bitext/words.tsv", rows)
    results = evaluate(["tfidf", "tfidf-characters"], tmp_path)
    assert results.value("tfidf", "bitext/words") == 0
    assert results.value("tfidf-characters", "bitext/words") == 100


def test_the_interval_of_a_score_holds_it_and_shrinks_with_the_rows(tmp_path):
    widths = []
    for count in (40, 640):
        shutil.rmtree(tmp_path / "bitext", ignore_errors=True)
        vectors = noisy(count, seed=2, dim=4 * int(np.log2(count)))
        texts = {side: [f"{side} {i}" for i in range(count)] for side in vectors}
        place = {t: vectors[side][i] for side in vectors for i, t in enumerate(texts[side])}
        data.write(tmp_path / "bitext/n.tsv", list(zip(*texts.values(), strict=True)))
        results = evaluate(lambda texts, place=place: [place[t] for t in texts], tmp_path)
        (model,) = results.models
        found = results.interval(model, "bitext/n")
        assert found.low < found.value < found.high
        assert found.value == results.value(model, "bitext/n")
        assert results.interval(model, "bitext") == found
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2
