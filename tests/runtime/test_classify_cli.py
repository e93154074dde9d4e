"""`staticemb classify` and `staticemb info`: texts in, predictions out."""

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.file.added_heads import with_heads
from staticemb_distiller.file.head import Head
from staticemb_runtime import StaticModel
from staticemb_runtime.cli.main import main
from strategies import word_level_tokenizer
from terminal import Terminal

D = 8
RANDOM = np.random.default_rng(11)
LABELS = ("billing", "größe", "\x1b[31mred")
TEXTS = ["w1 w2", "w3", "w4 w5 w6", "w7 w1"]


def head(name, kind, labels, **more):
    weights = RANDOM.normal(size=(len(labels), D))
    return Head(name, kind, labels, weights, RANDOM.normal(size=len(labels)), **more)


HEADS = (
    head("numbers", "linear", ("stars", "mood")),
    head("stars", "linear", ("stars",)),
    head("tags", "sigmoid", LABELS),
    head("topic", "softmax", LABELS),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    table = RANDOM.normal(size=(9, D)).astype(np.float32)
    parts = Parts(table, word_level_tokenizer(9))
    write(folder / "p.staticemb", parts, Settings(unknown_token_id=0))
    with_heads(folder / "p.staticemb", HEADS, folder / "m.staticemb")
    with_heads(folder / "p.staticemb", HEADS[3:], folder / "one.staticemb")
    return folder / "m.staticemb"


@pytest.fixture(scope="module")
def model(file):
    return StaticModel(file)


@pytest.fixture
def run(capfd, file):
    """Run the command; return its status, its lines of output and its notes."""

    def call(*arguments, model=file):
        status = main(["classify", "-m", str(model), *map(str, arguments)])
        output, notes = capfd.readouterr()
        return status, [json.loads(line) for line in output.splitlines()], notes

    return call


def test_labels_of_arguments(run, model):
    status, rows, notes = run("--head", "topic", *TEXTS)
    assert (status, notes) == (0, "")
    assert [row["text"] for row in rows] == TEXTS
    assert [row["prediction"] for row in rows] == model.classify(TEXTS, "topic")
    best = np.float32([row["probability"] for row in rows])
    assert np.array_equal(best, model.predict_proba(TEXTS, "topic").max(axis=1))
    assert list(rows[0]) == ["text", "prediction", "probability"]


def test_the_only_head_needs_no_name(run, file):
    _, rows, _ = run(*TEXTS, model=file.with_name("one.staticemb"))
    assert rows == run("--head", "topic", *TEXTS)[1]
    status, rows, notes = run(*TEXTS)
    assert (status, rows) == (2, [])
    assert "one of the file's heads ('numbers', 'stars', 'tags', 'topic')" in notes


def test_all_probabilities_and_a_threshold(run, model):
    _, rows, _ = run("--head", "topic", "--probabilities", "--threshold", "0.6", *TEXTS)
    scores = model.predict_proba(TEXTS, "topic")
    assert [row["prediction"] for row in rows] == model.classify(TEXTS, "topic", threshold=0.6)
    for row, expected in zip(rows, scores, strict=True):
        assert np.array_equal(np.float32([row["probabilities"][x] for x in LABELS]), expected)


def test_several_labels(run, model):
    _, rows, _ = run("--head", "tags", *TEXTS)
    assert [row["prediction"] for row in rows] == model.classify(TEXTS, "tags")
    assert all(list(row["probabilities"]) == row["prediction"] for row in rows)
    _, rows, _ = run("--head", "tags", "--threshold", "1", *TEXTS)
    assert [row["prediction"] for row in rows] == [[]] * len(TEXTS)


def test_numbers(run, model):
    _, rows, _ = run("--head", "stars", *TEXTS)
    predicted = np.float32([row["prediction"] for row in rows])
    assert np.array_equal(predicted, model.predict(TEXTS, "stars")[:, 0])
    _, rows, _ = run("--head", "numbers", *TEXTS)
    assert rows[1]["prediction"].keys() == {"stars", "mood"}


def test_an_explanation_adds_up(run, model):
    _, rows, _ = run("--head", "topic", "--explain", "w1 w2 w1")
    explanation = rows[0]["explanation"]
    assert explanation["label"] == rows[0]["prediction"]
    shares = [token["share"] for token in explanation["tokens"]]
    assert sum(shares) + explanation["bias"] == pytest.approx(explanation["logit"], abs=1e-12)
    assert [(t["start"], t["end"]) for t in explanation["tokens"]] == [(0, 2), (3, 5), (6, 8)]


def test_files_keep_their_columns(run, model, tmp_path):
    expected = model.classify(TEXTS, "topic")
    rows = [{"id": i, "label": "x", "body": text} for i, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, found, _ = run("--head", "topic", "-i", tmp_path / "in.jsonl", "--column", "body")
    assert [row.pop("prediction") for row in found] == expected
    assert [row.pop("probability") > 0.3 for row in found] == [True] * 4
    assert found == rows
    with gzip.open(tmp_path / "in.csv.gz", "wt", newline="") as stream:
        csv.writer(stream).writerows([["id", "text"], *([str(i), t] for i, t in enumerate(TEXTS))])
    output = tmp_path / "out.tsv"
    status, _, _ = run("--head", "topic", "-i", tmp_path / "in.csv.gz", "-o", output)
    assert status == 0
    table = list(csv.DictReader(io.StringIO(output.read_text()), dialect="excel-tab"))
    assert [row["prediction"] for row in table] == expected
    assert [row["id"] for row in table] == ["0", "1", "2", "3"]
    run("--head", "tags", "-i", tmp_path / "in.csv.gz", "-o", tmp_path / "tags.csv")
    table = list(csv.DictReader(io.StringIO((tmp_path / "tags.csv").read_text())))
    labels = [json.loads(row["prediction"]) for row in table]
    assert labels == model.classify(TEXTS, "tags")


def test_a_parquet_file(run, model, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"text": TEXTS, "n": [1, 2, 3, 4]}), tmp_path / "in.parquet")
    _, rows, _ = run("--head", "topic", "-i", tmp_path / "in.parquet")
    assert [row["prediction"] for row in rows] == model.classify(TEXTS, "topic")
    assert [row["n"] for row in rows] == [1, 2, 3, 4]


