"""`staticemb index` of folders: files that are gone, unreadable, binary, linked; a killed run."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growth import check_growth
from staticemb_runtime import errors
from staticemb_runtime.cli.main import main
from staticemb_runtime.cli.prune import SeenDocuments
from staticemb_runtime.records import documents
from staticemb_runtime.search import Index


@pytest.fixture
def run(capfd):
    """Run `staticemb index`; return its status and its notes."""

    def call(*arguments):
        status = main(["index", *map(str, arguments)])
        output, notes = capfd.readouterr()
        assert output == ""
        assert "Traceback" not in notes
        return status, notes

    return call


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text("Apples are red.")
    (tmp_path / "docs" / "deep" / "b.txt").write_text("The sea is blue.")
    rows = [{"_id": f"r{n}", "text": f"Order {n} was shipped."} for n in range(4)]
    (tmp_path / "docs" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def ids(path="i.db"):
    with Index.open(path) as index:
        index.check()
        return {document.id for document in index.documents()}


def docs_file(name):
    return f"docs{os.sep}{name}"


EVERY = {"docs/a.md", "docs/deep/b.txt", "r0", "r1", "r2", "r3"}
EVERY = {name.replace("/", os.sep) for name in EVERY}


# --- ids and settings -----------------------------------------------------------------------


def test_documents_with_the_id_of_another_are_counted(folder, run):
    (folder / "a.csv").write_text("id,text\n1,A bank.\n2,A tree.\n")
    (folder / "b.csv").write_text("id,text\n1,A river.\n3,A hill.\n")
    status, notes = run("a.csv", "b.csv", "-o", "i.db")
    assert (status, ids()) == (0, {"1", "2", "3"})
    assert "note: 1 document has the id of an earlier one in these files" in notes
    assert "the id of an earlier" not in run("a.csv", "-o", "i.db")[1]


def test_the_last_document_of_an_id_stays_in_every_run(folder, run):
    (folder / "a.csv").write_text("id,text\n1,A bank.\n1,A tree.\n")
    for counts in ("1 new, 1 replaced, 0 unchanged", "0 new, 0 replaced, 2 unchanged"):
        assert counts in run("a.csv", "-o", "i.db")[1]
        with Index.open("i.db") as index:
            assert index.get("1").text == "A tree."


def test_a_length_of_passages_that_no_file_can_hold(folder, run):
    status, notes = run("docs", "-o", "i.db", "--passage-characters", 1 << 63)
    assert status == 2
    assert "passage_characters: expected at most" in notes
    assert not (folder / "i.db").exists()


@pytest.mark.parametrize(
    "option",
    [["--trigrams"], ["--precision", "bits"], ["--truncate-dim", 64], ["--passage-characters", 0]],
    ids=lambda option: option[0],
)
def test_an_index_keeps_the_settings_that_it_was_made_with(folder, run, option):
    run("docs", "-o", "i.db")
    status, notes = run("docs", "-o", "i.db", *option)
    assert status == 2
    assert notes.startswith(f"staticemb: error: {option[0]}: i.db exists and was made with ")
    run("docs", "-o", "other.db", *option)
    assert "6 unchanged" in run("docs", "-o", "other.db", *option)[1]
    assert "6 unchanged" in run("docs", "-o", "other.db")[1]  # as it was made
    assert ids() == EVERY


def test_a_model_is_stored_later(folder, run):
    run("docs", "-o", "i.db")
    assert not Index.open("i.db").info().model_stored
    assert "6 unchanged" in run("docs", "-o", "i.db", "--store-model")[1]
    assert Index.open("i.db").info().model_stored


def test_an_empty_file_becomes_an_index(folder, run):
    """Another command that makes the index at the same time has made the file already."""
    (folder / "i.db").touch()
    assert "6 new" in run("docs", "-o", "i.db")[1]
    assert ids() == EVERY


def test_an_index_whose_making_was_interrupted_is_made(folder, run):
    with contextlib.closing(sqlite3.connect("i.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # what `create` does first
    assert (folder / "i.db").stat().st_size > 0
    assert "6 new" in run("docs", "-o", "i.db")[1]
    assert ids() == EVERY


# --- documents that are gone -----------------------------------------------------------------


def test_documents_that_are_gone_stay_and_are_counted(folder, run):
    run("docs", "-o", "i.db")
    (folder / "docs" / "a.md").unlink()
    (folder / "docs" / "rows.jsonl").write_text('{"_id": "r1", "text": "Order 1 was shipped."}\n')
    status, notes = run("docs", "-o", "i.db")
    assert status == 0
    assert "0 new, 0 replaced, 2 unchanged; 6 documents" in notes
    assert "note: 4 documents are in these files no more; --prune deletes" in notes
    assert ids() == EVERY


def test_prune_deletes_what_is_gone_from_the_given_places_alone(folder, run):
    (folder / "other.csv").write_text("text\nA bank.\nA tree.\n")
    run("docs", "other.csv", "-o", "i.db")
    with Index.open("i.db", mode="write") as index:
        index.add(["Added in Python."], ids=["docs/own.txt"])
    (folder / "docs" / "a.md").unlink()
    (folder / "docs" / "deep" / "b.txt").rename(folder / "docs" / "c.txt")
    (folder / "docs" / "rows.jsonl").write_text('{"_id": "r1", "text": "Order 1 was shipped."}\n')
    (folder / "other.csv").write_text("text\nA bank.\n")
    status, notes = run("./docs/", "-o", "i.db", "--prune")
    assert status == 0
    assert "1 new, 0 replaced, 1 unchanged, 5 deleted; 5 documents" in notes
    assert "note:" not in notes
    left = {"r1", docs_file("c.txt"), "docs/own.txt"}
    assert ids() == left | {"other.csv:2", "other.csv:3"}
    run("docs", "other.csv", "-o", "i.db", "--prune")
    assert ids() == left | {"other.csv:2"}
    with Index.open("i.db") as index:
        assert dict(index.sources()) == {
            "r1": docs_file("rows.jsonl"),
            docs_file("c.txt"): docs_file("c.txt"),
            "other.csv:2": "other.csv",
        }


def test_prune_of_the_working_folder_and_of_standard_input(folder, run, monkeypatch):
    (folder / "here.txt").write_text("A text.")
    run(".", "-o", "i.db")
    assert ids() == EVERY | {"here.txt"}
    (folder / "lines").write_text("one\ntwo\n")
    for lines, expected in (("one\ntwo\n", {"-:1", "-:2"}), ("one\n", {"-:1"})):
        (folder / "lines").write_text(lines)
        with (folder / "lines").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            run("-", "-o", "i.db", "--prune")
        assert ids() == EVERY | {"here.txt"} | expected
    (folder / "here.txt").unlink()
    run(".", "-o", "i.db", "--prune")
    assert ids() == EVERY | {"-:1"}


def test_an_id_that_moves_to_another_file_is_not_gone(folder, run):
    run("docs", "-o", "i.db")
    (folder / "docs" / "rows.jsonl").rename(folder / "docs" / "moved.jsonl")
    status, notes = run("docs", "-o", "i.db", "--prune")
    assert status == 0
    assert "deleted" not in notes
    assert ids() == EVERY
    (folder / "docs" / "moved.jsonl").unlink()
    run("docs", "-o", "i.db", "--prune")
    assert ids() == {name for name in EVERY if not name.startswith("r")}


def test_an_empty_folder_prunes_nothing(folder, run):
    """It is more often a disk that is not mounted."""
    run("docs", "-o", "i.db")
    (folder / "docs").rename(folder / "elsewhere")
    (folder / "docs").mkdir()
    status, notes = run("docs", "-o", "i.db", "--prune")
    assert status == 2
    assert "docs: expected files of text, found none" in notes
    assert ids() == EVERY


def test_documents_of_a_file_that_cannot_be_read_are_not_gone(folder, run):
    run("docs", "-o", "i.db")
    (folder / "docs" / "a.md").write_bytes(b"caf\xe9")
    lines = (folder / "docs" / "rows.jsonl").read_text().splitlines()
    (folder / "docs" / "rows.jsonl").write_text("\n".join([lines[0], "no json", lines[3]]))
    status, notes = run("docs", "-o", "i.db", "--prune")
    assert status == 1
    assert "1 file or folder was left out" in notes
    assert "of 1 file, 1 document was indexed" in notes
    assert ids() == EVERY


@given(
    st.dictionaries(
        st.integers(0, 30).map(str), st.sampled_from(["a/x", "a/d/y", "ab", "b/z", "c", "-"])
    ),
    st.sets(st.integers(0, 30).map(str)),
    st.sets(st.sampled_from(["a", "a/x", "a/d", "b", "c", ".", "-"]), min_size=1),
    st.sets(st.sampled_from(["a/x", "b"])),
)
def test_gone_is_what_was_not_seen_in_the_given_places(stored, read, given_paths, skipped):
    seen = SeenDocuments()
    for key in read:
        seen.add(key)

    def inside(file, paths):
        folders = () if file == "-" else paths
        return file in paths or any(p == "." or file.startswith(f"{p}/") for p in folders)

    local = {key: file.replace("/", os.sep) for key, file in stored.items()}
    gone = seen.gone(list(local.items()), given_paths, skipped)
    assert sorted(gone) == sorted(
        key
        for key, file in stored.items()
        if key not in read and inside(file, given_paths) and not inside(file, skipped)
    )


@pytest.mark.serial
def test_finding_what_is_gone_takes_linear_time():
    def search(names):
        assert SeenDocuments().gone([("1", f"old {name}") for name in names], names, []) == []

    check_growth(search, lambda n: [f"{k}.md" for k in range(n)], ())


# --- files that cannot be read ---------------------------------------------------------------


def test_a_file_that_cannot_be_read_does_not_stop_the_run(folder, run):
    docs = folder / "docs"
    (docs / "0.txt").write_bytes(b"caf\xe9")
    (docs / "1.txt").write_bytes("UTF-16".encode("utf-16"))
    (docs / "2.txt").write_bytes("UTF-16".encode("utf-16-le"))
    (docs / "3.md").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100))
    (docs / "4.jsonl").write_text("no json\n")
    (docs / "5.csv").write_text("price,color\n1,red\n")
    (docs / "6.csv.gz").write_bytes(b"no gzip")
    (docs / "zz.txt").write_text("The last one.")
    status, notes = run("docs", "-o", "i.db")
    assert status == 1
    errors_ = [line for line in notes.splitlines() if line.startswith("staticemb: error: ")]
    assert len(errors_) == 7
    for line, name in zip(errors_, ["0.txt", "1.txt", "2.txt", "3.md", "4", "5", "6"], strict=True):
        assert docs_file(name) in line
    assert "found byte 0xe9 at position 3" in errors_[0]
    assert "zero byte at position 1, as in UTF-16" in errors_[2]
    assert "7 new, 0 replaced, 0 unchanged" in notes
    assert notes.splitlines()[-1] == "staticemb: 7 files or folders were left out, see above"
    assert ids() == EVERY | {docs_file("zz.txt")}
    status, notes = run("docs", "-o", "i.db", "--quiet")
    assert (status, len(notes.splitlines())) == (1, 8)


ROWS = {
    "rows.jsonl": '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n{"id": "c", "te\n',
    "rows.csv": 'id,text\na,one\nb,two\nc,"three\n',
    "text.csv": "id,text\na,one\nb,two\n,three\nd,four\n",
    "lines.txt": b"one\ntwo\ncaf\xe9\nfour\n",
    "note.jsonl": '{"id": "a", "text": "one"}\n{"id": "b", "text": "two", "n": 1e999}\n'
    '{"id": "c", "text": "three", "note": "half an emoji \\ud83d"}\n',
}


@pytest.mark.parametrize("name", ROWS)
def test_documents_before_a_faulty_row_are_counted(folder, run, name):
    content = ROWS[name]
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    status, notes = run(name, "-o", "i.db", "--lines")
    stored = len(ids())
    assert stored == 2
    assert f"of 1 file, {stored} documents were indexed, and the rest was left out" in notes
    assert "file or folder" not in notes
    assert status == 1  # 2: nothing could be read


def test_metadata_that_json_cannot_hold(folder, run):
    """NaN, which writers other than pandas leave in Parquet, is null; bytes are an error."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"id": ["a", "b"], "text": ["one", "two"], "n": pyarrow.array([1.5, float("nan")])}
    parquet.write_table(pyarrow.table(columns), "numbers.parquet")
    columns = {"text": ["three"], "image": [b"\xff\xd8"]}
    parquet.write_table(pyarrow.table(columns), "images.parquet")
    status, notes = run("numbers.parquet", "images.parquet", "docs", "-o", "i.db")
    assert status == 1
    assert "images.parquet, row 1: expected a value that JSON can hold in 'image'" in notes
    assert ids() == EVERY | {"a", "b"}
    with Index.open("i.db") as index:
        assert [index.get(name).metadata for name in "ab"] == [{"n": 1.5}, {"n": None}]


