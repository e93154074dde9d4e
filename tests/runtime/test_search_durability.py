"""Writers, killed writers and readers at once; ten thousand hostile queries against brute force.

STATICEMB_TEST_SECONDS sets how long the processes run: 6 by default, 60 before a release.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from staticemb_runtime import StaticModel
from staticemb_runtime.search import Index
from staticemb_runtime.search.stop_words import ENGLISH

SECONDS = float(os.environ.get("STATICEMB_TEST_SECONDS", "6"))
GROUPS = 8  # of each writer
SIZE = 5  # documents of a group, which change together

# Replaces or deletes a whole group a transaction; prints group and version once it is committed.
WRITER = """
import random, sys
from staticemb_runtime.search import Index
path, name, first, groups, size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
chance = random.Random(first)
with Index.open(path, mode="write") as index:
    version = first
    while True:
        version += 1
        group = f"{name}{chance.randrange(groups)}"
        ids = [f"{group}-{n}" for n in range(size)]
        if chance.random() < 0.2:
            index.delete(ids)
            print(group, version, "deleted", flush=True)
        else:
            meta = [{"group": group, "version": version}] * size
            index.add([f"group{group} version{version} part{n}" for n in range(size)],
                      ids=ids, metadata=meta)
            print(group, version, "stored", flush=True)
"""
# One search sees one state: a group whole and of one version, or not at all; never an older one.
READER = """
import random, sys, time
from staticemb_runtime.search import Index
path, seconds, names = sys.argv[1], float(sys.argv[2]), sys.argv[3]
groups, size = map(int, sys.argv[4:])
chance, seen, searches = random.Random(size), {}, 0
with Index.open(path) as index:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        group = f"{chance.choice(names)}{chance.randrange(groups)}"
        method = chance.choice(["lexical", "vector", "hybrid"])
        hits = index.search(f"group{group}", 100, method=method, filter={"group": group})
        versions = {hit.metadata["version"] for hit in hits}
        assert len(hits) in (0, size), (group, method, [hit.id for hit in hits])
        assert len(versions) <= 1, (group, versions)
        for version in versions:
            assert version >= seen.get(group, 0), (group, version, seen)
            seen[group] = version
            assert all(f"version{version} " in hit.text for hit in hits)
        assert len(index) % size == 0
        searches += 1
print(searches)
"""


@pytest.fixture(scope="module")
def model():
    return StaticModel()


def start(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_writers_that_are_killed_and_readers_lose_nothing(tmp_path, model):
    path = tmp_path / "i.db"
    Index.create(path, model).close()
    chance = random.Random(1)
    writers = {name: start(WRITER, path, name, 0, GROUPS, SIZE) for name in "AB"}
    readers = [start(READER, path, SECONDS, "AB", GROUPS, SIZE) for _ in range(4)]
    done = {name: [] for name in "AB"}  # the lines of each writer, in order
    kills = 0
    while any(reader.poll() is None for reader in readers):
        name = "AB"[kills % 2]
        kills += 1
        done[name].append(writers[name].stdout.readline().split())  # it has begun
        time.sleep(chance.random() / 2)
        done[name] += killed(writers[name])
        first = 1_000_000 * kills  # versions go on, also past one that was not printed
        writers[name] = start(WRITER, path, name, first, GROUPS, SIZE)
    for name, writer in writers.items():
        done[name] += killed(writer)
    for reader in readers:
        output, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        assert int(output) > 0
    assert done["A"]
    with Index.open(path, mode="write") as index:
        index.check()
        versions = {}
        for document in index.documents():
            group = document.metadata["group"]
            versions.setdefault(group, []).append(document.metadata["version"])
        assert all(len(found) == SIZE and len(set(found)) == 1 for found in versions.values())
        last = {}
        for lines in done.values():
            for group, version, what in lines:
                last[group] = (int(version), what)
        for group, (version, what) in last.items():
            # A transaction that was committed, but not printed before the kill, may follow.
            if group in versions:
                assert versions[group][0] >= version
                assert what == "stored" or versions[group][0] > version
        index.add(["after the end"], ids=["after"])
        index.check()


def killed(writer):
    """Kill a writer at once; return its complete lines, split."""
    writer.kill()
    output, errors = writer.communicate(timeout=60)
    assert writer.returncode == -signal.SIGKILL, errors
    return [line.split() for line in output.splitlines(keepends=True) if line.endswith("\n")]


# --- hostile queries -----------------------------------------------------------------------------

WORDS = [f"w{n}" for n in range(400)] + ["near", "and", "or", "not", "rowid", "text", "lexical"]
BETWEEN = [
    " ", "\n", "\t", " \"", "\" ", " * ", "*", "^", " -", ":", "(", ")", ", 2) ", "\0", "\x1b[",
    "🎉", " 👩\u200d👩\u200d👧 ", "'; DROP TABLE documents; --", "%", "{", "}", " + ", "\\", "/*",
    "\u202e", "\ufeff", "。", "''", "\x7f", " ~ ", "!=", "<b>", "&", "|", "||", "\u2028",
]  # fmt: skip


def hostile(chance, words):
    parts = []
    for word in words:
        parts += [chance.choice(BETWEEN), word if chance.random() < 0.7 else word.upper()]
    return "".join([*parts, chance.choice(BETWEEN), " "])


@pytest.mark.slow
@pytest.mark.parametrize("limit", [None, 30])
def test_ten_thousand_hostile_queries_find_what_brute_force_finds(tmp_path, model, limit):
    chance = random.Random(7)
    texts = [hostile(chance, chance.choices(WORDS, k=chance.randrange(8))) for _ in range(1500)]
    queries = [hostile(chance, chance.choices(WORDS, k=chance.randrange(4))) for _ in range(5000)]
    with Index.create(tmp_path / "i.db", model, passage_characters=limit) as index:
        index.add(texts, ids=[f"d{number}" for number in range(len(texts))])
        index.check()
        passages = list(index.passages())
        by_word = {}
        for passage in passages:  # a word without blanks around it may be cut in two
            for word in re.findall(r"[a-z0-9]+", passage.text.lower()):
                by_word.setdefault(word, set()).add(passage.id)
        for first in range(0, len(queries), 500):
            block = queries[first : first + 500]
            found = index.search(block, 2000, method="lexical")
            for query, hits in zip(block, found, strict=True):
                words = set(re.findall(r"[a-z0-9]+", query.lower()))
                asked = words - set(ENGLISH) or words
                expected = set().union(*(by_word.get(word, set()) for word in asked))
                assert {hit.id for hit in hits} == expected, query
                assert len(hits) == len(expected)
        matrix = np.array([passage.vector for passage in passages])
        owners = np.array([int(passage.id[1:]) for passage in passages])
        for query in queries[::50]:
            cosines = np.full(len(texts), -2.0, np.float32)
            np.maximum.at(cosines, owners, matrix @ model.encode_query(query, on_empty="zero"))
            hits = index.search(query, 10, method="vector")
            if model.encode_query(query, on_empty="zero").any():
                best = np.sort(cosines)[::-1][:10]
                np.testing.assert_allclose([hit.score for hit in hits], best, atol=1e-5)
                assert len(index.search(query, 10)) == 10
            else:
                assert hits == []
