"""The file of an index: killed writers, several processes, damage, foreign files, read-only."""

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from staticemb_runtime import StaticModel, errors
from staticemb_runtime.search import Index
from staticemb_runtime.search.connection import file_state, has_log, is_read_alone

TEXTS = [
    f"Document {n} is about {word}." for n, word in enumerate(["apples", "seas", "ships"] * 40)
]

# Adds document after document, and prints a number once its document is committed.
WRITER = """
import sys
from staticemb_runtime.search import Index
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Index.open(path, mode="write") as index:
    for n in range(count):
        index.add([f"text {n} of {name}", f"another {n}"], ids=[f"{name}-{n}", f"{name}-{n}-b"])
        if n % 5 == 4:
            index.delete([f"{name}-{n - 1}-b"])
        print(n, flush=True)
"""
# Searches until it is told to stop; both documents of a batch must be there, or none.
READER = """
import sys
from staticemb_runtime.search import Index
with Index.open(sys.argv[1]) as index:
    print("ready", flush=True)
    seen = steps = 0
    while not steps or sys.stdin.readline() != "stop\\n":
        count = len(index)
        assert count >= seen - 20, (count, seen)
        seen = max(seen, count)
        hits = index.search("another text", k=1000)
        assert len({hit.id for hit in hits}) == len(hits)
        assert len(hits) >= min(count, 1000) - 20, (len(hits), count)
        steps += 1
        print(steps, flush=True)
"""


@pytest.fixture(scope="module")
def model():
    return StaticModel()


@pytest.fixture
def path(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as made:
        made.add(TEXTS, ids=map(str, range(len(TEXTS))))
    return tmp_path / "i.db"


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def start(program, *arguments, **options):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_writer_loses_nothing_that_was_committed(path):
    chance = random.Random(5)
    for round_ in range(4):
        writer = start(WRITER, path, f"r{round_}", 100_000)
        lines = [writer.stdout.readline() for _ in range(3)]
        time.sleep(chance.random() / 2)
        writer.kill()
        lines += writer.stdout.readlines()
        writer.wait()
        done = [int(line) for line in lines if line.endswith("\n")]
        with Index.open(path, mode="write") as index:
            index.check()
            for n in done:
                assert index.get(f"r{round_}-{n}").text == f"text {n} of r{round_}"
            found = {document.id for document in index.documents()}
            # a batch is there as a whole or not at all
            for n in range(done[-1], done[-1] + 3):
                deleted = n % 5 == 3 and f"r{round_}-{n + 1}" in found
                assert (f"r{round_}-{n}" in found) == (f"r{round_}-{n}-b" in found) or deleted
            index.add(["after the end"], ids=["after"])


@pytest.mark.slow
def test_two_processes_write_and_four_read(path):
    count = 40
    readers = [start(READER, path) for _ in range(4)]
    assert [reader.stdout.readline() for reader in readers] == 4 * ["ready\n"]
    writers = [start(WRITER, path, name, count) for name in "AB"]
    while any(writer.poll() is None for writer in writers):
        for reader in readers:
            reader.stdout.readline()
            reader.stdin.write("go\n")
            reader.stdin.flush()
    for reader in readers:
        reader.communicate("stop\n", timeout=120)
        assert reader.returncode == 0
    for writer in writers:
        assert writer.communicate()[0].split() == [str(n) for n in range(count)]
        assert writer.returncode == 0
    with Index.open(path) as index:
        index.check()
        expected = 2 * count - count // 5
        assert len(index) == len(TEXTS) + 2 * expected
    assert names(path.parent) == ["i.db"]  # the last one to close leaves one file


def test_a_reader_sees_what_another_connection_commits(path):
    with Index.open(path) as reader, Index.open(path, mode="write") as writer:
        assert reader.search("zebra", method="lexical") == []
        writer.add(["A zebra."], ids=["z"])
        assert reader.search("zebra", k=1)[0].id == "z"
        writer.delete(["z"])
        assert "z" not in [hit.id for hit in reader.search("zebra", k=500)]


def test_a_writer_waits_and_then_gives_up(path):
    with Index.open(path, mode="write", timeout=0.2) as first:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.IndexBusyError):
            first.add(["waits"])
        assert first.search("apples")  # a reader does not wait
        other.close()
        first.add(["goes on"])


