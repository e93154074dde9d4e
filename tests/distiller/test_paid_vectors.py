"""Commands that ask a server: what a killed run has paid for is not paid for again."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from distiller.embedding_server import DIM, EmbeddingServer, vectors
from staticemb_distiller import Recipe, distill
from staticemb_distiller.adaptation.adapt import adapt
from staticemb_distiller.cli.main import main
from staticemb_distiller.corpus.vector_files import VectorFile, open_vectors
from staticemb_distiller.errors import TeacherError
from staticemb_distiller.teacher.cached import cached_vectors
from staticemb_distiller.teacher.server import ServerTeacher
from staticemb_distiller.teacher.server_results import checkpoint_of
from staticemb_runtime.search import Index

from .adaptation_data import write_jsonl

TEXTS = [f"word{number % 37} word{number % 61} text {number}" for number in range(300)]
BATCH = 5
WORDPIECE = ["none", "--tokenizer", "train:wordpiece"]


@pytest.fixture
def server():
    server = EmbeddingServer()
    yield server
    server.close()


@pytest.fixture
def corpus(tmp_path):
    return str(write_jsonl(tmp_path / "corpus.jsonl", TEXTS))


def killed_after(requests, command, server):
    """Run a command, and kill it after some requests."""
    server.faults = lambda number, body: time.sleep(0.03)
    first = len(server.bodies)
    process = subprocess.Popen(command)
    while len(server.bodies) - first < requests and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    server.faults = lambda number, body: None


@pytest.mark.parametrize("name", ["adapt", "index"])
def test_a_killed_command_goes_on_and_pays_for_no_text_twice(name, server, corpus, tmp_path):
    spec = f"{server.spec}?batch_texts={BATCH}&requests=2"
    command = [sys.executable, "-m", "staticemb_distiller", name, "--quiet"]
    if name == "adapt":
        command += [*WORDPIECE, "--documents", corpus]
    else:
        model = str(tmp_path / "model.staticemb")
        adapt("none", TEXTS[:50], model, teacher=spec, tokenizer="train:wordpiece")
        server.bodies.clear()
        command += [corpus, "--model", model]
    command += ["--teacher", spec, "-o"]
    output, whole = tmp_path / "killed", tmp_path / "whole"
    for _ in range(2):
        killed_after(15, [*command, str(output)], server)
        assert not output.exists() or name == "index"
    assert len(server.texts) >= 2 * 14 * BATCH
    assert subprocess.run([*command, str(output)], timeout=300).returncode == 0
    # Of each kill, two requests were under way, and one answer may not have been stored.
    assert len(server.texts) - len(set(server.texts)) <= 2 * 3 * BATCH
    assert not list(tmp_path.glob("*.checkpoint"))
    assert subprocess.run([*command, str(whole)], timeout=300).returncode == 0
    if name == "adapt":
        assert output.read_bytes() == whole.read_bytes()
    else:
        with Index.open(output) as resumed, Index.open(whole) as at_once:
            for query in TEXTS[:9]:
                assert resumed.search(query, k=20) == at_once.search(query, k=20)


def test_a_folder_of_ones_own_stays_and_texts_of_both_kinds_are_encoded_once(
    server, corpus, tmp_path
):
    cache, output = tmp_path / "cache", tmp_path / "mine.staticemb"
    options = {"teacher": server.spec, "tokenizer": "train:wordpiece", "teacher_cache": cache}
    for _ in range(2):
        adapt("none", corpus, output, **options)
        assert len(server.texts) == len(set(server.texts))  # pseudo-queries are documents here
    assert {path.name for path in tmp_path.iterdir()} == {cache.name, output.name, "corpus.jsonl"}


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("adapt", {"Document vectors": 300, "Query vectors": 60}),
        ("index", {"Documents": 300}),
        ("distill", {"Token vectors": 0, "Text vectors": 300}),
    ],
)
def test_the_progress_shows_the_tokens_that_the_server_counts(
    name, steps, server, corpus, tmp_path, capsys
):
    command = [name, "--teacher", server.spec, "-o", str(tmp_path / "output")]
    if name == "adapt":
        command += [*WORDPIECE, "--documents", corpus]
    elif name == "index":
        model = str(tmp_path / "model.staticemb")
        adapt("none", TEXTS[:50], model, teacher=server.spec, tokenizer="train:wordpiece")
        command += [corpus, "--model", model]
    else:
        command = [name, server.spec, *WORDPIECE[1:], "--fit", corpus, "--dims", "4", *command[3:]]
    assert main(command) == 0
    lines = capsys.readouterr().err.splitlines()
    for step, texts in steps.items():
        last = [line for line in lines if line.startswith(f"{step}: 100%")][-1]
        found = re.search(r", ([\d,]+) tokens\]$", last)
        assert found, last
        # The server counts three tokens for each text.
        assert int(found[1].replace(",", "")) >= 3 * texts


def test_a_folder_in_the_checkpoint_that_the_command_did_not_make_stays(server, tmp_path):
    kept = tmp_path / "texts" / "corpus.txt"
    kept.parent.mkdir()
    kept.write_text("\n".join(TEXTS))
    rows = [
        {"text": text, "embedding": [float(len(text)), number]} for number, text in enumerate(TEXTS)
    ]
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer, before = "train:wordpiece", set(tmp_path.rglob("*"))
    recipe = Recipe(dims=2, tokenizer=tokenizer, fit=(str(kept),), prior="zero")
    for teacher in (server.spec, lambda texts: vectors(texts), open_vectors(tmp_path / "v.jsonl")):
        given = isinstance(teacher, VectorFile)
        own = Recipe(dims=2, tokenizer=tokenizer) if given else recipe
        distill(teacher, own, tmp_path / "made.staticemb", checkpoint=tmp_path)
        assert set(tmp_path.rglob("*")) == before | {tmp_path / "made.staticemb"}


def test_a_limit_of_time_keeps_each_response_too(server, tmp_path):
    spec = f"{server.spec}?batch_texts={BATCH}&requests=1"
    server.faults = lambda number, body: (lambda h, b: h.reply({}, 401)) if number == 12 else None
    with pytest.raises(TeacherError, match="HTTP 401"):
        cached_vectors(ServerTeacher(spec), TEXTS, tmp_path, seconds=3600)
    server.faults = lambda number, body: None
    found = cached_vectors(ServerTeacher(spec), TEXTS, tmp_path, seconds=3600)
    assert found.shape == (len(TEXTS), DIM)
    assert len(server.texts) - len(set(server.texts)) <= BATCH
    assert len(cached_vectors(ServerTeacher(spec), TEXTS, tmp_path, seconds=1e-9)) == len(TEXTS)
    assert len(cached_vectors(ServerTeacher(spec), ["new"], tmp_path, seconds=1e-9)) == 0


def test_a_stream_as_output_has_no_checkpoint():
    assert checkpoint_of("openai:http://localhost/v1#m", os.devnull) is None
    assert checkpoint_of(lambda texts: texts, "mine.staticemb") is None