def single(value):
    """A value with numbers as float32, and the pairs of a map as an object."""
    if isinstance(value, float):
        return np.float32(value)
    pairs = isinstance(value, list) and value and isinstance(value[0], tuple)
    if value and (pairs or isinstance(value, dict)):
        return {name: np.float32(number) for name, number in dict(value).items()}
    return value or None


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("topic", []),
        ("topic", ["--probabilities", "--explain", "--threshold", "0.6"]),
        ("tags", []),
        ("stars", []),
        ("numbers", ["--explain"]),
    ],
)
def test_parquet_holds_what_json_lines_hold(run, tmp_path, head, options):
    parquet = pytest.importorskip("pyarrow.parquet")
    # The first block has no text, a later one a new column, and a fraction among integers.
    rows = [{"text": None, "n": 1}] * 8192 + [
        {"text": "w1 w2", "n": 2},
        {"text": "w3 w9", "n": 2.5, "new": ["x"]},
        {"text": None, "n": 3},
    ]
    source, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, expected, _ = run("--head", head, *options, "-i", source)
    assert run("--head", head, *options, "-i", source, "-o", output)[::2] == (0, "")
    table = parquet.read_table(output)
    found = table.to_pylist()
    assert list(found[0]) == ["text", "n", "new", *list(expected[0])[2:]]
    for row, of_json in zip(found, expected, strict=True):
        assert row.pop("explanation", None) == of_json.pop("explanation", None)
        assert row.pop("new") == of_json.pop("new", None)
        assert {name: single(value) for name, value in row.items()} == {
            name: single(value) for name, value in of_json.items()
        }