def test_reading_alone(path):
    with Index.open(path) as index:
        for change in (
            lambda: index.add(["x"]),
            lambda: index.delete(["1"]),
            lambda: index.reindex(None),
            index.optimize,
        ):
            with pytest.raises(errors.IndexReadOnlyError, match="write"):
                change()


def test_a_closed_index_says_so(path):
    index = Index.open(path)
    index.close()
    index.close()
    with pytest.raises(errors.SearchIndexError, match="closed"):
        index.search("x")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_must_open_it_again(path):
    with Index.open(path) as index:
        child = os.fork()
        if not child:
            try:
                len(index)
            except errors.SearchIndexError as error:
                os._exit(0 if "fork" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- models ----------------------------------------------------------------------------------


def test_a_model_of_other_vectors_is_refused(path, model, tmp_path):
    class Other(StaticModel):
        pass

    other = Other()
    other.metadata = other.metadata._replace(vectors_digest="sha256:" + "0" * 64)
    with pytest.raises(errors.IndexModelError, match="reindex"):
        Index.open(path, other)
    same = Other()  # a head, or another digest of the whole, is no other model
    same.metadata = same.metadata._replace(digest="sha256:" + "1" * 64)
    with Index.open(path, same) as index:
        assert index.search("apples")


def test_reindex_keeps_texts_and_takes_the_new_vectors(path, model):
    with Index.open(path) as reader, Index.open(path, mode="write") as index:
        before = index.search("apples", method="lexical")
        reader.search("apples")
        index.reindex(model, truncate_dim=64, precision="float16")
        assert (index.info().dimension, index.info().precision) == (64, "float16")
        after = index.search("apples", method="lexical")
        assert [(hit.id, hit.score) for hit in after] == [(hit.id, hit.score) for hit in before]
        index.add(["A new one."], ids=["new"])
        index.check()
        with pytest.raises(errors.IndexModelError, match="open it again"):
            reader.search("apples")
    with Index.open(path) as index:
        hit = index.search(TEXTS[3], k=1, method="vector")[0]
        assert hit.vector_score > 0.99


def test_a_stored_model_is_the_whole_search(tmp_path, model):
    file = tmp_path / "own.staticemb"
    shutil.copy(model._encoder.place, file)
    with Index.create(tmp_path / "i.db", file, store_model=True) as index:
        index.add(TEXTS)
        expected = index.search("ships")
    with Index.create(tmp_path / "j.db", file) as index:
        index.add(TEXTS)
    file.unlink()
    with Index.open(tmp_path / "i.db") as index:
        with pytest.raises(errors.OutputError, match="another file"):
            index.export_model(tmp_path / "i.db")
        assert index.info().model_stored
        assert index.search("ships") == expected
    with Index.open(tmp_path / "j.db") as index:
        with pytest.raises(errors.IndexModelError, match=r"own\.staticemb"):
            index.search("ships")
        assert index.search("ships", method="lexical")  # words need no model


def test_a_python_without_fts5_searches_by_vectors(path, model, tmp_path, monkeypatch):
    with Index.open(path) as index:
        expected = [hit.id for hit in index.search("apples", method="vector")]
    monkeypatch.setattr("staticemb_runtime.search.store.has_full_text", lambda: False)
    with pytest.raises(errors.FullTextMissingError, match="FTS5"):
        Index.create(tmp_path / "w.db", model, words="words")
    with Index.create(tmp_path / "n.db", model) as index:
        index.add(TEXTS, ids=map(str, range(len(TEXTS))))
        assert index.info().words is None
        assert [hit.id for hit in index.search("apples")] == expected
        with pytest.raises(errors.FullTextMissingError):
            index.search("apples", method="lexical")
        index.check()


# --- other places ----------------------------------------------------------------------------


@pytest.fixture
def folder():
    """A folder that other users can reach, if this one's can be: root may write anywhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_published_copy_opens_in_a_read_only_folder(path, folder):
    with Index.open(path) as index:
        index.publish(folder / "i.db")
        index.publish(folder / "i.db")  # replaces the first
        with pytest.raises(errors.OutputError, match="another file"):
            index.publish(path)
        expected = index.search("ships")
    assert names(folder) == ["i.db"]
    (folder / "i.db").chmod(0o444)
    folder.chmod(0o555)
    model = StaticModel(mmap=False)
    child = os.fork()
    if not child:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            with Index.open(folder / "i.db", model) as index:
                index.check()
                status = 0 if index.search("ships") == expected else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert names(folder) == ["i.db"]


def test_an_index_that_is_open_is_not_replaced_by_a_copy(path, tmp_path, model):
    """SQLite would take its log for the copy's own."""
    live = tmp_path / "live.db"
    with Index.create(live, model) as writer, Index.open(path) as index:
        writer.add(["A zebra."], ids=["z"])
        with pytest.raises(errors.OutputError, match=r"live\.db-wal"):
            index.publish(live)
        writer.check()
    assert names(tmp_path) == ["i.db", "live.db"]
    with Index.open(path) as index:
        index.publish(live)
    with Index.open(live) as copy:
        copy.check()
        assert len(copy) == len(TEXTS)


def test_readers_of_a_published_copy_go_on_while_it_is_written(path, tmp_path):
    with Index.open(path) as index:
        index.publish(tmp_path / "copy.db")
    with (
        Index.open(tmp_path / "copy.db") as reader,
        Index.open(tmp_path / "copy.db", mode="write", timeout=0.2) as writer,
    ):
        assert reader.search("zebra", method="lexical") == []
        with reader._store.reading() as connection:
            connection.execute("SELECT count(*) FROM documents").fetchone()
            writer.add(["A zebra."], ids=["z"])
        assert reader.search("zebra", k=1)[0].id == "z"
    assert names(tmp_path) == ["copy.db", "i.db"]


@pytest.mark.skipif(os.name == "nt", reason="modes and links of POSIX")
def test_a_copy_is_written_as_every_output_is(path, tmp_path):
    """Links are followed, a mode stays, a device or FIFO is never replaced, nothing is left."""
    real = tmp_path / "real"
    real.mkdir()
    (real / "copy.db").write_bytes(b"old")
    (real / "copy.db").chmod(0o640)
    (tmp_path / "link.db").symlink_to(real / "copy.db")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with Index.open(path) as index:
        index.publish(tmp_path / "link.db")
        for target in (fifo, tmp_path):
            with pytest.raises(errors.OutputError, match=r"expected .* file"):
                index.publish(target)
        with pytest.raises(errors.OutputError, match="absent"):
            index.publish(tmp_path / "absent" / "copy.db")
    assert (tmp_path / "link.db").is_symlink()
    assert stat.S_IMODE((real / "copy.db").stat().st_mode) == 0o640
    assert fifo.is_fifo()
    assert names(real) == ["copy.db"]
    with Index.open(real / "copy.db") as copy:
        copy.check()
        assert len(copy) == len(TEXTS)


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_a_link_leads_to_the_log_of_its_index(path, tmp_path):
    """Whoever may not write reads the log as well."""
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "i.db"
    link.symlink_to(path)
    with Index.open(link, mode="write") as writer:
        writer.add(["A zebra."], ids=["z"])
        assert names(tmp_path) == ["i.db", "i.db-shm", "i.db-wal", "links"]
        assert has_log(str(link))
        assert file_state(str(link)) == file_state(str(path))
        assert not is_read_alone(str(link))


def test_a_file_that_another_index_was_copied_into_is_read_anew(tmp_path, model, monkeypatch):
    """As with `cp`, where a reader who may not write has it open."""
    texts = ["Apples are red.", "The sea is deep.", "Ships cross the ocean."]
    for name, order in (("a.db", [0, 1, 2]), ("b.db", [2, 0])):
        with Index.create(tmp_path / name, model) as made:
            made.add([texts[n] for n in order], ids=[str(n) for n in order])
    file = tmp_path / "c.db"
    shutil.copy(tmp_path / "a.db", file)
    monkeypatch.setattr("staticemb_runtime.search.store.is_read_alone", lambda path: True)
    with Index.open(file) as reader:
        assert [hit.id for hit in reader.search(texts[0], k=1)] == ["0"]
        file.write_bytes((tmp_path / "b.db").read_bytes())
        os.utime(file, ns=(0, 0))
        for method in ("hybrid", "lexical", "vector"):
            hits = reader.search(texts[0], method=method)
            assert hits[0].id == "0"
            assert hits[0].vector_score is None or hits[0].vector_score > 0.99
            assert {hit.id for hit in hits} <= {"0", "2"}


def test_names_with_every_character(tmp_path, model):
    folder = tmp_path / "a b%20c?mode=ro#ü"
    folder.mkdir()
    with Index.create(folder / "i?.db", model) as index:
        index.add(["one"])
    assert names(folder) == ["i?.db"]
    with Index.open(folder / "i?.db") as index:
        assert len(index) == 1


def test_paths_without_an_index(tmp_path, model, path):
    with pytest.raises(errors.IndexNotFoundError):
        Index.open(tmp_path / "none.db")
    with pytest.raises(errors.IndexNotFoundError, match="folder"):
        Index.open(tmp_path)
    with pytest.raises(errors.SearchIndexError, match="folder"):
        Index.create(tmp_path / "none" / "i.db", model)
    with pytest.raises(errors.InvalidOptionError, match="open it instead"):
        Index.create(path, model)
    with Index.create(path, model, exist_ok=True) as index:
        assert len(index) == len(TEXTS)


# --- foreign and damaged files ---------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"no database" * 1000, b"SQLite format 3\0" + b"\0" * 5000]
)
def test_other_files(tmp_path, model, content):
    file = tmp_path / "x.db"
    file.write_bytes(content)
    with pytest.raises(errors.NotAnIndexError, match=r"x\.db"):
        Index.open(file)
    if content:
        with pytest.raises(errors.NotAnIndexError, match=r"x\.db"):
            Index.create(file, model, exist_ok=True)
        assert file.read_bytes() == content


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM documents; END",
        "CREATE VIEW v AS SELECT * FROM documents",
        "CREATE TABLE extra (a)",
        "CREATE INDEX e ON documents (abs(number))",
        "DROP TABLE model",
        "ALTER TABLE documents ADD COLUMN more",
        "PRAGMA user_version = 2",
        "PRAGMA application_id = 1",
        "UPDATE settings SET value = 'x' WHERE name = 'dimension'",
        "UPDATE settings SET value = 100000000 WHERE name = 'dimension'",
        "UPDATE settings SET value = 'float64' WHERE name = 'precision'",
        "UPDATE settings SET value = '[1]' WHERE name = 'stop_words'",
        "DELETE FROM settings",
    ],
)
def test_a_changed_schema_is_refused(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(errors.NotAnIndexError, match=r"i\.db"):
        Index.open(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blocks SET vectors = x'00'",
        "UPDATE blocks SET documents = 'text'",
        "UPDATE blocks SET id = -5",
        "UPDATE blocks SET id = 1 << 50",
        "UPDATE passages SET start = 9, stop = 3",
        "UPDATE passages SET stop = 'x'",
        "DELETE FROM passages",
        "DELETE FROM documents",
        "UPDATE documents SET metadata = 'no json'",
        "UPDATE documents SET metadata = x'00ff'",
        "UPDATE documents SET text = x'00ff'",
        "INSERT INTO passages VALUES (100000, 1, 0, 0, 1)",
        "DELETE FROM lexical_data",
    ],
)
def test_changed_rows_give_one_error(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()

    def use():
        with Index.open(path) as index:
            index.check()
            index.search("apples", k=1000)

    with pytest.raises(errors.NotAnIndexError):
        use()


@pytest.mark.slow
def test_damaged_bytes_give_our_errors_or_answers(path, tmp_path):
    """Any bytes may change: no error but ours, no crash, no endless loop."""
    data = path.read_bytes()
    chance = random.Random(7)
    file = tmp_path / "damaged.db"
    refused = 0
    for number in range(120):
        damaged = bytearray(data)
        if number % 4 == 3:
            del damaged[chance.randrange(len(data)) :]
        else:
            for _ in range(chance.choice([1, 20, 2000])):
                damaged[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(damaged)
        try:
            with Index.open(file) as index:
                index.search(["apples in ships", "x"], k=200)
                list(index.documents())
                index.check()
        except errors.StaticEmbError:
            refused += 1
    assert refused > 40
