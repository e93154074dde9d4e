"""The command `staticemb`, as real processes."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from strategies import word_level_tokenizer

TEXTS = ["w1 w2", "w3", "", "w1 w1 w4 unknown"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.staticemb"
    table = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    provenance = {"teacher": "a/teacher\x1b[31m", "recipe": "one\ntwo"}
    settings = Settings(prefixes=(2, 4), unknown_token_id=0, provenance=provenance)
    write(path, Parts(table, word_level_tokenizer(6)), settings)
    return path


@pytest.fixture(scope="module")
def expected(model):
    return StaticModel.load(model).encode(TEXTS)


def staticemb(*arguments, **options):
    command = [sys.executable, "-m", "staticemb_runtime", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, **options)


def error_of(run):
    """The one line on standard error of a run that failed as it should."""
    lines = run.stderr.decode().splitlines()
    assert run.returncode == 2, lines
    assert len(lines) == 1, lines
    assert run.stdout == b""
    return lines[0]


def test_arguments_to_json_lines(model, expected):
    run = staticemb("encode", "-m", model, *TEXTS)
    assert run.returncode == 0
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    got = np.array([row["embedding"] for row in rows], np.float32)
    np.testing.assert_array_equal(got, expected)  # every float32 survives its spelling


def test_the_model_may_come_from_the_environment(model):
    run = staticemb("encode", "w1", env={**os.environ, "STATICEMB_MODEL": str(model)})
    assert run.returncode == 0


def test_standard_input_to_npy(model, expected, tmp_path):
    out = tmp_path / "vectors.npy"
    run = staticemb("encode", "-m", model, "-o", out, input="\n".join(TEXTS).encode() + b"\n")
    assert (run.returncode, run.stdout) == (0, b"")
    np.testing.assert_array_equal(np.load(out, allow_pickle=False), expected, strict=True)


def test_lines_end_at_line_feeds_alone(model, tmp_path):
    source = tmp_path / "texts.txt"
    source.write_bytes("w1\u2028w2\x0bw3\r\nw4".encode())
    rows = staticemb("encode", "-m", model, "-i", source).stdout.splitlines()
    assert [json.loads(row)["text"] for row in rows] == ["w1\u2028w2\x0bw3", "w4"]


def test_empty_input_is_an_empty_array(model, tmp_path):
    out = tmp_path / "none.npy"
    assert staticemb("encode", "-m", model, "-o", out, input=b"").returncode == 0
    assert np.load(out).shape == (0, 8)


def test_columns_are_kept(model, expected, tmp_path):
    source = tmp_path / "rows.csv"
    with source.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "body"])
        writer.writerows([at, text] for at, text in enumerate(TEXTS))
    run = staticemb("encode", "-m", model, "-i", source, "--column", "body")
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(row["id"], row["body"]) for row in rows] == [(str(i), t) for i, t in enumerate(TEXTS)]
    got = np.array([row["embedding"] for row in rows], np.float32)
    np.testing.assert_array_equal(got, expected)


def test_json_lines_gzipped_to_parquet(model, expected, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    source, out = tmp_path / "rows.jsonl.gz", tmp_path / "rows.parquet"
    with gzip.open(source, "wt", encoding="utf-8") as file:
        for at, text in enumerate(TEXTS):
            file.write(json.dumps({"n": at, "text": text}) + "\n")
    assert staticemb("encode", "-m", model, "-i", source, "-o", out).returncode == 0
    table = parquet.read_table(out)
    assert table.column("n").to_pylist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(np.array(table.column("embedding").to_pylist()), expected)


def test_request_options(model, tmp_path):
    out = tmp_path / "v.npy"
    options = ("--truncate-dim", 4, "--precision", "ubinary", "--pooling", "mean", "-o", out)
    assert staticemb("encode", "-m", model, *options, *TEXTS).returncode == 0
    peer = StaticModel.load(model).encode(TEXTS, truncate_dim=4, precision="ubinary")
    np.testing.assert_array_equal(np.load(out), peer, strict=True)


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"\xff\xfe\n", "bad.txt", "UTF-8"),
        (b'{"text": "a"}\n{"text": 7}\n', "bad.jsonl", "line 2"),
        (b'{"text": "a"}\n[1]\n', "bad.jsonl", "line 2"),
        (b"{oops\n", "bad.jsonl", "line 1"),
        (b"id,body\n1,a\n", "bad.csv", "text"),
        (b"text\na,b\n", "bad.csv", "line 2"),
        (b"no gzip", "bad.txt.gz", "gzip"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(model, tmp_path, content, name, says):
    source, out = tmp_path / name, tmp_path / "out.jsonl"
    source.write_bytes(content)
    error = error_of(staticemb("encode", "-m", model, "-i", source, "-o", out))
    assert name in error
    assert says in error
    assert list(tmp_path.iterdir()) == [source]


def test_what_cannot_be_done_is_said_in_one_line(model, tmp_path):
    assert "no such" in error_of(staticemb("encode", "-m", tmp_path / "no.staticemb", "a"))
    assert "cannot be read" in error_of(staticemb("encode", "-m", model, "-i", tmp_path / "no.txt"))
    nowhere = tmp_path / "no" / "out.npy"
    assert "cannot be written" in error_of(staticemb("encode", "-m", model, "-o", nowhere, "a"))
    assert "expected a file, a folder" in error_of(
        staticemb("encode", "-m", model, "-o", tmp_path, "no such text")
    )
    both = staticemb("encode", "-m", model, "-i", tmp_path / "no.txt", "a")
    assert "expected no texts with --input" in error_of(both)
    assert "9" in error_of(staticemb("encode", "-m", model, "--truncate-dim", 9, "a"))
    npy = staticemb("encode", "-m", model, "--output-format", "npy", "a")
    assert "-o" in error_of(npy)


def test_similarity(model):
    run = staticemb("similarity", "-m", model, "w1 w2", "w2 w1")
    assert run.stdout == b"1.0000\n"


def test_tokens_are_a_table_of_pieces_and_rows(model):
    lines = staticemb("tokens", "-m", model, "w3 w5").stdout.decode().splitlines()
    assert lines[0].split() == ["token", "id", "row", "weight", "norm"]
    assert [line.split()[:3] for line in lines[1:]] == [["w3", "3", "3"], ["w5", "5", "5"]]


def test_info_shows_both_digests_optional_tensors_and_prompts(tmp_path):
    table = np.ones((2, 2), np.float32)
    parts = Parts(table, word_level_tokenizer(2), optional={"head.x.bias": np.ones(1)})
    path = tmp_path / "m.staticemb"
    write(path, parts, Settings(prompts={"query": "q: "}, optional={"head.x": "{}"}))
    facts = json.loads(staticemb("info", path, "--json").stdout)
    metadata = StaticModel.load(path).metadata
    assert facts["digest"] == metadata.digest
    assert facts["vectors_digest"] == metadata.vectors_digest
    assert facts["optional_tensors"] == ["head.x.bias"]
    assert facts["prompts"] == {"query": "q: "}
    assert facts["head.x"] == "{}"
    shown = staticemb("info", path).stdout.decode()
    assert "head.x.bias" in shown
    assert "query" in shown


def test_info_escapes_what_a_terminal_would_act_on(model):
    run = staticemb("info", model, "--verify")
    assert run.returncode == 0
    assert b"\x1b" not in run.stdout
    assert rb"\x1b[31m" in run.stdout
    facts = json.loads(staticemb("info", model, "--json").stdout)
    assert facts["teacher"] == "a/teacher\x1b[31m"
    assert facts["prefixes"] == [2, 4, 8]


def test_no_metadata_replace_what_info_tells_of_a_file(model, tmp_path):
    content = model.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    told = json.loads(staticemb("info", model, "--json").stdout)
    keys = [*(told.keys() - header["__metadata__"].keys() - {"max_tokens"})]
    keys += ["heads", "optional_tensors", "refused_parts"]
    header["__metadata__"] |= dict.fromkeys(keys, "of a stranger")
    new = json.dumps(header).encode()
    new += b" " * (-(8 + len(new)) % 64)
    path = tmp_path / "m.staticemb"
    path.write_bytes(len(new).to_bytes(8, "little") + new + content[end:])
    facts = json.loads(staticemb("info", path, "--json").stdout)
    assert {key: facts[key] for key in told} == told | {
        "file": str(path),
        "bytes": path.stat().st_size,
    }
    shown = staticemb("info", path).stdout.decode()
    assert shown.count("of a stranger") == len(keys)


def test_verify_finds_a_changed_byte(model, tmp_path):
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    changed = tmp_path / "changed.staticemb"
    changed.write_bytes(content)
    assert staticemb("info", changed).returncode == 0
    assert "digest" in error_of(staticemb("info", changed, "--verify"))


@pytest.mark.skipif(os.name == "nt", reason="a shell pipe")
def test_a_reader_that_closes_early_is_no_error(model):
    texts = "w1 w2\n" * 50_000
    command = f"'{sys.executable}' -m staticemb_runtime encode -m '{model}' | head -n 1"
    run = subprocess.run(
        command, shell=True, input=texts.encode(), capture_output=True, check=False, timeout=60
    )
    assert run.stdout.count(b"\n") == 1
    assert run.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("arguments", [["encode", "--no\nsuch"], ["frob"], ["similarity", "a"]])
def test_a_wrong_command_line_is_one_line(model, arguments):
    environment = os.environ | {"STATICEMB_MODEL": str(model)}
    assert error_of(staticemb(*arguments, env=environment)).startswith("staticemb: error: ")


def test_an_interrupted_run_leaves_no_file(model, tmp_path):
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "staticemb_runtime", "encode", "-m", model, "-o", out]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"w1\n" * 20_000)
    process.stdin.flush()
    while not any(path.stat().st_size for path in tmp_path.iterdir()):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate()[1]
    assert process.returncode == 130
    assert error.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []
