"""`staticemb index`, `search` and `dedup`: files in, hits and rows out."""

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime.cli.layout import Span, columns_of, fit, wrap
from staticemb_runtime.cli.main import main
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.search import Index
from strategies import word_level_tokenizer
from terminal import Terminal

QUESTIONS = [
    "How do I reset my password?",
    "Where is my refund?",
    "how can I reset my password",
    "My card was declined at the shop.",
    "  WHERE is my refund? ",
]


@pytest.fixture
def run(capfd):
    """Run a command; return its status, its lines of output and its notes."""

    def call(*arguments):
        status = main(list(map(str, arguments)))
        output, notes = capfd.readouterr()
        return status, output.splitlines(), notes

    return call


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / ".hidden.txt").write_text("a secret about refunds")
    (tmp_path / "docs" / "image.png").write_bytes(b"\x89PNG refunds")
    (tmp_path / "docs" / "password.md").write_text(
        "# Help\n\nTo reset your password, open settings.\n"
    )
    (tmp_path / "docs" / "deep" / "refund.txt").write_text("Refunds take five days.")
    rows = [
        {"_id": f"r{n}", "title": f"Order {n}", "text": f"It was shipped on day {n}.", "day": n}
        for n in range(5)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with gzip.open(tmp_path / "cards.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows(
            [["key", "Body"], ["c1", "A declined card is blocked by the bank."]]
        )
    return tmp_path


@pytest.fixture
def index(folder, run):
    path = folder / "all.db"
    sources = [folder / "docs", folder / "rows.jsonl", folder / "cards.csv.gz"]
    status, output, notes = run("index", *sources, "-o", path)
    assert (status, output) == (0, [])
    assert "8 new, 0 replaced, 0 unchanged; 8 documents" in notes
    return path


def test_documents_of_files_and_folders(folder, index):
    with Index.open(index) as opened:
        found = {document.id: document for document in opened.documents()}
    docs = folder / "docs"
    assert set(found) == {
        str(docs / "password.md"),
        str(docs / "deep" / "refund.txt"),
        f"{folder / 'cards.csv.gz'}:2",
        *(f"r{n}" for n in range(5)),
    }
    assert found["r3"].text == "Order 3\n\nIt was shipped on day 3."
    assert found["r3"].metadata == {"day": 3}
    assert found[f"{folder / 'cards.csv.gz'}:2"].metadata == {"key": "c1"}


def test_a_title_that_the_first_row_lacks_is_part_of_the_text(tmp_path, run):
    rows = [{"text": "A bank."}, {"title": "Fees", "text": "None."}, {"text": "A card.", "n": 1}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, _, notes = run("index", tmp_path / "a.jsonl", "-o", tmp_path / "a.db")
    assert "the text is from title and text" in notes
    with Index.open(tmp_path / "a.db") as opened:
        texts = [(document.text, document.metadata) for document in opened.documents()]
    assert texts == [("A bank.", {}), ("Fees\n\nNone.", {}), ("A card.", {"n": 1})]


def test_the_same_command_goes_on(folder, index, run):
    (folder / "docs" / "deep" / "refund.txt").write_text("Refunds take six days.")
    (folder / "docs" / "new.txt").write_text("Something new.")
    sources = [folder / "docs", folder / "rows.jsonl", folder / "cards.csv.gz"]
    _, _, notes = run("index", *sources, "-o", index)
    assert "1 new, 1 replaced, 7 unchanged; 9 documents" in notes


def test_hits_as_text_and_json(index, run):
    status, lines, notes = run("search", index, "reset a password", "-k", 2)
    assert (status, notes) == (0, "")
    assert lines[0].startswith(" 1. ")
    assert lines[0].split()[1].endswith("password.md")
    assert any("reset your password" in line for line in lines)
    assert "\x1b" not in "".join(lines)
    status, lines, _ = run("search", index, "reset a password", "-k", 2, "--json", "--explain")
    first, second = map(json.loads, lines)
    assert (first["rank"], second["rank"]) == (1, 2)
    assert first["snippet"][slice(*first["marks"][0])].lower() in ("password", "reset")
    explained = first["explanation"]
    total = sum(token["share"] for token in explained["query_tokens"])
    assert total == pytest.approx(explained["similarity"])
    assert explained["similarity"] == pytest.approx(first["vector_score"], abs=0.02)


def test_a_filter_of_no_metadata_says_what_there_is(folder, index, run):
    note = "staticemb: note: --filter: the first 8 documents have no metadata"
    status, lines, notes = run("search", index, "a bank", "--filter", "id=1", "--filter", "day=3")
    assert status == 0
    assert lines == ["no document found"]
    (line,) = notes.splitlines()
    assert line.startswith(f"{note} 'id', but ")
    assert "day" in line
    assert line.endswith("; Index.get of Python finds a document by its id")
    _, lines, notes = run("search", index, "a bank", "--filter", "month=3", "--json")
    assert lines == []
    assert notes.startswith(f"{note} 'month', but ")
    assert "Index.get" not in notes
    # A name that some documents have, and a filter that finds some, need no note.
    assert run("search", index, "a bank", "--filter", "day=999")[2] == ""
    status, lines, notes = run("search", index, "a bank", "--filter", "month=null")
    assert lines != ["no document found"]
    assert notes == ""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_is_utf_8_whatever_the_encoding_of_the_output(tmp_path, encoding):
    text = "Ein é 漢 🎉 text"
    (tmp_path / "a.csv").write_text(f"text\n{text}\n{text}\n", encoding="utf-8")
    calls = {
        "text": ["search", "i.db", text, "-k", "1", "--json"],
        "duplicate_of_text": ["dedup", "a.csv", "--json"],
    }
    command = [sys.executable, "-m", "staticemb_runtime"]
    subprocess.run([*command, "index", "a.csv", "-o", "i.db"], cwd=tmp_path, check=True)
    for name, arguments in calls.items():
        done = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            stdout=subprocess.PIPE,
            check=True,
        )
        assert json.loads(done.stdout.decode("utf-8"))[name] == text


def test_a_name_in_two_filters_is_refused(index, run):
    status, lines, notes = run("search", index, "a", "--filter", "day=3", "--filter", "day=4")
    assert (status, lines) == (2, [])
    assert "--filter: expected each name once, found 'day' twice" in notes
    between = 'day={">": 2, "<": 4}'
    _, lines, _ = run("search", index, "order", "--filter", between, "--json")
    assert [json.loads(line)["id"] for line in lines] == ["r3"]


def test_filters_of_long_numbers_find_text(folder, index, run):
    digits = "123456789012345678901"
    (folder / "parts.csv").write_text(f"id,text,part\np,A part.,{digits}\n")
    run("index", folder / "parts.csv", "-o", index)
    status, lines, _ = run("search", index, "a part", "--filter", f"part={digits}", "--json")
    assert status == 0
    assert [json.loads(line)["id"] for line in lines] == ["p"]


def test_filters_and_methods(folder, index, run):
    _, lines, _ = run("search", index, "shipped order", "--filter", "day=3", "--json")
    assert [json.loads(line)["id"] for line in lines] == ["r3"]
    (folder / "years.csv").write_text("text,year\nA new bank.,2024\nAn old bank.,1924\n")
    run("index", folder / "years.csv", "-o", index)
    _, lines, _ = run("search", index, "a bank", "--filter", "year=2024", "--json")
    assert [json.loads(line)["text"] for line in lines] == ["A new bank."]
    _, lines, _ = run("search", index, "blocked", "--method", "lexical", "--json")
    assert [json.loads(line)["metadata"] for line in lines] == [{"key": "c1"}]
    status, _, notes = run("search", index, "a bank", "--filter", "day")
    assert status == 2
    assert "NAME=VALUE" in notes


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("東京は日本の首都です。人口は約千四百万人です。", True),
        ("北京是中国的首都。", True),
        ("กรุงเทพเป็นเมืองหลวงของประเทศไทย", True),
        ("서울은 대한민국의 수도이다.", False),
        ("Москва — столица России.", False),
        ("The capital of Japan is 東京.", False),
    ],
)
def test_texts_without_blanks_are_noted(tmp_path, run, text, noted):
    (tmp_path / "a.txt").write_text(text)
    _, _, notes = run("index", tmp_path / "a.txt", "-o", tmp_path / "w.db")
    assert ("--trigrams" in notes) == noted
    _, _, notes = run("index", tmp_path / "a.txt", "-o", tmp_path / "t.db", "--trigrams")
    assert "--trigrams" not in notes


