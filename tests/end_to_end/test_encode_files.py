"""`staticemb encode` from files to files, as real processes of a shell."""

import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from staticemb_distiller.file import Parts, Settings, write
from strategies import word_level_tokenizer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a shell and descriptors of POSIX")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.staticemb"
    table = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    write(path, Parts(table, word_level_tokenizer(6)), Settings(unknown_token_id=0))
    return path


def encode(model, folder, arguments, **options):
    """Run `encode` with the arguments and redirections of a line of bash."""
    line = f'"$0" -m staticemb_runtime encode -m "$1" {arguments}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, model],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def error_of(run):
    lines = run.stderr.splitlines()
    assert (run.returncode, len(lines)) == (2, 1), run.stderr
    return lines[0].removeprefix("staticemb: error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        "-i in.jsonl -o in.jsonl",
        "-i in.jsonl -o ./in.jsonl",
        "-i link.jsonl -o in.jsonl",
        "-i in.jsonl -o hard.jsonl",
        "-o in.jsonl < in.jsonl",
        "-i - -o link.jsonl < in.jsonl",
        "-i in.jsonl >> in.jsonl",
    ],
)
def test_the_input_is_never_written_over(model, tmp_path, arguments):
    path = tmp_path / "in.jsonl"
    path.write_text('"w1"\n')
    (tmp_path / "link.jsonl").symlink_to("in.jsonl")
    os.link(path, tmp_path / "hard.jsonl")
    assert "found the same one" in error_of(encode(model, tmp_path, arguments))
    assert path.read_text() == '"w1"\n'
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "output", ["-o /dev/stdout >> out", "-o /dev/fd/1 >> out", "-o >(cat >> out; echo >> end)"]
)
def test_descriptors_of_the_shell_are_written_through(model, tmp_path, output):
    (tmp_path / "out").write_text("old\n")
    wait = "; for n in {1..100}; do [ -e end ] && break; sleep 0.1; done" if "cat" in output else ""
    run = encode(model, tmp_path, f"w1 w2 {output}{wait}")
    assert (run.returncode, run.stderr) == (0, "")
    old, *rows = (tmp_path / "out").read_text().splitlines()
    assert old == "old"
    assert [json.loads(row)["text"] for row in rows] == ["w1", "w2"]


@pytest.mark.file_size_limit
@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.npy", "o.parquet"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(model, tmp_path, name):
    if name == "o.parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(b"old")
    text = "".join(f"w1 {n}\n" for n in range(20_000))
    run = encode(
        model,
        tmp_path,
        f"-o {name} --on-empty zero",
        input=text,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert error_of(run).startswith(f"{name}")
    assert (tmp_path / name).read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.npy", "o.parquet"])
def test_an_error_after_the_first_block_is_one_line(model, tmp_path, name):
    if name == "o.parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "in.txt").write_bytes(b"w1\n" * 9000 + b"\n")
    run = encode(model, tmp_path, f"-i in.txt -o {name} --on-empty raise")
    assert error_of(run).startswith("in.txt, line 9001: expected a token")
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]