def test_a_parquet_file_without_rows_has_the_columns(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in.jsonl").write_text("")
    run("--head", "topic", "-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.parquet")
    schema = parquet.read_schema(tmp_path / "out.parquet")
    assert schema.names == ["text", "prediction", "probability"]


def test_a_failed_parquet_file_is_not_left(run, tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "in.jsonl").write_text('{"text": "w1", "n": 1}\n{"text": "w2", "n": "x"}\n')
    output = tmp_path / "out.parquet"
    status, _, notes = run("--head", "topic", "-i", tmp_path / "in.jsonl", "-o", output)
    assert status == 2
    assert "out.parquet, records 1 to 2, column 'n': expected values of one type" in notes
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_rows_without_a_text_have_no_prediction(run, model, tmp_path):
    lines = ['{"text": null, "n": 1}', '{"text": "w1 w2", "n": 2}', '{"text": null, "n": 3}']
    (tmp_path / "in.jsonl").write_text("".join(f"{line}\n" for line in lines))
    _, rows, notes = run("--head", "topic", "-i", tmp_path / "in.jsonl")
    expected = [None, model.classify("w1 w2", "topic"), None]
    assert [row["prediction"] for row in rows] == expected
    assert [row["n"] for row in rows] == [1, 2, 3]
    assert notes == ""
    run("--head", "topic", "-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.csv")
    table = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [row["prediction"] for row in table] == ["", expected[1], ""]
    assert table[0]["probability"] == ""


def test_a_pipe(file, model):
    command = [sys.executable, "-m", "staticemb_runtime", "classify", "-m", file, "--head", "topic"]
    lines = "".join(f"{text}\n" for text in TEXTS * 3000)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line)["prediction"] for line in done.stdout.splitlines()]
    assert found == model.classify(TEXTS, "topic") * 3000