def test_a_hit_by_words_alone_shows_no_rank_by_meaning(tmp_path, run):
    (tmp_path / "a.txt").write_text("東京は日本の首都です。")
    run("index", tmp_path / "a.txt", "-o", tmp_path / "t.db", "--trigrams")
    _, lines, _ = run("search", tmp_path / "t.db", "東京")
    assert "words" in lines[-1]
    assert "meaning" not in lines[-1]


def test_a_query_after_the_options(index, run):
    expected = run("search", index, "a refund", "-k", 1, "--json")
    assert expected[0] == 0
    for command in (
        ["search", index, "-k", 1, "--json", "a refund"],
        ["search", "-k", 1, index, "--json", "a refund"],
    ):
        assert run(*command) == expected
    with pytest.raises(SystemExit, match="2"):
        run("search", index, "-k", 1, "a refund", "more")


def test_files_after_the_options(folder, run):
    (folder / "more.csv").write_text("title\nMore.\n")
    options = ["--column", "title", "-o", folder / "i.db"]
    status, _, notes = run("index", folder / "rows.jsonl", *options, folder / "more.csv")
    assert status == 0
    assert "6 new" in notes
    with Index.open(folder / "i.db") as index:
        assert index.get("r0").text == "Order 0"  # the option counts once


def test_a_named_model_is_taken_even_if_the_environment_names_it(
    folder, index, tmp_path, run, monkeypatch
):
    other = tmp_path / "other.staticemb"
    table = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    write(other, Parts(table, word_level_tokenizer(6)), Settings(prefixes=(8,)))
    monkeypatch.setenv("STATICEMB_MODEL", str(other))
    add = ["index", folder / "rows.jsonl", "-o", index]
    for command in (["search", index, "refund"], add):
        assert run(*command)[0] == 0  # by the index's own model
    bundle = ["bundle-lambda", "--index", index, "-o", tmp_path / "function.zip"]
    for command in (["search", index, "refund"], add, bundle):
        status, _, notes = run(*command, "-m", other)
        assert (status, str(other) in notes) == (2, True)