def test_a_run_without_any_file_that_can_be_read_fails(folder, run):
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    status, notes = run("latin.txt", "-o", "i.db")
    assert status == 2
    assert "latin.txt: expected UTF-8" in notes
    status, _ = run("latin.txt", "docs", "-o", "i.db")
    assert status == 1


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_a_file_name_of_another_encoding_is_left_out(folder, run):
    try:
        (folder / "docs" / os.fsdecode(b"caf\xe9.txt")).write_text("Coffee.")
    except OSError:
        pytest.skip("the file system takes UTF-8 alone")
    status, notes = run("docs", "-o", "i.db")
    assert status == 1
    assert "expected a file name in valid Unicode" in notes
    assert ids() == EVERY


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_folder_without_access_is_left_out(folder, run, monkeypatch):
    run("docs", "-o", "i.db")
    walk = os.walk

    def deny(top, onerror=None):  # root may read everything
        for place, folders, names in walk(top):
            if "deep" in folders:
                folders.remove("deep")
                onerror(PermissionError(13, "Permission denied", f"{place}{os.sep}deep"))
            yield place, folders, names

    monkeypatch.setattr(documents.os, "walk", deny)
    status, notes = run("docs", "-o", "i.db", "--prune")
    assert status == 1
    assert docs_file("deep") + ": cannot be read: Permission denied" in notes
    assert ids() == EVERY
    with pytest.raises(errors.InputError, match="Permission denied"):
        documents.source_files(["docs"])


def test_a_folder_that_may_be_listed_but_not_entered(folder, run, monkeypatch):
    run("docs", "-o", "i.db")
    status_of = documents.Path.stat

    def deny(path, **options):  # root may read everything
        if path.parent.name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return status_of(path, **options)

    monkeypatch.setattr(documents.Path, "stat", deny)
    status, notes = run("docs", "-o", "i.db", "--prune")
    assert status == 1
    assert docs_file(f"deep{os.sep}b.txt") + ": cannot be read: Permission denied" in notes
    assert ids() == EVERY


def test_a_text_that_is_too_long_is_left_out(folder, run, monkeypatch):
    monkeypatch.setattr(documents, "LONGEST_TEXT", 100)
    (folder / "docs" / "fits.txt").write_text("x" * 100)
    (folder / "docs" / "long.txt").write_text("x" * 101)
    status, notes = run("docs", "-o", "i.db")
    assert status == 1
    assert "long.txt: expected a text of at most 100 bytes" in notes
    assert docs_file("fits.txt") in ids()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs links and pipes")
def test_links_that_form_a_loop_and_pipes(folder, run):
    docs = folder / "docs"
    (docs / "loop").symlink_to(docs)
    (docs / "deep" / "up").symlink_to(folder)
    (docs / "self.txt").symlink_to(docs / "self.txt")
    (docs / "broken.txt").symlink_to(folder / "nowhere.txt")
    (docs / "linked.txt").symlink_to(docs / "a.md")
    os.mkfifo(docs / "pipe.txt")
    status, _ = run("docs", "-o", "i.db")
    assert status == 0
    assert ids() == EVERY | {"docs/linked.txt"}


def test_deep_folders(folder, run):
    deep = folder / "docs"
    for _ in range(400):  # more than twice the names that a path may have in some loops
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "end.txt").write_text("The end.")
    status, notes = run("docs", "-o", "i.db")
    assert status == 0
    assert "7 new" in notes


def test_an_unknown_suffix_stops_before_the_first_file(folder, run):
    (folder / "a.xyz").write_text("text")
    status, notes = run("docs", "a.xyz", "-o", "i.db")
    assert status == 2
    assert "a.xyz: expected no suffix or one of" in notes
    assert not (folder / "i.db").exists()


# --- a killed run ----------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_run_goes_on(tmp_path, run):
    count = 40_000
    for part in range(4):
        with (tmp_path / f"{part}.csv").open("w") as file:
            file.write("id,text\n")
            numbers = range(part, count, 4)
            file.writelines(f"{n},order {n} was shipped on day {n % 7}\n" for n in numbers)
    sources = [tmp_path / f"{part}.csv" for part in range(4)]
    path = tmp_path / "rows.db"
    command = [sys.executable, "-m", "staticemb_runtime", "index", *map(str, sources)]
    process = subprocess.Popen([*command, "-o", str(path)], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and stored(path) == 0:
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=120)
    done = stored(path)
    status, notes = run(*sources, "-o", path, "--prune")
    assert status == 0
    assert f"{count - done:,} new, 0 replaced, {done:,} unchanged; {count:,} documents" in notes
    assert len(ids(path)) == count


def stored(path):
    try:
        with Index.open(path) as index:
            return len(index)
    except errors.StaticEmbError:  # the file does not exist yet, or is being made
        return 0