def test_empty_texts_are_counted(run):
    status, rows, notes = run("--head", "topic", "w1", "nothing known", "")
    assert status == 0
    assert len(rows) == 3
    assert re.search(r"2 of 3 texts.*text 2", notes)
    status, _, notes = run("--head", "topic", "--on-empty", "raise", "w1", "nothing known")
    assert status == 2
    assert "text 2: expected a token that the model knows" in notes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--head", "weather", "w1"], "found 'weather'"),
        (["--head", "topic", "--threshold", "2", "w1"], "threshold: expected 0 to 1"),
        (
            ["--head", "stars", "--threshold", "0.5", "w1"],
            "--threshold: expected a head that gives",
        ),
        (["--head", "stars", "--probabilities", "w1"], "--probabilities: expected a head that"),
        (["--head", "topic", "w1", "-i", "x.csv"], "TEXT: expected no texts with --input"),
        (["--head", "topic", "w1", "-o", "x.npy"], "x.npy: expected a name ending in .jsonl"),
        (
            ["--head", "topic", "w1", "-o", "x.txt"],
            "x.txt: expected a name ending in .jsonl, .csv, .tsv or .parquet",
        ),
        (["--head", "topic", "w1", "-o", ""], "output: expected the name of a file"),
        (["--head", "topic", "-i", "absent.csv"], "absent.csv: cannot be read"),
    ],
)
def test_mistakes_get_one_line(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, rows, notes = run(*arguments)
    assert (status, rows) == (2, [])
    assert message in notes
    assert notes.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_columns_of_the_output_are_not_overwritten(run, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "w1", "prediction": "mine"}\n')
    status, _, notes = run("--head", "topic", "-i", tmp_path / "in.jsonl")
    assert status == 2
    assert "line 1: expected no column 'prediction'" in notes


def test_a_table_without_rows_keeps_its_columns(run, tmp_path):
    (tmp_path / "in.csv").write_text("id,text\n")
    for name in ("out.csv", "out.tsv"):
        assert run("--head", "topic", "-i", tmp_path / "in.csv", "-o", tmp_path / name)[0] == 0
        header = (tmp_path / name).read_text().replace("\t", ",")
        assert header == "id,text,prediction,probability\n"
    (tmp_path / "in.csv").write_text("prediction,text\n")
    status, _, notes = run("--head", "topic", "-i", tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    assert status == 2
    assert "in.csv: expected no column 'prediction'" in notes


def test_cells_hold_lists_and_objects_as_json(run, tmp_path):
    """Python's own notation, `['x']`, is read by nothing else."""
    values = {"tags": ["x", "größe"], "more": {"a": None, "b": [1.5]}, "n": None, "s": "['x']"}
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "w1"} | values))
    run("--head", "topic", "-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text()))
    assert json.loads(row["tags"]) == values["tags"]
    assert json.loads(row["more"]) == values["more"]
    assert (row["n"], row["s"]) == ("", "['x']")


def test_an_error_of_the_output_names_the_row_of_the_input(run, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "w1"}\n{"text": "w2", "late": 1}\n')
    status, _, notes = run(
        "--head", "topic", "-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.csv"
    )
    assert status == 2
    assert "in.jsonl, line 2: expected the columns text, prediction, probability, found" in notes


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs")
def test_streams_are_written_through(file, model, tmp_path):
    """A FIFO without suffix and a descriptor of the shell get JSON lines, as `encode` writes."""
    command = [sys.executable, "-m", "staticemb_runtime", "classify", "-m", file, "--head", "topic"]
    done = subprocess.run([*command, *TEXTS, "-o", "/dev/stdout"], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    expected = model.classify(TEXTS, "topic")
    assert [json.loads(line)["prediction"] for line in done.stdout.splitlines()] == expected
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen([*command, *TEXTS, "-o", fifo]) as process:
        lines = fifo.read_text().splitlines()
    assert process.returncode == 0
    assert [json.loads(line)["prediction"] for line in lines] == expected
    assert fifo.is_fifo()


def test_a_failed_run_leaves_the_output_as_it_was(run, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "w1"}\n{"text": 7}\n')
    (tmp_path / "out.jsonl").write_text("before")
    status, _, _ = run("--head", "topic", "-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl")
    assert status == 2
    assert (tmp_path / "out.jsonl").read_text() == "before"


def test_a_terminal_shows_labels_and_colored_tokens(file):
    command = [sys.executable, "-m", "staticemb_runtime", "classify", "-m", file, "--head", "topic"]
    with Terminal([*command, "--explain", "w1 w2 w3"], size=(24, 60)) as terminal:
        status, lines = terminal.finish()
    output = terminal.output.decode()
    assert status == 0
    assert re.search(r"\x1b\[1mbilling\x1b\[0m\S* ?\S*0\.\d\d\x1b\[0m", output)
    assert re.search(r"\x1b\[3[12]mw[123]\x1b\[0m", output)
    assert re.search(r"logit -?\d+\.\d\d =", re.sub(r"\x1b\[[\d;]*m", "", output))
    assert "\x1b[31mred" not in output  # a label's own escape is shown, not obeyed
    assert all(len(line) <= 60 for line in lines)


def test_a_long_predicted_label_is_shown_whole_and_others_as_they_fit(tmp_path):
    labels = ["a" * 40, "b" * 30, "c" * 5]
    table = np.ones((9, D), np.float32)
    write(tmp_path / "p.staticemb", Parts(table, word_level_tokenizer(9)), Settings())
    bias = np.array([3.0, 2.0, 1.0])
    heads = [Head("x", "softmax", tuple(labels), np.zeros((3, D)), bias)]
    with_heads(tmp_path / "p.staticemb", heads, tmp_path / "m.staticemb")
    command = [sys.executable, "-m", "staticemb_runtime", "classify", "-m"]
    for columns, shown in ((60, 1), (100, 3)):
        with Terminal([*command, tmp_path / "m.staticemb", "w1"], size=(24, columns)) as terminal:
            lines = [line.strip() for line in terminal.finish()[1]]
        scores = [
            f"{label} 0.{digits}" for label, digits in zip(labels, (67, 24, "09"), strict=True)
        ]
        assert " ".join(scores[:shown]) in [re.sub(" +", " ", line) for line in lines]


def test_texts_are_answered_as_they_are_typed(file):
    command = [sys.executable, "-m", "staticemb_runtime", "classify", "-m", file, "--head", "stars"]
    with Terminal(command) as terminal:
        terminal.wait_for("type texts")
        terminal.type("w1 w2\n")
        terminal.wait_for(r"stars \S*-?\d")
        terminal.type("\x04")
        terminal.finish()


def test_info_names_the_heads(capfd, file):
    assert main(["info", str(file)]) == 0
    output = capfd.readouterr().out
    assert r"tags: labels among 3 (billing, größe, \x1b[31mred)" in output
    assert "topic: one label of 3" in output
    assert "stars: numbers: 1 (stars)" in output
    assert "head.topic.weights" not in output
    assert main(["info", "--json", str(file)]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["heads"]["topic"]["labels"] == list(LABELS)
    assert facts["heads"]["numbers"]["kind"] == "linear"


def test_info_says_which_head_is_malformed(capfd, tmp_path):
    table = np.ones((9, D), np.float32)
    parts = Parts(table, word_level_tokenizer(9), optional={"head.a.bias": np.ones(2, np.float32)})
    write(tmp_path / "m.staticemb", parts, Settings(optional={"head.a": "{}"}))
    assert main(["info", str(tmp_path / "m.staticemb")]) == 0
    output = capfd.readouterr().out
    assert re.search(r"a: refused: .*kind: expected softmax or sigmoid or linear", output)
