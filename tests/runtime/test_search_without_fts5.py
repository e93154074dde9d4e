"""A Python whose SQLite lacks FTS5: its modules are dropped from every connection."""

import json
import subprocess
import sys

import pytest

from staticemb_runtime.cli.main import main
from staticemb_runtime.search import Index

SKIPPED = 77

# A connection's first member, after Python's own, is SQLite's.
PROGRAM = f"""
import ctypes, ctypes.util, sqlite3, sys
try:
    library = ctypes.CDLL(ctypes.util.find_library("sqlite3") or "libsqlite3.so.0")
    drop = library.sqlite3_drop_modules
except (OSError, AttributeError):
    sys.exit({SKIPPED})
library.sqlite3_libversion.restype = ctypes.c_char_p
if library.sqlite3_libversion().decode() != sqlite3.sqlite_version:
    sys.exit({SKIPPED})
connect = sqlite3.connect

def without_modules(*given, **named):
    connection = connect(*given, **named)
    inside = ctypes.c_void_p.from_address(id(connection) + object.__basicsize__)
    assert drop(inside, None) == 0
    return connection

sqlite3.connect = without_modules
from staticemb_runtime.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "rows.csv").write_text("text\nApples are red fruit.\nThe sea is deep.\n")

    def call(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode == SKIPPED:
            pytest.skip("SQLite's own library cannot be loaded")
        return done.returncode, done.stdout, done.stderr

    return call


def test_an_index_is_made_and_searched_by_vectors_and_says_so(run, tmp_path):
    status, _, notes = run("index", "rows.csv", "-o", "i.db")
    assert status == 0
    assert "2 new" in notes
    assert "no full-text search (FTS5)" in notes
    status, output, notes = run("search", "i.db", "fruit", "--json", "-k", "1")
    assert status == 0
    assert json.loads(output)["text"] == "Apples are red fruit."
    assert len(notes.splitlines()) == 1
    assert "no full-text search (FTS5)" in notes
    assert run("search", "i.db", "fruit", "--method", "vector")[2] == ""
    for options in (["--method", "lexical"], ["--method=lexical", "--json"]):
        status, output, notes = run("search", "i.db", "fruit", *options)
        assert (status, output) == (2, "")
        assert len(notes.splitlines()) == 1
        assert "FTS5" in notes
    status, _, notes = run("index", "rows.csv", "-o", "t.db", "--trigrams")
    assert status == 2
    assert "no FTS5" in notes
    assert not (tmp_path / "t.db").exists()


def test_an_index_with_full_text_is_searched_by_vectors_and_not_changed(run, tmp_path):
    assert main(["index", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "i.db")]) == 0
    status, output, notes = run("search", "i.db", "fruit", "--json", "-k", "1")
    assert status == 0
    assert json.loads(output)["text"] == "Apples are red fruit."
    assert "no full-text search (FTS5)" in notes
    (tmp_path / "rows.csv").write_text("text\nApples are green.\nThe sea is deep.\nMore.\n")
    status, _, notes = run("index", "rows.csv", "-o", "i.db")
    assert status == 2
    assert len(notes.splitlines()) == 1
    assert "no FTS5" in notes
    with Index.open(tmp_path / "i.db") as index:
        index.check()
        assert len(index) == 2
