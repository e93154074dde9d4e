"""`staticemb encode SOURCES -o FOLDER/`: shards, resumption, killed processes, damage."""

import contextlib
import csv
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from staticemb_runtime import StaticModel
from staticemb_runtime.bulk.shards import plan
from staticemb_runtime.errors import InputError, OutputError
from terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc, signals and limits")

ENCODE = [sys.executable, "-m", "staticemb_runtime", "encode"]
MANIFEST = "_manifest.jsonl"
SECONDS = 120


def encode(folder, *arguments, **options):
    return subprocess.run(
        [*ENCODE, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **options,
    )


def texts_of(shard, rows=200):
    return [f"document {row} of shard {shard} about rivers and houses" for row in range(rows)]


def write_shards(folder, count, rows=200):
    """Shards of JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(count):
        lines = [json.dumps({"id": [shard, row], "text": text})
                 for row, text in enumerate(texts_of(shard, rows))]  # fmt: skip
        (folder / f"{shard:03}.jsonl").write_text("\n".join(lines) + "\n")


def check_shards(folder, count, rows=200):
    """Each row once, in order, with the bits of `encode` in one process."""
    model = StaticModel.load()
    outputs = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    assert [path.name for path in outputs] == [f"{shard:03}.jsonl" for shard in range(count)]
    for shard, path in enumerate(outputs):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        assert [record["id"] for record in records] == [[shard, row] for row in range(rows)]
        got = np.array([record["embedding"] for record in records], np.float32)
        np.testing.assert_array_equal(got, model.encode(texts_of(shard, rows)))


def identities(folder):
    return {path.name: path.stat().st_ino for path in folder.iterdir() if path.name != MANIFEST}


def finished(folder):
    """The names of complete outputs."""
    return {path.name for path in folder.glob("[0-9]*")} if folder.exists() else set()


def children(process):
    """The workers that a process has started, the tracker of multiprocessing excepted."""
    task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pids = task.read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


def wait_until(condition, process=None):
    end = time.monotonic() + SECONDS
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def is_alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z"
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_each_file_becomes_one(tmp_path, workers):
    write_shards(tmp_path / "in", 3)
    run = encode(tmp_path, "in/*.jsonl", "-o", "out/", "--workers", workers)
    assert run.returncode == 0, run.stderr
    assert "3 of 3 files, 600 texts" in run.stderr
    check_shards(tmp_path / "out", 3)
    header, *lines = map(json.loads, (tmp_path / "out" / MANIFEST).read_text().splitlines())
    assert header["vectors_digest"] == StaticModel.load().metadata.vectors_digest
    assert {line["output"]: line["rows"] for line in lines} == {
        f"{shard:03}.jsonl": 200 for shard in range(3)
    }
    before = identities(tmp_path / "out")
    again = encode(tmp_path, "in", "-o", "out", "--workers", workers)
    assert again.returncode == 0
    assert "3 of 3 files (3 of them before), 600 texts" in again.stderr
    assert identities(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGTERM, 2), (signal.SIGINT, 1)],
)
def test_a_stopped_run_goes_on_and_does_no_shard_twice(tmp_path, number, workers):
    write_shards(tmp_path / "in", 10, 500)
    out = tmp_path / "out"
    command = [*ENCODE, "in", "-o", "out/", "--workers", str(workers), "--quiet"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(finished(out)) >= 3, process)
    workers_of = children(process)
    process.send_signal(number)
    _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == {2: 130, 9: -9, 15: 143}[number]
    assert len(error.splitlines()) == (0 if number == signal.SIGKILL else 1)
    wait_until(lambda: not any(map(is_alive, workers_of)))
    before = identities(out)
    kept = {name: inode for name, inode in before.items() if not name.startswith(".")}
    assert 3 <= len(kept) < 10
    if number != signal.SIGKILL or workers == 2:  # only a killed process leaves a temporary file
        assert kept == before
    run = encode(tmp_path, "in", "-o", "out/", "--workers", workers)
    assert run.returncode == 0, run.stderr
    assert f"10 of 10 files ({len(kept)} of them before)" in run.stderr
    check_shards(out, 10, 500)
    after = identities(out)
    assert {name: after[name] for name in kept} == kept


def test_ctrl_c_at_a_terminal_is_one_line_and_leaves_no_process(tmp_path):
    write_shards(tmp_path / "in", 10, 500)
    command = [*ENCODE, tmp_path / "in", "-o", f"{tmp_path}/out/", "--workers", "2"]
    with Terminal(command) as terminal:
        terminal.wait_for(r"texts, [\d.]+ of [\d.]+ [KM]B, [\d,]+/s, \d+:\d\d left")
        pids = children(terminal.process)
        terminal.type("\x03")
        status, lines = terminal.finish()
    assert status == 130
    assert [line for line in lines if line][1:] == ["staticemb: interrupted"], lines
    assert len(pids) == 2
    wait_until(lambda: not any(map(is_alive, pids)))
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_a_killed_worker_is_reported_and_no_row_is_lost(tmp_path):
    write_shards(tmp_path / "in", 10, 500)
    command = [*ENCODE, "in", "-o", "out/", "--workers", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(finished(tmp_path / "out")) >= 2, process)
    os.kill(children(process)[0], signal.SIGKILL)
    _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, error
    assert "a worker ended (SIGKILL, perhaps for lack of memory); in/" in error
    check_shards(tmp_path / "out", 10, 500)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_shard_that_is_too_large_for_the_memory_fails_alone(tmp_path, workers):
    write_shards(tmp_path / "in", 3)
    # Too large for the memory that is allowed, as one line of a stranger's file may be.
    with gzip.open(tmp_path / "in" / "large.jsonl.gz", "wb") as file:
        file.write(b'{"text": "')
        for _ in range(200):
            file.write(b"word " * 200_000)
        file.write(b'"}\n')
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))  # noqa: E731
    run = encode(tmp_path, "in", "-o", "out/", "--workers", workers, preexec_fn=limit)
    assert run.returncode == 1, run.stderr
    assert "in/large.jsonl.gz: " in run.stderr
    check_shards(tmp_path / "out", 3)


def test_a_damaged_shard_is_named_and_the_others_are_done(tmp_path):
    write_shards(tmp_path / "in", 4)
    good = (tmp_path / "in" / "001.jsonl").read_bytes()
    (tmp_path / "in" / "001.jsonl").write_bytes(good[:3000] + b"\xff" + good[3000:])
    (tmp_path / "in" / "004.jsonl.gz").write_bytes(gzip.compress(good)[:-9])
    run = encode(tmp_path, "in", "-o", "out/", "--workers", "2")
    assert run.returncode == 1
    assert "staticemb: error: in/001.jsonl, line " in run.stderr
    assert "staticemb: error: in/004.jsonl.gz, line " in run.stderr
    assert "3 of 5 files, 600 texts; 2 not done" in run.stderr
    assert finished(tmp_path / "out") == {"000.jsonl", "002.jsonl", "003.jsonl"}
    (tmp_path / "in" / "001.jsonl").write_bytes(good)
    (tmp_path / "in" / "004.jsonl.gz").unlink()
    run = encode(tmp_path, "in", "-o", "out/")
    assert run.returncode == 0
    check_shards(tmp_path / "out", 4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--truncate-dim", "64"], "the dimension of the run that began there, 192, found 64"),
        (["--precision", "int8"], 'the precision of the run that began there, "float32", found'),
        (["--pooling", "mean"], "the pooling of the run"),
        (["--column", "body"], "the column of the run"),
        (["--output-format", "npy"], "the output format of the run"),
    ],
)
def test_other_options_do_not_go_on(tmp_path, options, says):
    write_shards(tmp_path / "in", 1)
    assert encode(tmp_path, "in", "-o", "out/").returncode == 0
    before = (tmp_path / "out" / MANIFEST).read_bytes()
    run = encode(tmp_path, "in", "-o", "out/", *options)
    assert run.returncode == 2
    assert says in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert (tmp_path / "out" / MANIFEST).read_bytes() == before


def test_another_model_does_not_go_on_and_a_moved_one_does(tmp_path):
    from strategies import word_level_tokenizer

    writer = pytest.importorskip("staticemb_distiller.file")
    table = np.random.default_rng(0).normal(size=(6, 192)).astype("float32")
    settings = writer.Settings(unknown_token_id=0)
    writer.write(tmp_path / "a.staticemb", writer.Parts(table, word_level_tokenizer(6)), settings)
    write_shards(tmp_path / "in", 2, 5)
    assert encode(tmp_path, "in", "-o", "out/", "-m", "a.staticemb").returncode == 0
    run = encode(tmp_path, "in", "-o", "out/")
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "expected the vectors digest of the run that began there" in run.stderr
    (tmp_path / "a.staticemb").rename(tmp_path / "b.staticemb")
    run = encode(tmp_path, "in", "-o", "out/", "-m", "b.staticemb", "--on-empty", "zero")
    assert run.returncode == 0, run.stderr
    assert "2 of them before" in run.stderr


def test_a_changed_input_and_a_cut_output_are_done_again(tmp_path):
    write_shards(tmp_path / "in", 3)
    assert encode(tmp_path, "in", "-o", "out/").returncode == 0
    before = identities(tmp_path / "out")
    write_shards(tmp_path / "new", 1, 210)
    (tmp_path / "new" / "000.jsonl").replace(tmp_path / "in" / "000.jsonl")
    os.truncate(tmp_path / "out" / "001.jsonl", 1000)
    with (tmp_path / "out" / MANIFEST).open("ab") as file:
        file.write(b'{"output": "00')  # as a killed run may leave it
    run = encode(tmp_path, "in", "-o", "out/")
    assert run.returncode == 0, run.stderr
    assert "(1 of them before)" in run.stderr
    assert len((tmp_path / "out" / "000.jsonl").read_text().splitlines()) == 210
    assert len((tmp_path / "out" / "001.jsonl").read_text().splitlines()) == 200
    assert identities(tmp_path / "out")["002.jsonl"] == before["002.jsonl"]
    assert "(3 of them before)" in encode(tmp_path, "in", "-o", "out/").stderr


def test_a_folder_with_foreign_files_is_refused(tmp_path):
    write_shards(tmp_path / "in", 2)
    write_shards(tmp_path / "out", 1)
    before = (tmp_path / "out" / "000.jsonl").read_bytes()
    run = encode(tmp_path, "in", "-o", "out")
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "out/000.jsonl: expected no file, found one that is not in" in run.stderr
    assert (tmp_path / "out" / "000.jsonl").read_bytes() == before
    (tmp_path / "out" / MANIFEST).write_bytes(b"{}\n")
    run = encode(tmp_path, "in", "-o", "out")
    assert f"{MANIFEST}, line 1: expected a line of a manifest" in run.stderr


def test_two_runs_do_not_share_a_folder(tmp_path):
    import fcntl

    write_shards(tmp_path / "in", 1)
    assert encode(tmp_path, "in", "-o", "out/").returncode == 0
    with (tmp_path / "out" / MANIFEST).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run = encode(tmp_path, "in", "-o", "out/")
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "expected no other run" in run.stderr


@pytest.mark.file_size_limit
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_stops_the_run_which_goes_on_later(tmp_path, workers):
    write_shards(tmp_path / "in", 2, 10)
    write_shards(tmp_path / "more", 6, 500)
    for path in sorted((tmp_path / "more").glob("00[2-5]*")):
        path.replace(tmp_path / "in" / path.name)
    # All small files fit, no large one does.
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))  # noqa: E731
    run = encode(tmp_path, "in", "-o", "out/", "--workers", workers, preexec_fn=limit)
    assert run.returncode == 1, run.stderr
    errors = [line for line in run.stderr.splitlines() if "cannot be written" in line]
    assert 1 <= len(errors) <= workers, "the others would fail as well, and are not tried"
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
    run = encode(tmp_path, "in", "-o", "out/", "--workers", workers)
    assert run.returncode == 0, run.stderr
    assert "6 of 6 files" in run.stderr


def test_all_formats_and_empty_files(tmp_path):
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("id,text\n1,a house\n2,\n")
    (folder / "b.tsv.gz").write_bytes(gzip.compress(b"id\ttext\n1\ta river\n"))
    (folder / "c.txt").write_text("a train\n")
    (folder / "d.jsonl").write_text('{"text": "a"}\n{"text": "b", "late": {"x": [1.5]}}\n')
    (folder / "empty.csv").write_text("id,text\n")
    (folder / "empty.jsonl").write_text("")
    (folder / "_SUCCESS.txt").write_text("no input\n")
    (folder / ".hidden.txt").write_text("no input\n")
    run = encode(tmp_path, "in", "-o", "out/", "--on-empty", "zero")
    assert run.returncode == 0, run.stderr
    out = tmp_path / "out" / "deep"
    assert sorted(path.name for path in out.iterdir()) == [
        "a.csv", "b.tsv.gz", "c.jsonl", "d.jsonl", "empty.csv", "empty.jsonl",
    ]  # fmt: skip
    house = StaticModel.load().encode("a house")
    with (out / "a.csv").open(newline="") as file:
        header, first, second = csv.reader(file)
    assert header == ["id", "text", "embedding"]
    np.testing.assert_array_equal(np.array(json.loads(first[2]), np.float32), house)
    assert second[:2] == ["2", ""]
    assert (out / "empty.csv").read_text().splitlines() == ["id,text,embedding"]
    assert gzip.decompress((out / "b.tsv.gz").read_bytes()).startswith(b"id\ttext\tembedding\r\n")
    late = json.loads((out / "d.jsonl").read_text().splitlines()[1])
    assert late["late"] == {"x": [1.5]}


def test_shards_of_parquet_may_differ_and_one_may_lack_the_column(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in").mkdir()
    tables = {
        "a": pa.table({"text": ["a house"], "n": pa.array([1], pa.int8())}),
        "b": pa.table({"late": [1.5], "text": pa.array(["a river"], pa.large_string())}),
        "c": pa.table({"text": pa.nulls(3)}),
        "d": pa.table({"body": ["a"]}),
        "e": pa.table({"text": pa.array([], pa.string())}),
    }
    for name, table in tables.items():
        pq.write_table(table, tmp_path / "in" / f"{name}.parquet")
    run = encode(tmp_path, "in/*.parquet", "-o", "out/", "--workers", "2")
    assert run.returncode == 1
    assert "in/d.parquet: expected a column 'text', found body" in run.stderr
    assert "3 of 5 rows have no text (null)" in run.stderr
    del tables["d"]
    for name, table in tables.items():
        made = pq.read_table(tmp_path / "out" / f"{name}.parquet")
        assert made.drop_columns(["embedding"]).equals(table)
        assert made.column("embedding").null_count == (3 if name == "c" else 0)


def test_names_that_collide_are_refused_before_the_start(tmp_path):
    write_shards(tmp_path / "a", 1)
    write_shards(tmp_path / "b", 1)
    run = encode(tmp_path, "a", "b", "-o", "out/")
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "found 000.jsonl for a/000.jsonl and for b/000.jsonl" in run.stderr
    assert not (tmp_path / "out").exists()
    assert encode(tmp_path, "a", "a/000.jsonl", "./a/*", "-o", "out/").returncode == 0


def test_another_runs_outputs_are_not_replaced_by_those_of_other_inputs(tmp_path):
    write_shards(tmp_path / "jan", 2)
    write_shards(tmp_path / "feb", 1, 300)
    assert encode(tmp_path, "jan", "-o", "out/").returncode == 0
    run = encode(tmp_path, "feb", "-o", "out/")
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "found 000.jsonl for jan/000.jsonl in an earlier run and for feb/000.jsonl" in run.stderr
    check_shards(tmp_path / "out", 2)
    (tmp_path / "jan").rename(tmp_path / "moved")
    write_shards(tmp_path / "moved", 2, 210)
    assert encode(tmp_path, "moved", "-o", "out/").returncode == 0
    check_shards(tmp_path / "out", 2, 210)


def test_outputs_are_never_inputs(tmp_path):
    write_shards(tmp_path / "in", 2)
    for _ in range(2):  # the second run finds the outputs of the first inside its input folder
        run = encode(tmp_path, "in", "-o", "in/out/")
        assert run.returncode == 0, run.stderr
        assert "2 of 2 files" in run.stderr
    same = encode(tmp_path, "in", "-o", "in/")
    assert (same.returncode, len(same.stderr.splitlines())) == (2, 1)
    assert "expected another folder than the input's" in same.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no/*.jsonl", "-o", "out/"], "no/*.jsonl: expected files to embed, found none"),
        (["no", "-o", "out/"], "no: expected a file, a folder or a pattern"),
        (["in", "-o", "out/", "-m", "no.staticemb"], "no.staticemb"),
        (["-o", "out/"], "expected files, folders or patterns"),
        (["in", "-o", "out"], "A folder ends in /"),
        (["in/x.xyz", "-o", "out/"], "x.xyz: expected no suffix or one of"),
        (["in", "-o", "file/"], "file/: cannot be written: expected a folder, found a file"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, arguments, says):
    write_shards(tmp_path / "in", 1)
    (tmp_path / "in" / "x.xyz").write_text("a")
    (tmp_path / "file").write_text("a")
    run = encode(tmp_path, *arguments)
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1), run.stderr
    assert says in run.stderr
    assert not (tmp_path / "out").exists()


def test_the_note_on_empty_texts_is_the_same_where_a_run_goes_on(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a film\n日本語\n")
    first, second = (encode(tmp_path, "in", "-o", "out/") for _ in range(2))
    assert "the first is in/a.txt, line 2. The model reads English only" in first.stderr
    note = next(line for line in first.stderr.splitlines() if "no token" in line)
    assert note in second.stderr.splitlines()


def test_a_link_to_no_folder_yet_gets_its_folder(tmp_path):
    write_shards(tmp_path / "in", 1)
    (tmp_path / "out").symlink_to("elsewhere")
    run = encode(tmp_path, "in", "-o", "out/")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out").is_symlink()
    assert len(finished(tmp_path / "elsewhere")) == 1


def test_many_small_shards(tmp_path):
    write_shards(tmp_path / "in", 100, 2)
    run = encode(tmp_path, "in", "-o", "out/", "--workers", "2")
    assert run.returncode == 0, run.stderr
    check_shards(tmp_path / "out", 100, 2)
    assert len((tmp_path / "out" / MANIFEST).read_bytes().splitlines()) == 101


def test_the_plan_keeps_paths_below_the_fixed_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x/a.txt", "x/y/b.txt", "x/y/z/c.jsonl"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("text\n")
    names = lambda *sources, **options: {s.name for s in plan(sources, "out", **options)}  # noqa: E731
    assert names("x") == {"a.jsonl", "y/b.jsonl", "y/z/c.jsonl"}
    assert names("x/**/*.txt") == {"a.jsonl", "y/b.jsonl"}
    assert names("x/y/z/c.jsonl") == {"c.jsonl"}
    # Spark and Dask write a folder with the name of a file.
    for name in ("x/d.csv/part-0.csv", "x/d.csv/_SUCCESS", "x/d.csv/.part-0.csv.crc"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("text\na\n")
    assert names("x/*.csv") == names("x/**/*.csv") == {"d.csv/part-0.csv"}
    assert names("x/*") == {"a.jsonl", "d.csv/part-0.csv"}
    assert names("x", output_format="parquet") == {
        *("a.parquet", "y/b.parquet", "y/z/c.parquet", "d.csv/part-0.parquet")
    }
    with pytest.raises(OutputError, match=r"x/y/z/c\.jsonl"):
        plan(["x/y/z"], "x/y/z")
    with pytest.raises(InputError):
        names("")