def test_queries_from_standard_input(index, run, monkeypatch, tmp_path):
    (tmp_path / "queries.txt").write_text("a refund\n\nthe bank\n")
    with (tmp_path / "queries.txt").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        _, lines, _ = run("search", index, "-k", 1, "--json")
    hits = list(map(json.loads, lines))
    assert [hit["query"] for hit in hits] == ["a refund", "the bank"]
    assert "refund" in hits[0]["id"]


def test_long_documents_become_passages(tmp_path, run):
    text = "Nothing happens here at all. " * 40 + "\n\nThe refund takes five days."
    (tmp_path / "long.txt").write_text(text)
    path = tmp_path / "long.db"
    _, _, notes = run("index", tmp_path / "long.txt", "-o", path, "--passage-characters", 300)
    assert re.search(r"1 document in \d+ passages", notes)
    _, lines, _ = run("search", path, "refund", "-k", 1)
    assert "long.txt, passage" in lines[0]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('{"a": "text"}\n', [], "expected a column of texts"),
        ('{"a": "text"}\n', ["--column", "b"], "expected a column 'b'"),
        ('{"text": 3}\n', [], "expected text in 'text', found int"),
        ('{"text": "a", "id": 1.5}\n', [], "expected an id in 'id', found float"),
        ('{"text": "a"}\n', ["--id-column", "key"], "expected a column 'key'"),
        ('{"text": "a"}\n{"b": "a"}\n', [], "line 2: expected text in 'text', found none"),
        ('{"text": "\\ud800"}\n', [], "surrogate"),
        ("no json\n", [], "line 1: expected JSON"),
    ],
)
def test_errors_name_the_line(tmp_path, run, content, options, message):
    (tmp_path / "rows.jsonl").write_text(content)
    status, _, notes = run("index", tmp_path / "rows.jsonl", "-o", tmp_path / "a.db", *options)
    assert status == (1 if "1 new" in notes else 2)
    assert message in notes
    assert "rows.jsonl" in notes
    assert "Traceback" not in notes


