"""Models on tasks: scores, reports, the page and the command."""

import json
import math
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller import evaluation_data as data
from staticemb_distiller.cli.main import main
from staticemb_distiller.errors import EvaluationError
from staticemb_distiller.evaluation import KINDS, FunctionModel, charts, discover, evaluate, labels
from staticemb_distiller.evaluation.charts import prefixes
from staticemb_distiller.evaluation.memory import added_memory
from staticemb_distiller.evaluation.page import html
from staticemb_distiller.evaluation.record import add_baseline, dumps, from_json, to_json
from staticemb_distiller.evaluation.report import differences, markdown
from staticemb_distiller.evaluation.speed import texts_per_second
from staticemb_distiller.evaluation.tables import (
    as_markdown,
    label,
    languages,
    rows,
    summary,
)
from staticemb_distiller.evaluation.terminal import in_terminal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return data.make(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def results(folder):
    return evaluate(
        [data.topics, FunctionModel("noise & <noise>", data.noise, bytes=4_000_000), "tfidf"],
        folder,
        prefixes=[2, 4, 8, 16],
        baseline=[FunctionModel("teacher", data.topics, bytes=90_000_000)],
        speed=True,
    )


def test_a_model_that_knows_wins_everywhere(results):
    for task in results.tasks:
        assert results.value("topics", task) > results.value("noise & <noise>", task) + 5, task
    for task in ("classification/topics", "clustering/topics", "retrieval/topics"):
        assert results.value("topics", task) == pytest.approx(100)
    assert results.value("topics", "retrieval/topics", metric="recall@100") == pytest.approx(100)
    assert results.value("topics", "pairs/topics-test", 4) == pytest.approx(100)
    assert results.mean("topics") == pytest.approx(
        np.mean([results.value("topics", task) for task in results.tasks])
    )


def test_prefixes_beyond_the_dimension_are_left_out(results):
    assert results.prefixes("topics") == [4, 2]
    assert results.prefixes("noise & <noise>") == [16, 8, 4, 2]
    assert results.prefixes("teacher") == [4]
    assert results.prefixes("tfidf") == [0]
    assert math.isnan(results.value("topics", "sts/topics-test", 8))


def test_a_prefix_scores_as_the_cut_model_does(folder, results):
    cut = evaluate(lambda texts: data.noise(texts)[:, :4], folder)
    for score in cut.scores:
        found = results.value("noise & <noise>", score.task, 4, score.metric)
        assert found == pytest.approx(score.value)


def test_prefixes_are_the_models_own_on_request(folder):
    model = FunctionModel("m", data.noise, prefixes=(4, 16))
    assert evaluate(model, folder, tasks=["sts"], prefixes="ladder").prefixes("m") == [16, 4]
    assert evaluate(model, folder, tasks=["sts"]).prefixes("m") == [16]
    assert evaluate(model, folder, tasks=["sts"], prefixes=[99]).prefixes("m") == [16]
    with pytest.raises(EvaluationError, match="found 0"):
        evaluate(model, folder, prefixes=[4, 0])


def test_lengths_of_vectors_do_not_matter(folder):
    def scaled(texts):
        return data.noise(texts) * [[1 + len(text)] for text in texts]

    results = evaluate([data.noise, scaled], folder)
    for task in results.tasks:
        a, b = results.value("noise", task), results.value("scaled", task)
        assert a == pytest.approx(b, abs=1e-3)


def test_each_distinct_text_is_encoded_once_and_queries_as_queries(folder):
    seen = {"text": [], "query": [], "document": []}

    def spy(role):
        def encode(texts):
            seen[role] += texts
            return data.noise(texts)

        return encode

    model = FunctionModel("m", spy("text"), query=spy("query"), document=spy("document"))
    evaluate(model, folder, tasks=["retrieval"], prefixes=[2, 4, 8])
    assert seen["text"] == []
    assert seen["query"] == ["cat", "saw"]
    (task,) = discover(folder, ["retrieval"])
    assert sorted(seen["document"]) == sorted(set(task.texts["documents"]))


def test_models_of_one_name_are_told_apart(folder):
    results = evaluate([data.noise, data.noise], folder, tasks=["wordsim"], baseline=data.noise)
    assert results.models == ["noise", "noise-2", "noise-3"]
    assert results.baseline == ("noise-3",)


def test_differences_by_task_and_kind(results):
    found = {(d["model"], d["prefix"], d["of"]): d for d in differences(results, resamples=200)}
    same = found["topics", 4, "clustering/topics"]
    assert (same["value"], same["low"], same["high"]) == (0, 0, 0)
    worse = found["noise & <noise>", 16, "classification/topics"]
    assert worse["high"] < 0
    direct = results.difference(
        "noise & <noise>", "teacher", ["classification/topics"], resamples=200
    )
    assert (worse["low"], worse["high"]) == pytest.approx((direct.low, direct.high), abs=1e-3)
    with pytest.raises(ValueError, match="not measured"):
        results.difference("topics", "teacher", prefix=3)


def test_a_report_keeps_every_score(results, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(dumps(results), "utf-8")
    read = from_json(path)
    assert read.models == results.models
    assert read.files == results.files
    for a, b in zip(read.scores, results.scores, strict=True):
        assert (a.model, a.task, a.prefix, a.metric, a.main) == (
            b.model, b.task, b.prefix, b.metric, b.main,
        )  # fmt: skip
        assert a.value == pytest.approx(b.value, abs=1e-4)
    report = to_json(results)
    assert report["settings"]["kmeans_seeds"] == (0, 1, 2, 3, 4)
    assert report["models"]["teacher"]["bytes"] == 90_000_000
    assert report["models"]["topics"]["dimension"] == 4
    assert report["models"]["topics"]["texts_per_second"] > 0


def test_an_earlier_report_is_a_baseline(folder, results, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(dumps(results), "utf-8")
    now = evaluate(data.topics, folder, tasks=["sts", "wordsim"])
    add_baseline(now, from_json(path), "report.json")
    assert now.baseline == ("topics (earlier)", "noise & <noise>", "tfidf", "teacher")
    for task in now.tasks:
        assert now.value("teacher", task) == pytest.approx(results.value("teacher", task), abs=1e-4)
        then, read = results.interval("teacher", task), now.interval("teacher", task)
        assert (read.low, read.high) == pytest.approx((then.low, then.high), abs=1e-3)
        ends = next(
            s for s in to_json(now)["scores"] if (s["model"], s["task"]) == ("teacher", task)
        )
        assert (ends["low"], ends["high"]) == pytest.approx((then.low, then.high), abs=1e-3)
    then, read = results.interval("teacher", "sts"), now.interval("teacher", "sts")
    assert (read.low, read.high) == pytest.approx((then.low, then.high), abs=1e-3)
    assert now.interval("teacher", None) is None  # the report's mean is of more kinds
    assert differences(now) == []
    assert "teacher" in html(now)


def test_a_report_on_other_data_is_no_baseline(results, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(dumps(results), "utf-8")
    data.write(tmp_path / "eval/sts/topics-test.tsv", [(1, "a", "b"), (2, "c", "d")])
    other = evaluate(data.noise, tmp_path / "eval")
    with pytest.raises(
        EvaluationError, match=r"r\.json: sts/topics-test was measured on files that differ"
    ):
        add_baseline(other, from_json(path), "r.json")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', "[" * 100_000, '{"scores": {}}'])
def test_what_is_no_report(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text, "utf-8")
    with pytest.raises(EvaluationError, match=r"report\.json"):
        from_json(path)
    with pytest.raises(EvaluationError, match="cannot be read"):
        from_json(tmp_path / "absent.json")


def test_markdown_shows_every_figure(results):
    text = markdown(results, differences(results, resamples=50))
    for score in results.scores:
        assert f" {score.value:.1f} " in text
    rows = [line for line in text.splitlines() if line.startswith("| topics @ 4 | ")]
    assert rows
    widths = {}
    for line in text.splitlines():
        if line.startswith("|"):
            widths.setdefault(line.count(" | "), []).append(line)
    assert all(len(lines) > 2 for lines in widths.values())


def test_the_method_is_described_in_words_with_units(folder):
    facts = {"dimension": 1024, "max_tokens": None, "precision": "int8", "50 % {of} my": "own"}
    mine = FunctionModel("mine", data.noise, facts=facts, bytes=4_000_000)
    results = evaluate([mine, "tfidf", "bm25"], folder)
    lines = markdown(results).partition("## How it was measured")[2].splitlines()
    assert "- mine: 1,024 dimensions, int8, 50 % {of} my own." in lines
    assert any(
        "logistic regression, L2, C = 10, of at most 200 iterations." in line for line in lines
    )
    assert any(line.endswith("the figure is the mean of 5 starts.") for line in lines)
    assert not any("_C" in line or "None" in line for line in lines)


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the page would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.drawings, self.text, self.fetched = [], 0, [], []
        self.ids, self.uses, self.tags, self.attributes = [], [], set(), set()

    def handle_starttag(self, tag, attrs):
        self.drawings += tag == "svg"
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        links = [v for k, v in attrs if k in {"src", "href", "xlink:href", "data"}]
        self.fetched += [v for v in links if not v.startswith("#")]
        self.uses += [v[1:] for v in links if v.startswith("#")]
        self.uses += [v[5:-1] for _, v in attrs if v and v.startswith("url(#")]
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_stands_alone_and_escapes_names(results):
    page = Page()
    content = html(results, differences(results, resamples=50))
    page.feed(content)
    assert page.open == []
    assert page.fetched == []
    assert content.count("url(") == content.count('"url(#')
    assert "@import" not in content
    assert "http" not in content
    assert "nan" not in "".join(page.text)
    assert "noise & <noise>" in page.text
    # Bubbles for wide and narrow, seven charts of prefixes, six of bars.
    assert page.drawings >= 2 + 7 + 6


def test_ids_of_inlined_drawings_do_not_clash(results):
    page = Page()
    page.feed(html(results))
    assert len(page.ids) == len(set(page.ids))
    assert set(page.uses) == set(page.ids)


def test_a_page_is_the_same_bytes_each_time(results):
    assert html(results, differences(results, resamples=50)) == html(
        results, differences(results, resamples=50)
    )


HOSTILE = [
    "</svg><script>alert(1)</script>",
    '" onload="alert(1)',
    r"$\frac{a}$ and $x_",
    "_hidden",
    '#0b62b5 url(#x) style="fill: #0b62b5"',
    "a\0b\x1b[31m\nc\ud800",
    "模型 🤖 " * 20,
    "{{ 7 * 7 }}{% raw %}",
]


def test_names_from_strangers_stay_text(folder):
    models = [FunctionModel(name, data.noise, bytes=1) for name in HOSTILE]
    found = evaluate(
        models, folder, tasks=["sts", "wordsim"], prefixes=[2, 4], baseline=data.topics
    )
    page = Page()
    content = html(found)
    page.feed(content)
    assert page.open == []
    assert "script" not in page.tags
    assert "onload" not in page.attributes
    for name in HOSTILE[:5] + HOSTILE[7:]:
        assert name in page.text
    ElementTree.fromstring(prefixes(found, "sts"))


def test_a_model_compared_with_itself_has_each_row_once(folder, tmp_path):
    model = tmp_path / "words.txt"
    model.write_text("".join(f"{w} 1 {i} 2\n" for i, w in enumerate(data.ANIMALS)), "utf-8")
    whole = evaluate([model, "tfidf"], folder, tasks=["sts"], baseline=["tfidf", str(model)])
    assert rows(whole) == [("tfidf", 0), ("words.txt", 3)]
    cut = evaluate(model, folder, tasks=["sts"], prefixes=[1, 2, 3], baseline=model)
    assert [label(cut, *row) for row in rows(cut)] == [
        "words.txt @ 2",
        "words.txt @ 1",
        "words.txt-2",
    ]
    assert cut.value("words.txt-2", "sts/topics-test") == pytest.approx(
        evaluate(model, folder, tasks=["sts"]).value("words.txt", "sts/topics-test")
    )
    assert {(d["model"], d["prefix"]) for d in differences(cut, resamples=10)} == {
        ("words.txt", 2),
        ("words.txt", 1),
    }
    again = evaluate([model, model], folder, tasks=["sts"], prefixes=[3], baseline=model)
    assert len(rows(again)) == 1


def test_a_compared_model_that_can_do_no_task_stays_in_the_results(folder):
    results = evaluate("bm25", folder, tasks=["sts"], baseline="bm25")
    assert (results.models, results.baseline, results.scores) == (["bm25"], ("bm25",), [])
    assert "bm25" in markdown(results)


def test_a_model_of_an_earlier_report_that_is_measured_again_has_one_row(folder, tmp_path):
    models = [FunctionModel(n, data.topics, facts={"digest": f"sha256:{n}"}) for n in "ab"]
    earlier = evaluate(models, folder, tasks=["sts"])
    (tmp_path / "r.json").write_text(dumps(earlier), "utf-8")
    now = evaluate(models[:1], folder, tasks=["sts"])
    add_baseline(now, from_json(tmp_path / "r.json"), "r.json")
    assert rows(now) == [("a", 4), ("b", 4)]
    assert now.baseline == ("b",)


def test_bold_is_the_best_of_all_rows(folder):
    def bold(models, **baseline):
        page = html(evaluate(models, folder, tasks=["sts"], **baseline))
        found = []
        for row in page.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr")[1:]:
            name = row.partition(">")[2].partition(">")[2].partition("<")[0]
            if 'class="best"' in row:
                found.append(name)
        return found

    assert bold([data.noise, "tfidf"]) == ["tfidf"]
    assert bold([data.noise], baseline=["tfidf"]) == ["tfidf"]
    assert bold(["tfidf"], baseline=[data.noise]) == ["tfidf"]


def test_a_page_of_one_model_and_one_task(folder):
    page = Page()
    page.feed(html(evaluate(data.noise, folder, tasks=["wordsim"])))
    assert page.open == []
    assert "Words" in page.text


@given(
    st.lists(
        st.tuples(st.floats(60, 640), st.floats(60, 340), st.floats(4, 20)), min_size=1, max_size=8
    )
)
def test_labels_do_not_collide(marks):
    texts = [f"a model · {i}.0 MB" for i in range(len(marks))]
    frame = labels.Box(0, 0, 720, 400)
    boxes = labels.place_labels(marks, texts, frame)
    for i, box in enumerate(boxes):
        assert box.outside(frame) < 1e-6
        assert all(box.overlap(other) < 1e-6 for other in boxes[:i])


def test_intervals_stand_beside_every_figure(results):
    report = to_json(results)
    for score in report["scores"]:
        assert score["low"] <= score["value"] + 1e-6, score
        assert score["high"] >= score["value"] - 1e-6, score
    direct = results.interval("topics", "sts/topics-test")
    cell = f"{direct.value:.1f} ({direct.low:.1f} to {direct.high:.1f})"
    assert cell in markdown(results)
    assert cell in html(results)
    means = {(m["model"], m["prefix"], m["of"]): m for m in report["means"]}
    assert len(means) == len(rows(results)) * (1 + len(results.kinds))
    for (model, prefix, of), mean in means.items():
        kind = of if of in results.kinds else None
        assert mean["value"] == pytest.approx(results.mean(model, kind, prefix), abs=1e-4)
        assert mean["low"] <= mean["value"] <= mean["high"]
        cell = f"{mean['value']:.1f} ({mean['low']:.1f} to {mean['high']:.1f})"
        assert cell in markdown(results)
        assert cell in html(results)
        assert cell in in_terminal(results)
    none = replace(results, resamples=0)
    assert "(" not in as_markdown(summary(none))
    assert "low" not in to_json(none)["scores"][0]


def test_the_tasks_of_a_mean_are_resampled_independently(tmp_path):
    pairs = [(i % 7, f"one {i}", f"two {i}") for i in range(200)]
    for name in ("a", "b-de", "b-en"):
        data.write(tmp_path / f"sts/{name}.tsv", pairs)
    results = evaluate(data.noise, tmp_path)

    def width(*tasks):
        found = results.interval_of("noise", tasks)
        return found.high - found.low

    # The three tasks hold the same rows, so only the resamples can differ.
    assert width("sts/a", "sts/b-de") < 0.85 * width("sts/a")
    # Translations of one data set are not independent: each row is drawn in all languages.
    assert width("sts/b-de", "sts/b-en") == pytest.approx(width("sts/b-de"))


def test_the_overall_mean_weighs_each_kind_equally(tmp_path):
    def interval(groups):
        for name, count in groups:
            data.write(tmp_path / name, [(i % 7, f"one {i}", f"two {i}") for i in range(count)])
        return evaluate(data.noise, tmp_path)

    results = interval([("sts/a.tsv", 40), ("wordsim/b.tsv", 400), ("wordsim/c.tsv", 401)])
    parts = [results.interval("noise", kind) for kind in ("sts", "wordsim")]
    whole = results.interval("noise", None)
    assert whole.value == results.mean("noise")
    widths = [part.high - part.low for part in parts]
    # The variance of a mean of independent figures: that of the sum, over its squared number.
    expected = math.hypot(*widths) / 2
    assert whole.high - whole.low == pytest.approx(expected, rel=0.1)


def test_shares_of_a_teacher(folder):
    results = evaluate([data.noise, data.topics], folder, teacher=data.topics)
    assert results.teacher == "topics-2"
    assert results.baseline == ("topics-2",)
    for task in results.tasks:
        whole = results.share("topics", "topics-2", task)
        assert (whole.value, whole.low, whole.high) == pytest.approx((100, 100, 100))
        share = results.share("noise", "topics-2", task)
        expected = 100 * results.value("noise", task) / results.value("topics-2", task)
        assert share.value == pytest.approx(expected)
        assert share.low <= share.value <= share.high
    shares = {(s["model"], s["of"]): s["value"] for s in to_json(results)["shares"]}
    assert len(shares) == 2 * len(results.tasks)
    assert shares["topics", "sts/topics-test"] == pytest.approx(100)
    assert "Share of topics-2" in in_terminal(results)
    assert results.share("topics", "noise", "absent/task") is None


def test_languages_have_a_row_each_and_a_mean(tmp_path):
    rows = [(1, "one", "two"), (2, "three", "four"), (3, "five", "six"), (2, "seven", "eight")]
    for language in ("de", "en"):
        data.write(tmp_path / f"sts/n-{language}-test.tsv", rows)
    data.write(tmp_path / "sts/other.tsv", rows)
    results = evaluate(data.noise, tmp_path)
    (found,) = languages(results)
    title, header, body = found
    assert title == "n-test by language"
    assert header == ("language", "noise")
    assert [row[0] for row in body] == ["de", "en", "mean"]
    mean = np.mean([results.value("noise", f"sts/n-{code}-test") for code in ("de", "en")])
    assert body[-1][1].startswith(f"{mean:.1f} (")
    shown = in_terminal(results)
    assert "| sts/other | spearman |" in shown
    assert "| sts/n-de-test | spearman |" not in shown


def test_tables_are_cut_between_columns_to_the_width_of_a_terminal(folder):
    results = evaluate(data.topics, folder, baseline=[data.noise, "bm25", "tfidf"])
    results.resamples = 100
    whole = in_terminal(results)
    assert max(map(len, whole.splitlines())) > 80
    shown = in_terminal(results, 80)
    assert max(map(len, shown.splitlines())) <= 80

    def cells(text):
        rows = [row.split("|")[1:-1] for row in text.splitlines() if row.startswith("|")]
        return Counter(cell.strip() for row in rows for cell in row if " to " in cell)

    assert cells(shown) == cells(whole)
    for part in shown.partition("Tasks")[2].split("\n\n")[1:]:
        assert part.startswith("| task | metric | ")
    assert in_terminal(results, 5).count("\n") >= shown.count("\n")


@pytest.mark.parametrize("width", [80, 60, 48])
def test_no_row_is_broken_however_long_its_names_are(tmp_path, width):
    rows = [{"_id": f"d{i}", "text": f"text {i}"} for i in range(9)]
    judged = [{"query-id": f"d{i}", "corpus-id": f"d{i}"} for i in range(9)]
    collections = ("NanoQuoraRetrieval", "NanoClimateFEVER", "N" * 90)
    for name in collections:
        folder = tmp_path / "retrieval/NanoBEIR-en"
        for part, content in (("corpus", rows), ("queries", rows), ("qrels", judged)):
            data.write_jsonl(folder / part / f"{name}-00000-of-00001.jsonl", content)
    names = [f"paraphrase-multilingual-MiniLM-L12-v2-of-{'many-' * 9}{end}" for end in "ab"]
    models = [FunctionModel(name, data.noise) for name in (*names, "2")]
    results = evaluate([*models, "bm25"], tmp_path, teacher=data.noise)
    lines = in_terminal(results, width).splitlines()
    assert all(len(line) <= width for line in lines if line.startswith("|"))
    for score in results.scores:
        found = results.interval(score.model, score.task, score.prefix, score.metric)
        figure = f"{score.value:.1f} ({found.low:.1f} to {found.high:.1f})"
        assert any(line.startswith(f"| {score.metric} |") and figure in line for line in lines)
    # A name loses its middle, so that its end still tells it from the others.
    heads = [cell for line in lines if line.startswith("| metric |") for cell in line.split(" | ")]
    assert {head.rstrip(" |")[-2:] for head in heads} >= {"-a", "-b"}
    assert len({line for line in lines if line.startswith("| **")}) == len(collections)


def test_seconds_are_those_of_the_models_own_calls(folder):
    def slow(texts):
        time.sleep(0.2)
        return data.topics(texts)

    results = evaluate([slow, data.topics, "tfidf"], folder, tasks=["sts"], speed=True)
    assert results.facts["slow"]["seconds"] >= 0.4  # two lists of texts
    assert results.facts["topics"]["seconds"] < 0.2
    assert results.facts["tfidf"]["seconds"] > 0
    assert "seconds" not in evaluate(data.topics, folder, tasks=["sts"]).facts["topics"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_is_what_the_model_adds(tmp_path):
    words = tmp_path / "words.txt"
    columns = " ".join(["0.5"] * 300)
    words.write_text("".join(f"w{i} {columns}\n" for i in range(30_000)), "utf-8")
    rows = 30_000 * 300 * 4
    added = added_memory(str(words), {"sample": ["w1 w2"] * 10})
    assert rows < added < 4 * rows + 50_000_000
    assert added_memory(str(tmp_path / "absent.txt"), {"sample": ["a"]}) is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("name", ["tfidf", "tfidf-characters", "bm25"])
def test_the_memory_of_word_counts_grows_with_the_texts(name):
    rng = np.random.default_rng(0)

    def texts(count):
        documents = [" ".join(map(str, rng.integers(0, 5000, 50))) for _ in range(count)]
        return {"documents": documents, "queries": documents[:9]}

    few, many = (added_memory(name, texts(count)) for count in (200, 6000))
    # The counts of each document alone: an index and a weight for each of its words.
    assert many - few > 5800 * 50 * 8
    assert few < 60_000_000


def test_every_model_that_is_opened_by_name_has_seconds_and_memory(folder):
    results = evaluate(["minilm-en-small", "tfidf", "bm25"], folder, speed=True)
    for name in results.models:
        assert results.facts[name]["seconds"] > 0
        if Path("/proc/self/status").exists():
            assert results.facts[name]["memory"] > 0
    for row in summary(results)[2]:
        assert "–" not in row[-3:-1]


def test_speed_is_a_rate():
    calls = []

    def slow(texts):
        calls.append(len(texts))
        return np.ones((len(texts), 2))

    assert texts_per_second(FunctionModel("slow", slow), ["text"] * 500, seconds=0.01) > 0
    assert max(calls) <= 500


def test_the_command_writes_its_files_and_prints_the_means(folder, tmp_path, capsys):
    files = [tmp_path / f"report.{end}" for end in ("json", "md", "html")]
    model = tmp_path / "words.txt"
    model.write_text("".join(f"{w} 1 {i}\n" for i, w in enumerate(data.ANIMALS)), "utf-8")
    status = main(
        ["evaluate", f"mine={model}", "tfidf", "--data", str(folder), "--tasks", "sts", "retrieval"]
        + ["--baseline", "tfidf", "--prefixes", "1,2", "--resamples", "20", "--no-speed"]
        + [
            x
            for flag, path in zip(("--json", "--markdown", "--html"), files, strict=True)
            for x in (flag, str(path))
        ]
    )
    assert status == 0
    out = capsys.readouterr().out
    assert "| mine @ 2 |" in out
    report = json.loads(files[0].read_text("utf-8"))
    assert report["baseline"] == ["tfidf"]
    assert {d["of"] for d in report["differences"]} == {"sts/topics-test", "retrieval/topics"}
    tables = [part for part in out.strip().split("\n\n") if part.startswith("|")]
    assert len(tables) == 2
    assert all(table in files[1].read_text("utf-8") for table in tables)
    assert files[2].read_text("utf-8").startswith("<!doctype html>")
    assert sorted(tmp_path.iterdir()) == sorted([*files, model])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tfidf", "--data", "absent"], "absent: expected a folder"),
        (["tfidf", "--data", "{data}", "--tasks", "nothing"], "no task 'nothing'"),
        (["tfidf", "--data", "{data}", "--prefixes", "x"], "found 'x'"),
        (["./absent.staticemb", "--data", "{data}"], "absent.staticemb: expected a model"),
        (["tfidf", "--data", "{data}", "--baseline", "absent.json"], "absent.json: cannot be read"),
        (["tfidf", "--data", "{data}", "--tasks", "sts", "--json", "no/r.json"], "does not exist"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(folder, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    filled = [each.format(data=folder) for each in arguments]
    assert main(["evaluate", *filled, "--no-speed"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_texts_that_a_model_does_not_know_are_counted(tmp_path, capsys):
    data = tmp_path / "data"
    (data / "sts").mkdir(parents=True)
    rows = ["5\tA dog sleeps.\tA cat sleeps.", "1\t犬が寝る\t猫が寝る", "3\tA dog.\t猫が寝る"]
    (data / "sts" / "mixed.tsv").write_text("\n".join(rows) + "\n")
    report = tmp_path / "report.json"
    command = ["evaluate", "minilm-en-small", "--data", str(data), "--json", str(report)]
    assert main([*command, "--no-speed", "--resamples", "0"]) == 0
    note = "minilm-en-small: 3 texts have no token that the model knows: their vectors are zero"
    assert note in capsys.readouterr().err.splitlines()
    (model,) = json.loads(report.read_text())["models"].values()
    assert model["zero_vectors"] == 3


def test_the_command_as_a_process(folder):
    command = [sys.executable, "-m", "staticemb_distiller", "evaluate", "tfidf"]
    done = subprocess.run(
        [*command, "--data", str(folder), "--tasks", "pairs", "--no-speed"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Means\n\n| model |")
    assert "| pairs/topics-test | average_precision | " in done.stdout
    assert done.stderr == ""


def test_without_data_the_sample_is_measured_and_said_to_be_one(tmp_path, capsys):
    files = [tmp_path / f"report.{end}" for end in ("json", "md", "html")]
    flags = ("--json", "--markdown", "--html")
    given = [x for pair in zip(flags, map(str, files), strict=True) for x in pair]
    assert main(["evaluate", "tfidf", "--no-speed", *given]) == 0
    told = capsys.readouterr()
    assert "| tfidf |" in told.out
    assert "sample" in told.err
    assert "--data" in told.err
    for path in files:
        assert "Measured on the sample" in path.read_text("utf-8")
    read = from_json(files[0])
    assert read.note
    assert [task.partition("/")[0] for task in read.tasks] == list(KINDS[:-1])
    # The rows are right: words alone find what belongs together more often than chance does.
    assert all(read.value("tfidf", task) > 0 for task in read.tasks if "wordsim" not in task)


def test_data_of_ones_own_has_no_note(results):
    assert results.note is None
    assert to_json(results)["note"] is None


def test_a_label_is_placed_by_the_bubble_that_is_drawn(results, monkeypatch):
    placed, drawn = [], []
    place_labels, to_svg = charts.place_labels, charts.to_svg

    def place(marks, *arguments):
        placed.extend(marks)
        return place_labels(marks, *arguments)

    def draw(figure, *arguments, **options):
        svg = to_svg(figure, *arguments, **options)
        (axes,) = figure.axes
        height = figure.get_size_inches()[1] * 72
        for bubble in axes.collections:
            x, y = axes.transData.transform(bubble.get_offsets())[0]
            drawn.append((x, height - y))
        return svg

    monkeypatch.setattr(charts, "place_labels", place)
    monkeypatch.setattr(charts, "to_svg", draw)
    means = dict(zip(results.models, (90.0, 84.3, 84.2, 84.0), strict=False))  # the smallest last
    monkeypatch.setattr(type(results), "mean", lambda self, model: means[model])
    assert charts.speed(results, charts.WIDE)
    assert len(placed) == len(drawn) > 0
    np.testing.assert_allclose([mark[:2] for mark in placed], drawn, atol=0.01)
