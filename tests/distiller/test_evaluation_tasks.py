"""A folder of plain files becomes tasks, or one clear error that names the file and the row."""

import numpy as np
import pytest

from distiller import evaluation_data as data
from staticemb_distiller.errors import EvaluationError
from staticemb_distiller.evaluation import KINDS, discover


@pytest.fixture
def folder(tmp_path):
    return data.make(tmp_path / "eval")


def names(tasks):
    return [task.name for task in tasks]


def test_every_kind_is_found_in_order(folder):
    assert [task.kind for task in discover(folder)] == list(KINDS)
    assert names(discover(folder))[3:] == [
        "classification/topics",
        "clustering/topics",
        "retrieval/topics",
        "bitext/topics",
    ]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["sts"], ["sts/topics-test"]),
        (["pairs/topics-test"], ["pairs/topics-test"]),
        (["topics-test"], ["sts/topics-test", "pairs/topics-test"]),
        (["retrieval/*", "w*/*"], ["wordsim/topics", "retrieval/topics"]),
    ],
)
def test_tasks_are_chosen_by_kind_name_and_wildcard(folder, patterns, expected):
    assert names(discover(folder, patterns)) == expected


def test_an_unknown_task_is_named_beside_those_there(folder):
    with pytest.raises(EvaluationError, match=r"'sts/other'.*sts/topics-test"):
        discover(folder, ["sts", "sts/other"])


def test_no_folder_and_an_empty_one(tmp_path):
    with pytest.raises(EvaluationError, match="absent"):
        discover(tmp_path / "absent")
    with pytest.raises(EvaluationError, match="sts, wordsim"):
        discover(tmp_path)


def test_digests_follow_the_bytes(folder):
    (before,) = discover(folder, ["sts"])
    path = folder / "sts/topics-test.tsv"
    assert list(before.files) == ["sts/topics-test.tsv"]
    path.write_text(path.read_text("utf-8") + "1.0\tx\ty\n", "utf-8")
    (after,) = discover(folder, ["sts"])
    assert before.files != after.files


def test_lines_end_at_line_feeds_alone(tmp_path):
    data.write(tmp_path / "sts/odd.tsv", [(1, "one\u2028two", "three\x85four"), (2, "a\x0cb", "c")])
    (task,) = discover(tmp_path)
    assert task.texts["first"] == ["one\u2028two", "a\x0cb"]
    (tmp_path / "sts/odd.tsv").write_bytes(b"1\ta\tb\r\n2\tc\td")
    (task,) = discover(tmp_path)
    assert task.texts["second"] == ["b", "d"]
    assert task.gold.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("sts/a.tsv", "1\tx\ty\n2\tx\n", r"a\.tsv, row 2: expected 3 columns.*found 2"),
        ("sts/a.tsv", "1\tx\ty\tz\n", "row 1: expected 3 columns.*found 4"),
        ("sts/a.tsv", "high\tx\ty\n", "row 1: expected a number as score, found 'high'"),
        ("sts/a.tsv", "nan\tx\ty\n", "row 1: expected a number as score, found 'nan'"),
        ("sts/a.tsv", "1\tx\ty\n\n1\tx\ty\n", "row 2: expected 3 columns"),
        ("sts/a.tsv", "", "row 1: expected at least one row"),
        ("sts/a.tsv", "2\tx\ty\n2\tx\tz\n", "row 2: expected scores that differ, found score 2"),
        ("wordsim/a.tsv", "1\t \ty\n", "row 1: expected a text, found nothing"),
        ("pairs/a.tsv", "0\tx\ty\n2\tx\ty\n", "row 2: expected the label 0 or 1, found '2'"),
        ("clustering/a.tsv", "x\n", "row 1: expected 2 columns"),
        ("sts/a.tsv", b"1\tx\ty\n1\tx\t\xff\n", "row 2: expected UTF-8 text, found the byte 0xff"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, file, content, message):
    path = tmp_path / file
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(EvaluationError, match=message):
        discover(tmp_path)


def test_labels_must_be_those_trained_on(folder):
    path = folder / "classification/topics-test.tsv"
    path.write_text("tool\ta saw\nplant\tan oak\n", "utf-8")
    with pytest.raises(EvaluationError, match=r"topics-test\.tsv, row 2: .*'plant'"):
        discover(folder, ["classification"])
    (folder / "classification/topics-train.tsv").unlink()
    with pytest.raises(EvaluationError, match=r"topics-train\.tsv"):
        discover(folder, ["classification"])


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("corpus.jsonl", "{", "row 17: expected JSON, found an error"),
        ("corpus.jsonl", "[]", "row 17: expected a JSON object, found list"),
        ("corpus.jsonl", "[" * 100_000, "row 17: expected JSON, found an error"),
        ("corpus.jsonl", '{"_id": 3, "text": ""}', 'row 17: expected a string under "_id"'),
        ("corpus.jsonl", '{"_id": "d0", "text": ""}', "row 17: expected a document id not seen"),
        ("queries.jsonl", '{"_id": "q"}', 'row 3: expected a string under "text"'),
        ("qrels/test.tsv", "q0\td999\t1", "row 18: .*'d999'"),
        ("qrels/test.tsv", "q9\td0\t1", "row 18: .*'q9'"),
        ("qrels/test.tsv", "q0\td0\t0.5", "row 18: expected a whole number"),
    ],
)
def test_a_malformed_retrieval_row_is_named(folder, file, line, message):
    with (folder / "retrieval/topics" / file).open("a", encoding="utf-8") as out:
        out.write(line + "\n")
    with pytest.raises(EvaluationError, match=message):
        discover(folder, ["retrieval"])


def test_retrieval_reads_titles_grades_and_queries_that_are_documents(tmp_path):
    base = tmp_path / "retrieval/r"
    data.write_jsonl(
        base / "corpus.jsonl",
        [
            {"_id": "1", "title": "T", "text": "same"},
            {"_id": "2", "text": "untitled"},
            {"_id": "3", "title": "", "text": ""},
        ],
    )
    queries = [("1", "same"), ("2", "other"), ("4", "unjudged")]
    data.write_jsonl(base / "queries.jsonl", [{"_id": i, "text": t} for i, t in queries])
    data.write(base / "qrels/test.tsv", [("1", "2", 2), ("1", "3", 0), ("2", "1", -1)])
    (task,) = discover(tmp_path)
    assert task.texts["queries"] == ["same", "other"]
    assert task.texts["documents"] == ["", "untitled", "T same"]
    assert task.relevance.toarray().tolist() == [[0, 2, 0], [0, 0, -1]]
    # Document 1 is query 1; document 2 only has query 2's id.
    assert task.excluded.tolist() == [2, -1]
    assert isinstance(task.excluded, np.ndarray)