def test_files_that_cannot_be_indexed(tmp_path, run):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "empty").mkdir()
    for source, message in [
        ("latin.txt", "expected UTF-8, found byte 0xe9"),
        ("missing.txt", "expected a file or a folder"),
        ("empty", "found none with a known suffix"),
    ]:
        status, _, notes = run("index", tmp_path / source, "-o", tmp_path / "a.db")
        assert status == 2
        assert message in notes
    status, _, notes = run("search", tmp_path / "missing.db", "a")
    assert status == 2
    assert "missing.db" in notes
    status, _, notes = run("search", tmp_path / "latin.txt", "a")
    assert status == 2
    assert "latin.txt" in notes


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs")
def test_an_index_is_no_pipe(questions, tmp_path, run):
    os.mkfifo(tmp_path / "fifo")
    status, _, notes = run("index", questions, "-o", tmp_path / "fifo")
    assert status == 2
    assert "fifo: expected a search index, found a pipe or a device" in notes


def test_texts_without_known_tokens_are_not_silent(tmp_path, run):
    """The words of a text that the model cannot read find it, its vector never."""
    texts = tmp_path / "ja.txt"
    texts.write_text("a film\n日本語\n東京都\n日本語\n", encoding="utf-8")
    english = "The model reads English only; staticemb-model-multilingual reads other languages"
    status, _, notes = run("index", texts, "--lines", "-o", tmp_path / "i.db")
    assert status == 0
    assert "3 texts or passages have no token that the model knows" in notes
    assert english in notes
    assert "no token" not in run("index", texts, "--lines", "-o", tmp_path / "i.db")[2]
    _, _, notes = run("dedup", texts, "--lines")
    assert "2 different texts have no token that the model knows" in notes
    assert f"ja.txt, line 2. {english}" in notes
    assert "1 of 4 texts are duplicates (1 equal)" in notes
    (tmp_path / "other.txt").write_text("東京都\n", encoding="utf-8")
    _, _, notes = run("dedup", texts, "--lines", "--against", tmp_path / "other.txt")
    assert ": 2 texts have no token" in notes
    for arguments in (["index", "-o", tmp_path / "i2.db"], ["dedup"]):
        assert "no token" not in run(arguments[0], texts, "--lines", "--quiet", *arguments[1:])[2]


def test_a_blank_document_does_not_ask_for_another_model(tmp_path, run):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "empty.md").write_text("")
    (tmp_path / "notes" / "film.md").write_text("a film")
    _, _, notes = run("index", tmp_path / "notes", "-o", tmp_path / "i.db")
    assert "1 text or passage has no token that the model knows (1 empty or blank)" in notes
    assert "English only" not in notes


def test_a_query_without_blanks_is_told_of_trigrams(tmp_path, run):
    """Most documents are English, so `index` cannot know that Japanese will be searched."""
    texts = tmp_path / "mixed.txt"
    texts.write_text(
        "an English sentence of some length\n東京は日本の首都です。\n", encoding="utf-8"
    )
    hint = "an index made with --trigrams"
    run("index", texts, "--lines", "-o", tmp_path / "words.db")
    assert hint in run("search", tmp_path / "words.db", "首都")[2]
    assert hint in run("search", tmp_path / "words.db", "首都", "--method", "lexical")[2]
    assert hint not in run("search", tmp_path / "words.db", "首都", "--method", "vector")[2]
    assert hint not in run("search", tmp_path / "words.db", "capital")[2]
    run("index", texts, "--lines", "--trigrams", "-o", tmp_path / "trigrams.db")
    assert hint not in run("search", tmp_path / "trigrams.db", "首都")[2]


def test_an_interrupted_index_goes_on(tmp_path, run):
    count = 40_000
    rows = tmp_path / "rows.csv"
    with rows.open("w") as file:
        file.write("id,text\n")
        file.writelines(f"{n},order {n} was shipped on day {n % 7}\n" for n in range(count))
    path = tmp_path / "rows.db"
    command = [sys.executable, "-m", "staticemb_runtime", "index", str(rows), "-o", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and stored(path) == 0:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=120)
    done = stored(path)
    if process.returncode:  # it may have ended before the signal
        assert process.returncode == 130
        assert "the same command goes on from there" in notes
        assert 0 < done <= count
    status, _, notes = run("index", rows, "-o", path)
    assert status == 0
    assert f"{count - done:,} new, 0 replaced, {done:,} unchanged; {count:,} documents" in notes


