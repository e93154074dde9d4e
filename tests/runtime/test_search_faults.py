"""An index whose disk is full, whose pages are foreign, whose reindexing is killed."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staticemb_runtime import StaticModel, errors
from staticemb_runtime.cli.main import main
from staticemb_runtime.search import Index

COUNT = 3000
TEXTS = [f"Document {n} is about {['apples', 'seas', 'ships'][n % 3]}." for n in range(COUNT)]
PAGE = 4096


@pytest.fixture(scope="module")
def model():
    return StaticModel()


@pytest.fixture(scope="module")
def made(tmp_path_factory, model):
    """The file of an index in words, and of one in trigrams."""
    folder = tmp_path_factory.mktemp("made")
    paths = {}
    for words in ("words", "trigrams"):
        paths[words] = folder / f"{words}.db"
        with Index.create(paths[words], model, words=words, store_model=True) as index:
            index.add(TEXTS, ids=map(str, range(COUNT)), metadata=[{"n": n} for n in range(COUNT)])
            index.optimize()
    return paths


def use(path):
    """Use all that an index can do for readers."""
    with Index.open(path) as index:
        index.search(["apples in ships", "東京 a"], k=200)
        index.search("seas", filter={"n": 7}, method="lexical")
        list(index.documents())
        index.get("5")
        index.check()


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("words", ["words", "trigrams"])
@pytest.mark.parametrize("kind", ["cut", "zeros", "noise", "moved", "foreign"])
def test_overwritten_pages_give_our_errors_or_answers(made, tmp_path, words, kind):
    """No error but ours, no crash, no endless loop; a writer reports the damage as well."""
    data = made[words].read_bytes()
    pages = len(data) // PAGE
    chance = random.Random(kind)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE documents (number INTEGER PRIMARY KEY, text)")
    rows = [(n, "x" * 500) for n in range(200)]
    connection.executemany("INSERT INTO documents VALUES (?, ?)", rows)
    connection.commit()
    connection.close()
    foreign = other.read_bytes()
    path = tmp_path / "damaged.db"
    refusals = []
    for _ in range(12):
        damaged = bytearray(data)
        if kind == "cut":
            del damaged[chance.randrange(len(data)) :]
        for page in chance.sample(range(pages), chance.choice([1, 3, 20])):
            place = slice(page * PAGE, (page + 1) * PAGE)
            if kind == "zeros":
                damaged[place] = bytes(PAGE)
            elif kind == "noise":
                damaged[place] = chance.randbytes(PAGE)
            elif kind == "moved":
                first = chance.randrange(pages) * PAGE
                damaged[place] = data[first : first + PAGE]
            elif kind == "foreign":
                first = chance.randrange(len(foreign) // PAGE) * PAGE
                damaged[place] = foreign[first : first + PAGE]
        path.write_bytes(damaged)
        try:
            use(path)
        except errors.StaticEmbError as error:
            refusals.append(str(error))
        try:
            with Index.open(path, mode="write") as index:
                index.add(["replaced"] * 3, ids=["1", "1000", "new"])
                index.delete(["2", "2000"])
                index.optimize()
        except errors.StaticEmbError:
            pass
    assert len(refusals) > 5
    assert not any("\n" in message for message in refusals)


# --- a full disk -----------------------------------------------------------------------------

LIMITED = """
import resource, sys
from staticemb_runtime.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.file_size_limit
@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_what_was_added_before_the_disk_was_full_stays(tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text("".join(f"order {n} was shipped on day {n % 7}\n" for n in range(30_000)))
    path = tmp_path / "i.db"
    command = ["index", str(rows), "--lines", "-o", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "7000000", *command],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "i.db: " in done.stderr
    assert "damaged" not in done.stderr
    with Index.open(path) as index:
        index.check()
        stored = len(index)
        assert stored > 0
        assert stored % 8192 == 0
    again = subprocess.run(
        [sys.executable, "-m", "staticemb_runtime", *command],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert again.returncode == 0
    assert f"{30_000 - stored:,} new, 0 replaced, {stored:,} unchanged" in again.stderr


# --- reindexing ------------------------------------------------------------------------------

REINDEXER = """
import sys
from staticemb_runtime.search import Index
with Index.open(sys.argv[1], mode="write") as index:
    index.reindex(None, truncate_dim=64, progress=lambda done: print(done, flush=True))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_reindexing_changes_nothing(made, tmp_path):
    path = tmp_path / "i.db"
    shutil.copy(made["words"], path)
    with Index.open(path) as index:
        before = [passage.vector for passage in index.passages()]
        dimension = index.info().dimension
    for lines in (1, 2, 3):
        process = subprocess.Popen(
            [sys.executable, "-c", REINDEXER, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(lines):
            assert process.stdout.readline()
        if lines < 3:  # the last batch is followed by the commit
            process.kill()
        process.communicate(timeout=60)
        with Index.open(path) as index:
            index.check()
            assert index.info().dimension == (dimension if lines < 3 else 64)
            found = [passage.vector for passage in index.passages()]
        if lines < 3:
            np.testing.assert_array_equal(found, before)
    assert [file.name for file in tmp_path.iterdir()] == ["i.db"]


def test_a_reindexing_that_cannot_be_committed_changes_nothing(tmp_path, model):
    class FullDisk:
        def __init__(self, connection):
            self.connection = connection

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, sql, *parameters):
            if sql == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return self.connection.execute(sql, *parameters)

    with Index.create(tmp_path / "i.db", model) as index:
        index.add(TEXTS[:9], ids=map(str, range(9)))
        expected = index.search("seas")
        index._store.connection = FullDisk(index._store.connection)
        with pytest.raises(errors.SearchIndexError, match="disk is full"):
            index.reindex(model, truncate_dim=64)
        index._store.connection = index._store.connection.connection
        assert index.search("seas") == expected
        assert index.add(["A new one."]) == (1, 0, 0)
        index.check()


def test_reindexing_keeps_free_places_and_passages(tmp_path, model):
    with Index.create(tmp_path / "i.db", model, passage_characters=20) as index:
        index.add(TEXTS[:600], ids=map(str, range(600)))
        index.delete(map(str, range(100, 400)))
        before = [(passage.id, passage.text) for passage in index.passages()]
        index.reindex(model, precision="float16")
        index.check()
        assert [(passage.id, passage.text) for passage in index.passages()] == before
        texts = [passage.text for passage in index.passages()]
        vectors = np.stack([passage.vector for passage in index.passages()])
        wanted = model.encode_document(texts, on_empty="zero")
        assert (np.einsum("nd,nd->n", vectors, wanted) > 0.999).all()
        index.add(TEXTS[100:400], ids=map(str, range(100, 400)))
        index.check()


# --- a folder that cannot be written ---------------------------------------------------------


def as_nobody(arguments, output):
    """Run `staticemb` in a fork without root's rights; return its status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 70
    try:
        with output.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        if os.geteuid() == 0:
            os.setuid(65534)
        status = main([str(argument) for argument in arguments])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["i.db", "link.db"])
@pytest.mark.parametrize("is_changing", [False, True])
def test_the_commands_in_a_folder_that_cannot_be_written(made, tmp_path, is_changing, name):
    """One searches, also where another user's log lies beside the file; one cannot write."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place).resolve()
        path, rows = folder / name, folder / "rows.txt"
        shutil.copy(made["words"], folder / "i.db")
        (folder / "link.db").symlink_to(folder / "i.db")
        rows.write_text("one row\n")
        if is_changing:
            writer = stack.enter_context(Index.open(path, mode="write"))
            writer.add(["A zebra."], ids=["zebra"])
            assert (folder / "i.db-wal").stat().st_size > 0
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        stack.callback(folder.chmod, 0o755)
        out = tmp_path / "out"
        query = "zebra" if is_changing else TEXTS[4]
        search = ["search", path, query, "-k", 1, "--json", "--method", "lexical"]
        assert as_nobody(search, out) == 0, out.read_text()
        assert json.loads(out.read_text())["id"] == ("zebra" if is_changing else "4")
        assert as_nobody(["index", rows, "-o", path], out) == 2
        assert out.read_text() == f"staticemb: error: {path}: the file cannot be written\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_reader_who_cannot_write_leaves_nothing_that_stops_the_owner(made, tmp_path):
    """Where all may make files, as in a folder of a group, but the index is its owner's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        path = folder / "i.db"
        shutil.copy(made["words"], path)
        folder.chmod(0o777)
        path.chmod(0o444)
        out = tmp_path / "out"
        assert as_nobody(["search", path, "seas", "--method", "lexical"], out) == 0, out.read_text()
        assert [file.name for file in folder.iterdir()] == ["i.db"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("mode", [0o555, 0o777])
def test_a_reader_who_cannot_write_sees_what_the_owner_adds(made, tmp_path, mode):
    """The reader stays open; each change lies in the main file once the owner has closed it."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name).resolve()
        path = folder / "i.db"
        shutil.copy(made["words"], path)
        path.chmod(0o444)
        folder.chmod(mode)
        stack.callback(folder.chmod, 0o755)
        (ready, is_ready), (go, may_go) = os.pipe(), os.pipe()
        child = os.fork()
        if not child:
            status = 70
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                with Index.open(path) as index:
                    status = 0
                    for word in ("zebra", "yak"):
                        status += bool(index.search(word, method="lexical"))
                        os.write(is_ready, b".")
                        os.read(go, 1)
                        found = [hit.id for hit in index.search(word, method="lexical")]
                        status += 10 * (found != [word])
            finally:
                os._exit(status)
        for word in ("zebra", "yak"):
            assert os.read(ready, 1) == b"."
            folder.chmod(0o755)
            path.chmod(0o644)
            with Index.open(path, mode="write") as writer:
                writer.add([f"A {word}."], ids=[word])
            path.chmod(0o444)
            folder.chmod(mode)
            os.write(may_go, b".")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- one batch is written while the next one is made -----------------------------------------


def test_the_next_batch_is_made_while_another_process_holds_up_the_write(tmp_path, model):
    path = tmp_path / "i.db"
    Index.create(path, model).close()
    other = sqlite3.connect(path, isolation_level=None)
    done = []

    def vectors(texts):
        if texts == ["one"]:
            other.execute("BEGIN IMMEDIATE")  # this batch cannot be written
        if texts == ["two"]:
            assert done == []
            other.execute("ROLLBACK")
        return model.encode(texts)

    with Index.open(path, mode="write", timeout=5) as index:
        added = index.add(
            ["one", "two", "three"], vectors=vectors, batch_size=1, progress=done.append
        )
        assert added == (3, 0, 0)
        assert done == [1, 2, 3]
        index.check()
    other.close()


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["red", "blue"]), st.integers(0, 1)),
        max_size=14,
    ),
    st.integers(1, 4),
)
def test_batches_give_what_a_call_for_each_gives(tmp_path_factory, model, rows, size):
    """Also where an id comes again in the next batch, or with the same text."""
    folder = tmp_path_factory.mktemp("i")
    with Index.create(folder / "a.db", model) as one, Index.create(folder / "b.db", model) as many:
        for index in (one, many):
            index.add(["red", "red"], ids=["a", "b"])

        def columns(part):
            return {
                "texts": [text for _, text, _ in part],
                "ids": [name for name, _, _ in part],
                "metadata": [{"n": n} for _, _, n in part],
            }

        calls = [
            many.add(**columns(rows[first : first + size])) for first in range(0, len(rows), size)
        ]
        added = one.add(**columns(rows), batch_size=size)
        assert added == tuple(map(sum, zip(*calls, strict=True))) if calls else (0, 0, 0)
        found = [
            {document.id: (document.text, document.metadata) for document in index.documents()}
            for index in (one, many)
        ]
        assert found[0] == found[1]
        one.check()


def test_a_fault_in_the_next_batch_leaves_the_one_that_is_being_written(tmp_path, model):
    def texts():
        yield from ["one", "two"]
        raise ValueError("no more")

    with Index.create(tmp_path / "i.db", model) as index:
        with pytest.raises(ValueError, match="no more"):
            index.add(texts(), batch_size=2)
        assert len(index) == 2
        with pytest.raises(errors.SearchIndexError, match="cannot change the index"):
            index.search("one", rerank=lambda query, found: index.add(["x"] * 9, batch_size=3))
        index.close()
        with pytest.raises(errors.SearchIndexError, match="closed"):
            index.add(["x", "y", "z"], batch_size=1)
