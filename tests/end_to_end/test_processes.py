"""Both commands as processes: signals, closed streams, full disks, consoles of other encodings."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from staticemb_distiller.cli import main as distiller_cli
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime.cli import main as runtime_cli
from staticemb_runtime.cli.process import run_command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and file descriptors of POSIX")

RUNTIME = [sys.executable, "-m", "staticemb_runtime"]
DISTILLER = [sys.executable, "-m", "staticemb_distiller"]
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SECONDS = 60


def wait_until(condition, process=None):
    end = time.monotonic() + SECONDS
    while not condition():
        assert process is None or process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


def shell(command, redirection, **environment):
    """Run a command with a redirection of bash."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "bash", *command],
        env=os.environ | environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize("name", ["out.npy", "out.jsonl"])
def test_a_stopped_encode_leaves_no_file(tmp_path, number, name):
    # Twice, as a terminal and a supervisor send it: the second must not break off the cleanup.
    process = subprocess.Popen(
        [*RUNTIME, "encode", "-o", tmp_path / name], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdin.write(b"some words\n" * 100_000)
    process.stdin.flush()
    wait_until(lambda: sum(p.stat().st_size for p in tmp_path.iterdir()) > 10_000_000, process)
    process.send_signal(number)
    process.send_signal(number)
    _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == STATUS[number], error
    assert error.count(b"\n") == 1, error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize(
    ("command", "slow"),
    [
        (RUNTIME, "numpy"),
        ([sys.executable, "-m", "staticemb_runtime"], "numpy"),
        (DISTILLER, "numpy"),
        (DISTILLER, "tokenizers"),
        (DISTILLER, "torch"),
        ([sys.executable, "-m", "staticemb_distiller"], "numpy"),
    ],
)
def test_a_signal_during_the_imports_leaves_no_traceback(tmp_path, number, command, slow):
    # Many short sleeps: Python handles a signal that comes just before a sleep only after it.
    sleep = "import time\nprint('now', flush=True)\nfor _ in range(600): time.sleep(0.1)\n"
    (tmp_path / f"{slow}.py").write_text(sleep)
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    process = subprocess.Popen(
        [*command, "distill", "no-teacher", "-o", tmp_path / "out"],
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"now\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == STATUS[number]
    assert error.count(b"\n") == 1, error


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    # As `nohup` does it, and a shell without job control in the background.
    process = subprocess.Popen(
        ["bash", "-c", 'trap "" HUP INT; exec "$@"', "bash", *RUNTIME, "encode", "-o", "o.npy"],
        stdin=subprocess.PIPE,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(b"a\n" * 20_000)
    process.stdin.flush()
    wait_until(lambda: any(p.stat().st_size for p in tmp_path.iterdir()), process)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=SECONDS)
    assert (process.returncode, error) == (0, b"")
    assert len(np.load(tmp_path / "o.npy")) == 20_000


def test_a_stopped_and_continued_encode_goes_on(tmp_path):
    process = subprocess.Popen(
        [*RUNTIME, "encode", "-o", tmp_path / "o.npy"], stdin=subprocess.PIPE
    )
    process.stdin.write(b"a\n" * 20_000)
    process.stdin.flush()
    wait_until(lambda: any(p.stat().st_size for p in tmp_path.iterdir()), process)
    process.send_signal(signal.SIGTSTP)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert len(np.load(tmp_path / "o.npy")) == 20_000


@pytest.mark.parametrize("main", [runtime_cli.main, distiller_cli.main])
def test_a_command_within_a_program_gives_its_handlers_back(main, capsys):
    def own(number, frame):
        raise AssertionError

    before = {number: signal.signal(number, own) for number in STATUS}
    errors = sys.stdout.errors
    try:
        with pytest.raises(SystemExit):
            main(["--version"])
        assert [signal.getsignal(number) for number in STATUS] == [own] * len(STATUS)
        assert sys.stdout.errors == errors
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_command_runs_in_a_thread_that_may_not_handle_signals():
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(run_command("x", lambda: 7)))
    thread.start()
    thread.join()
    assert statuses == [7]


def test_the_library_installs_no_handlers():
    code = (
        "import signal, staticemb_runtime\n"
        "numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]\n"
        "before = [signal.getsignal(n) for n in numbers]\n"
        "staticemb_runtime.StaticModel.load().encode(['a'] * 3000, workers=2)\n"
        "assert [signal.getsignal(n) for n in numbers] == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=SECONDS)


# --- standard streams -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "redirection", "says"),
    [
        ([*RUNTIME, "encode"], "<&-", b"standard input"),
        ([*RUNTIME, "encode", "a"], ">&-", b"standard output"),
        ([*RUNTIME, "encode", "a", "--output-format", "npy"], ">&-", b"standard output"),
        ([*RUNTIME, "tokens", "a"], ">&-", b"standard output"),
        ([*RUNTIME, "info"], "<&- >&-", b"standard output"),
        ([*DISTILLER, "recipe"], ">&-", b"standard output"),
        ([*DISTILLER, "--help"], ">&-", b"standard output"),
        ([*RUNTIME, "encode", "a"], "<&- >&- 2>&-", None),
        ([*RUNTIME, "frob"], "2>&-", None),
        ([*DISTILLER, "frob"], "2>&-", None),
        ([*DISTILLER, "recipe", "no.toml"], "2>&-", None),
    ],
)
def test_a_closed_stream_is_one_line_and_status_2(command, redirection, says):
    done = shell(command, redirection)
    assert (done.returncode, done.stdout) == (2, b""), done.stderr
    if says is None:
        assert done.stderr == b""
    else:
        assert done.stderr.count(b"\n") == 1, done.stderr
        assert says in done.stderr


def test_closed_streams_that_are_not_needed_do_no_harm(tmp_path):
    # The output must not become the file with the number of standard error.
    out = tmp_path / "out.npy"
    done = shell([*RUNTIME, "encode", "-o", out, "a", "b"], "<&- >&- 2>&-")
    assert done.returncode == 0
    assert len(np.load(out)) == 2
    done = shell([*RUNTIME, "similarity", "a", "a"], "<&- 2>&-")
    assert (done.returncode, done.stdout) == (0, b"1.0000\n")


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("command", [[*RUNTIME, "tokens", "a"], [*DISTILLER, "recipe"]])
def test_a_full_disk_under_standard_output_is_one_line(tmp_path, command, buffered):
    full = tmp_path / "full"
    try:
        os.mknod(full, 0o600 | 0o020000, os.makedev(1, 7))
        with full.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
            file.write(b"x")
    except OSError:
        pytest.skip("no device node may be made here")
    done = shell(command, f"> '{full}'", PYTHONUNBUFFERED=buffered)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"No space left" in done.stderr


@pytest.mark.parametrize(
    "command", [[*RUNTIME, "info"], [*RUNTIME, "encode", *"abc"], [*DISTILLER, "recipe"]]
)
def test_a_reader_that_stops_early_ends_a_command_quietly(command):
    done = shell(command, "| head -n 1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp437:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "1"},
    ],
    ids=str,
)
def test_a_console_of_another_encoding_prints_every_language(tmp_path, environment):
    words = ["Zürich", "東京", "привет", "नमस्ते", "🙂"]
    model = tmp_path / "tökén.staticemb"
    save_with_tokens(model, words)
    for command in (
        ["tokens", "-m", model, " ".join(words)],
        ["encode", "-m", model, *words],
        ["similarity", "-m", model, words[0], words[1]],
        ["info", model],
    ):
        done = subprocess.run(
            [*RUNTIME, *command],
            env=os.environ | environment,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), command
        if command[0] == "tokens":
            assert [int(line.split()[1]) for line in done.stdout.splitlines()[1:]] == [
                0,
                1,
                2,
                3,
                4,
            ]
        if command[0] == "encode":
            assert "東京" in done.stdout.decode()
    failed = subprocess.run(
        [*RUNTIME, "info", tmp_path / "東京"],
        env=os.environ | environment,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (failed.returncode, failed.stderr.count(b"\n")) == (2, 1)


def save_with_tokens(path: Path, words):
    definition = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {
            "type": "WordLevel",
            "vocab": {word: at for at, word in enumerate([*words, "?"])},
            "unk_token": "?",
        },
    }
    table = np.eye(len(words) + 1, 8, dtype=np.float32)
    tokenizer = json.dumps(definition).encode()
    write(path, Parts(table, tokenizer), Settings(unknown_token_id=len(words)))