def stored(path):
    try:
        with Index.open(path) as index:
            return len(index)
    except StaticEmbError:  # the file does not exist yet, or is being made
        return 0


# --- dedup ---------------------------------------------------------------------------------------


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "questions.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(QUESTIONS)])
    return path


def test_rows_that_are_no_duplicates_are_kept(questions, tmp_path, run):
    for name in ("kept.csv", "kept.csv.gz", "kept.jsonl"):
        kept = tmp_path / name
        status, output, notes = run("dedup", questions, "-o", kept, "--threshold", 0.8)
        assert (status, output) == (0, [])
        assert "2 of 5 texts are duplicates (1 equal) in 2 groups; 3 stay" in notes
        content = kept.read_bytes()
        content = (gzip.decompress(content) if name.endswith("gz") else content).decode()
        if name.endswith("jsonl"):
            rows = [json.loads(line)["id"] for line in content.splitlines()]
        else:
            rows = [row["id"] for row in csv.DictReader(content.splitlines())]
        assert rows == ["0", "1", "3"]


def test_rows_that_are_no_duplicates_are_kept_as_parquet(questions, tmp_path, run):
    parquet = pytest.importorskip("pyarrow.parquet")
    run("dedup", questions, "-o", tmp_path / "kept.parquet", "--threshold", 0.8)
    table = parquet.read_table(tmp_path / "kept.parquet")
    assert table.to_pylist() == [{"id": str(n), "text": QUESTIONS[n]} for n in (0, 1, 3)]


def test_duplicates_are_shown_with_what_they_repeat(questions, run, monkeypatch):
    monkeypatch.chdir(questions.parent)
    questions = questions.name
    _, lines, _ = run("dedup", questions, "--threshold", 0.8)
    assert [line.split()[0] for line in lines] == ["How", "0.920", "Where", "equal"]
    assert lines[1].endswith("questions.csv, line 4")
    _, lines, _ = run("dedup", questions, "--threshold", 0.8, "--json")
    first, second = map(json.loads, lines)
    assert first["duplicate_of_text"] == QUESTIONS[0]
    assert first["text"] == QUESTIONS[2]
    assert 0.8 < first["similarity"] < 1
    assert (second["exact"], second["similarity"]) == (True, 1)


def test_texts_are_compared_with_another_file(questions, tmp_path, run):
    (tmp_path / "test.txt").write_text("where is my refund?\na red house\na red house\n")
    kept = tmp_path / "kept.txt"
    run("dedup", tmp_path / "test.txt", "--lines", "--against", questions, "-o", kept)
    assert kept.read_text() == "a red house\na red house\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "0"], "threshold: expected a number above 0"),
        (["-o", "kept.npy"], "expected a name ending in .jsonl"),
        (["-o", "questions.csv"], "questions.csv"),
        (["-o", "-", "--json"], "--json"),
        (["--column", "body"], "expected a column 'body'"),
        (["-", "--against", "-"], "--against: expected another input than standard input"),
    ],
)
def test_wrong_options_of_dedup(questions, run, monkeypatch, options, message):
    monkeypatch.chdir(questions.parent)
    before = questions.read_bytes()
    status, _, notes = run("dedup", "questions.csv", *options)
    assert status == 2
    assert message in notes
    assert questions.read_bytes() == before


def test_texts_to_compare_with_are_never_written_over(questions, tmp_path, run):
    against = tmp_path / "against.jsonl"
    against.write_text('{"text": "kept"}\n')
    (tmp_path / "link.jsonl").hardlink_to(against)
    for name in ("against.jsonl", "link.jsonl"):
        for given in (against, tmp_path):
            arguments = ["--against", given, "-o", tmp_path / name]
            status, _, notes = run("dedup", questions, *arguments)
            assert status == 2
            assert "expected another file than the input" in notes
    assert against.read_text() == '{"text": "kept"}\n'


def test_a_table_of_which_no_row_stays_keeps_its_columns(questions, tmp_path, run):
    kept = tmp_path / "kept.csv"
    status, _, notes = run("dedup", questions, "--against", questions, "-o", kept)
    assert status == 0
    assert "0 stay" in notes
    assert kept.read_text() == "id,text\n"
    assert run("dedup", kept)[0] == 0


