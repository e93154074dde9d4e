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
        ("clustering/a.tsv", "x\tone\nx\ttwo\n", "row 2: expected two different labels"),
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
        ("queries.jsonl", '{"_id": "q0", "text": ""}', "row 3: expected a query id not seen"),
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


@pytest.mark.parametrize("score", ["0.5", "nan", "1e300"])
def test_a_first_judgment_with_another_score_is_no_header(tmp_path, score):
    write_beir(tmp_path / "retrieval/r")
    data.write(tmp_path / "retrieval/r/qrels/test.tsv", [("q0", "d0", score), ("q1", "d2", 1)])
    with pytest.raises(EvaluationError, match=r"test\.tsv, row 1: expected a (whole )?number"):
        discover(tmp_path)


def test_whole_scores_may_be_written_as_floats(tmp_path):
    """As pandas and Parquet write a column that had a null."""
    write_beir(tmp_path / "retrieval/beir")
    data.write(tmp_path / "retrieval/beir/qrels/test.tsv", [(q, d, 1.0) for q, d in JUDGED])
    write_parts(
        tmp_path / "retrieval/nano", "train", [row | {"score": 1.0} for row in ROWS], "parquet"
    )
    beir, nano = discover(tmp_path)
    assert beir.relevance.toarray().tolist() == [[0, 1, 1], [1, 0, 0]]
    assert (nano.relevance != beir.relevance).nnz == 0


def test_blank_lines_of_json_lines_are_skipped(folder):
    (before,) = discover(folder, ["retrieval"])
    for file in ("corpus.jsonl", "queries.jsonl"):
        with (folder / "retrieval/topics" / file).open("a", encoding="utf-8") as out:
            out.write("\n \n")
    (after,) = discover(folder, ["retrieval"])
    assert after.texts == before.texts


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


CORPUS = [{"_id": f"d{i}", "text": text} for i, text in enumerate(("a cat", "a dog", "a saw"))]
QUERIES = [{"_id": "q0", "text": "cat"}, {"_id": "q1", "text": "saw"}]
JUDGED = [("q0", "d0"), ("q0", "d1"), ("q1", "d2")]


def write_parts(folder, file, qrels, form):
    """A collection in the layout of NanoBEIR: a folder for each part, a file in each."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for part, rows in {"corpus": CORPUS, "queries": QUERIES, "qrels": qrels}.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        path = folder / part / f"{file}.{form}"
        if form == "parquet":
            parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        else:
            data.write_jsonl(path, rows)


def write_beir(folder):
    data.write_jsonl(folder / "corpus.jsonl", CORPUS)
    data.write_jsonl(folder / "queries.jsonl", QUERIES)
    data.write(folder / "qrels/test.tsv", [(q, d, 1) for q, d in JUDGED])


ROWS = [{"query-id": q, "corpus-id": d} for q, d in JUDGED]
LISTS = [{"query-id": "q0", "corpus-id": ["d0", "d1"]}, {"query-id": "q1", "corpus-id": ["d2"]}]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("qrels", [ROWS, LISTS], ids=["rows", "lists"])
@pytest.mark.parametrize(
    ("file", "name"),
    [
        # zeta-alpha-ai/NanoMSMARCO has one collection, sentence-transformers/NanoBEIR-en thirteen.
        ("train-00000-of-00001", "retrieval/nano"),
        ("NanoMSMARCO-00000-of-00001", "retrieval/nano/NanoMSMARCO"),
        ("NanoMSMARCO", "retrieval/nano/NanoMSMARCO"),
    ],
)
def test_the_layout_of_nanobeir_gives_the_task_that_beirs_does(tmp_path, form, qrels, file, name):
    write_beir(tmp_path / "retrieval/beir")
    write_parts(tmp_path / "retrieval/nano", file, qrels, form)
    beir, nano = discover(tmp_path)
    assert nano.name == name
    assert nano.texts == beir.texts
    assert (nano.relevance != beir.relevance).nnz == 0
    assert nano.excluded.tolist() == beir.excluded.tolist()
    assert len(nano.files) == 3
    (chosen,) = discover(tmp_path, ["nano*"])
    assert chosen.name == name


def test_collections_in_one_folder_are_tasks_of_their_own(tmp_path):
    for name in ("NanoNQ", "NanoSciFact"):
        write_parts(tmp_path / "retrieval/NanoBEIR-en", f"{name}-00000-of-00001", ROWS, "parquet")
    (tmp_path / "retrieval/NanoBEIR-en/bm25").mkdir()
    found = ["retrieval/NanoBEIR-en/NanoNQ", "retrieval/NanoBEIR-en/NanoSciFact"]
    assert names(discover(tmp_path)) == found
    assert names(discover(tmp_path, ["*/NanoNQ"])) == found[:1]


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ([{"query-id": "q7", "corpus-id": "d0"}], "row 1: expected a query id of queries.*'q7'"),
        ([*ROWS, {"query-id": "q0", "corpus-id": "d9"}], "row 4: .*document id of corpus.*'d9'"),
        ([{"query-id": "q0", "corpus-id": "d0", "score": 0.5}], "row 1: .*whole number.*0.5"),
        ([{"query-id": "q0", "positive": "d0"}], "row 1: .*document id of corpus.*None"),
        ([{"query": "q0", "corpus-id": "d0"}], 'row 1: expected a string under "query-id"'),
        ([{"query-id": "q0", "corpus-id": [["d0"]]}], "row 1: expected a document id"),
    ],
)
@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_malformed_judgment_of_nanobeir_is_named(tmp_path, form, qrels, message):
    write_parts(tmp_path / "retrieval/nano", "train", qrels, form)
    with pytest.raises(EvaluationError, match=rf"train\.{form}, {message}"):
        discover(tmp_path)


def test_a_part_that_nanobeir_lacks_is_named(tmp_path):
    write_parts(tmp_path / "retrieval/nano", "NanoNQ", ROWS, "jsonl")
    (tmp_path / "retrieval/nano/qrels/NanoNQ.jsonl").unlink()
    with pytest.raises(EvaluationError, match="NanoNQ in qrels, found none"):
        discover(tmp_path)
    (tmp_path / "retrieval/nano/corpus/NanoNQ.jsonl").write_bytes(b"\xff\n")
    write_parts(tmp_path / "retrieval/other", "train", ROWS, "parquet")
    (tmp_path / "retrieval/other/corpus/train.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(EvaluationError, match=r"train\.parquet"):
        discover(tmp_path, ["other"])