def test_an_error_of_the_kept_rows_names_the_row(questions, tmp_path, run):
    kept = tmp_path / "kept.txt"
    status, _, notes = run("dedup", questions, "-o", kept)
    assert status == 2
    assert "questions.csv, line 2: expected a text of one line without other columns" in notes
    assert run("dedup", questions, "-o", "")[0] == 2


def test_kept_rows_go_to_descriptors_of_the_shell(questions):
    command = [sys.executable, "-m", "staticemb_runtime", "dedup", questions, "--threshold", "0.8"]
    done = subprocess.run([*command, "-o", "/dev/stdout"], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["0", "1", "3"]


def test_an_output_without_duplicates_of_an_empty_file(tmp_path, run):
    (tmp_path / "empty.jsonl").write_text("")
    status, _, notes = run("dedup", tmp_path / "empty.jsonl", "-o", tmp_path / "kept.jsonl")
    assert status == 0
    assert "0 of 0 texts" in notes
    assert (tmp_path / "kept.jsonl").read_text() == ""


# --- terminals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_fit_the_terminal(index, questions, columns):
    program = [sys.executable, "-m", "staticemb_runtime"]
    for command in (
        ["search", index, "the refund of a declined card", "--explain"],
        ["dedup", questions, "--threshold", "0.8", "--quiet"],
    ):
        with Terminal([*program, *command], size=(30, columns)) as terminal:
            status, lines = terminal.finish()
        assert status == 0
        assert all(columns_of(line) <= columns for line in lines), lines
        assert "\x1b[1m" in terminal.output.decode()


def test_progress_counts_documents(tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text("".join(f"order {n}\n" for n in range(20_000)))
    options = ["--lines", "-o", tmp_path / "rows.db"]
    program = [sys.executable, "-m", "staticemb_runtime", "index", rows, *options]
    with Terminal(program) as terminal:
        status, lines = terminal.finish()
    assert status == 0
    assert lines[0].startswith("20,000 (100 %) documents")
    assert "8,192 (" in terminal.output.decode()
    assert "20,000 new" in lines[1] + lines[2]


def test_no_color_and_the_dialog(index):
    program = [sys.executable, "-m", "staticemb_runtime", "search", index]
    with Terminal(program, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("search> ")
        terminal.type("a refund\n")
        terminal.wait_for(r"1\. [\s\S]*Refunds take[\s\S]*search> $")
        terminal.type("\n")
        status, lines = terminal.finish()
    assert status == 0
    assert "8 documents" in lines[0]
    assert "\x1b[1m" not in terminal.output.decode()


def test_control_characters_of_documents_are_escaped(tmp_path, run):
    (tmp_path / "rows.jsonl").write_text(
        json.dumps({"id": "a\x1b[31m", "text": "red \x1b[31m alarm\x07"})
    )
    run("index", tmp_path / "rows.jsonl", "-o", tmp_path / "a.db")
    _, lines, _ = run("search", tmp_path / "a.db", "alarm", "--explain")
    assert "\x1b" not in "".join(lines)
    assert "\x07" not in "".join(lines)


def test_spans_are_wrapped_with_their_styles():
    spans = [Span("one two "), Span("three", "mark"), Span("s four 漢字漢字漢字漢字 end")]
    lines = wrap(spans, 9, lines=10)
    assert ["".join(span.text for span in line) for line in lines] == [
        "one two", "threes", "four", "漢字漢字", "漢字漢字", "end",
    ]  # fmt: skip
    assert lines[1] == [Span("three", "mark"), Span("s")]
    cut = wrap(spans, 9, lines=2)
    assert "".join(span.text for span in cut[-1]) == "threes …"
    assert wrap([Span("   ")], 9, lines=2) == []
    assert fit("漢字漢字", 5) == "漢字…"


def test_the_similarity_of_two_texts_is_explained(run):
    status, lines, _ = run("similarity", "cheap flights", "low-cost air travel", "--explain")
    assert status == 0
    shares = [float(line.split()[0]) for line in lines[1:]]
    assert sum(shares) == pytest.approx(float(lines[0]), abs=1e-3)
    assert "flights ~ travel" in "\n".join(lines)
