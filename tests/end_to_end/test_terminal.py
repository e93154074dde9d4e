"""Both commands at a terminal."""

import json
import os
import re
import signal
import sys

import pytest

pytest.importorskip("pty")

from distiller import teachers
from staticemb_distiller.cli.main import COMMANDS
from staticemb_distiller.progress import Progress
from terminal import Terminal, screen

RUNTIME = [sys.executable, "-m", "staticemb_runtime"]
DISTILLER = [sys.executable, "-m", "staticemb_distiller"]


def shown(*command, **options):
    with Terminal(command, **options) as terminal:
        return terminal.finish()


# --- encode ---------------------------------------------------------------------------------------


def test_encode_shows_short_vectors():
    status, lines = shown(*RUNTIME, "encode", "hello", "a\x1b[31m text " + "word " * 50)
    assert status == 0
    assert lines[0] == "hello"
    numbers, rest = lines[1].split(" …")
    assert len(numbers.split()) == 8
    assert rest == " (192 numbers)"
    assert lines[2].startswith(r"a\x1b[31m text")
    assert "--full" in lines[4]
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("option", [["--full"], ["--output-format", "jsonl"]])
def test_encode_shows_whole_vectors_on_request(option):
    status, lines = shown(*RUNTIME, "encode", "hello", *option)
    assert status == 0
    assert len(json.loads(lines[0])["embedding"]) == 192


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_a_short_vector_of_few_numbers_is_whole(precision):
    request = ["--truncate-dim", "8", "--precision", precision]
    _, lines = shown(*RUNTIME, "encode", "hello", *request)
    count = 8 if precision == "int8" else 1
    assert re.fullmatch(rf"  (-?\d+ ){{{count}}}\({count} numbers\)", lines[1])


def test_encode_says_that_it_waits_and_answers_each_line():
    with Terminal([*RUNTIME, "encode"]) as terminal:
        terminal.wait_for("Ctrl-D ends")
        terminal.type("hello\n")
        terminal.wait_for(r"hello\r\nhello\r\n  .*192 numbers")
        terminal.type("second\n")
        terminal.wait_for(r"second\r\nsecond\r\n  .*192 numbers")
        terminal.type("\x04")
        assert terminal.finish()[0] == 0


def test_ctrl_c_at_a_waiting_encode_is_one_line():
    with Terminal([*RUNTIME, "encode"]) as terminal:
        terminal.wait_for("Ctrl-D ends")
        terminal.interrupt()
        status, lines = terminal.finish()
    assert status == 130
    assert lines[1:] == ["^Cstaticemb: interrupted", ""]


def test_a_terminal_that_closes_stops_encode_and_its_file(tmp_path):
    source = tmp_path / "many.txt"
    source.write_text("some words of a text\n" * 500_000)
    (tmp_path / "out").mkdir()
    command = [*RUNTIME, "encode", "-i", source, "-o", tmp_path / "out" / "v.npy"]
    with Terminal(command) as terminal:
        terminal.wait_for("texts, ")
        os.close(terminal.master)
        assert terminal.process.wait(60) == 129
        terminal.master = os.open(os.devnull, os.O_RDONLY)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_progress_line_has_rate_and_time_left_and_fits(tmp_path):
    source = tmp_path / "many.txt"
    source.write_text("some words of a text\n" * 60_000)
    command = [*RUNTIME, "encode", "-i", source, "-o", tmp_path / "v.npy"]
    with Terminal(command, size=(24, 80)) as terminal:
        terminal.wait_for(r"8,192 \(\d+ %\) texts, \d\.\d of 1\.3 MB, [\d,]+/s, \d+:\d\d left")
        terminal.resize(24, 30)
        status, lines = terminal.finish()
    assert status == 0
    assert re.match(r"60,000.* texts", lines[0])
    assert lines[1:] == [""]
    drawn = terminal.output.decode().split("\r")
    assert max(map(len, drawn)) < 80
    assert len(drawn[-2].rstrip("\n")) < 30


def test_an_error_stands_on_a_line_of_its_own_under_the_progress_line(tmp_path):
    source = tmp_path / "many.jsonl"
    source.write_text('{"text": "a"}\n' * 20_000 + "oops\n")
    status, lines = shown(*RUNTIME, "encode", "-i", source, "-o", tmp_path / "v.npy")
    assert status == 2
    assert lines[0].startswith("16,384")
    assert lines[1].startswith("staticemb: error: ")


# --- help and facts -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [RUNTIME, DISTILLER])
def test_a_bare_command_prints_its_help(command):
    status, lines = shown(*command)
    assert status == 2
    assert lines[0].startswith("usage: staticemb")
    assert any("evaluate" in line or "encode" in line for line in lines)
    assert len(lines) <= 24


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ([*RUNTIME, "encode", "--nosuch"], "see staticemb encode --help"),
        ([*RUNTIME, "encode", "a", "--frob", "-x"], "unrecognized arguments: --frob -x"),
        ([*RUNTIME, "--workers", "2", "encode", "a"], "staticemb encode --workers"),
        ([*RUNTIME, "--verify", "encode", "a"], "staticemb info --verify"),
        ([*RUNTIME, "--model=x"], "staticemb encode --model"),
        ([*RUNTIME, "--frob"], "unrecognized option: --frob"),
        ([*DISTILLER, "recipe", "--nosuch"], "see staticemb-distiller recipe --help"),
        ([*DISTILLER, "--dims", "3", "distill", "a"], "staticemb-distiller distill --dims"),
    ],
)
def test_an_unknown_option_points_to_its_command(command, says):
    status, lines = shown(*command, size=(24, 500))
    assert status == 2
    assert says in lines[0]
    assert lines[1:] == [""]


RUNTIME_COMMANDS = ("encode", "similarity", "tokens", "info", "bundle-lambda")


@pytest.mark.parametrize(
    "command",
    [
        *([*RUNTIME, name] for name in RUNTIME_COMMANDS),
        *([*DISTILLER, name] for name in COMMANDS),
    ],
    ids=lambda command: command[-1],
)
def test_help_fits_80_columns(command):
    status, lines = shown(*command, "--help")
    assert status == 0
    assert [line for line in lines if len(line) > 80] == []
    assert not any(re.search("(?<!=)VALUE", line) for line in lines)


def test_info_fits_24_rows_and_leaves_nothing_out_on_request():
    status, lines = shown(*RUNTIME, "info")
    assert status == 0
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert "--all" in lines[-2]
    assert [line for line in lines if line.startswith("teacher ")]
    whole = shown(*RUNTIME, "info", "--all", size=(24, 500))[1]
    assert len(whole) > 24
    assert not any("--all" in line for line in whole)
    assert shown(*RUNTIME, "info", size=(100, 500))[1][:15] == whole[:15]


# --- the distiller's bars -------------------------------------------------------------------------


def test_distill_draws_bars_and_keeps_them_apart_from_what_it_says(tmp_path):
    folder = teachers.build("bert", tmp_path / "teacher")
    command = [*DISTILLER, "distill", folder, "-o", tmp_path / "m", "--dims", "8", "--limit", "50"]
    status, lines = shown(*command, "--device", "cpu", size=(24, 300))  # no path is broken
    assert status == 0, lines
    starts = ["Loading", "Vocabulary: ", "Reading text: ", "Token vectors: 100%", "Texts: "]
    starts += ["Text vectors: 100%", "Fit, round 1: ", "Fit, round 2: ", "Rounding and writing"]
    starts += ["Wrote "]
    assert len(lines) == len(starts) + 1, lines
    for line, start in zip(lines, starts, strict=False):
        assert line.startswith(start)
        assert line.count("%|") == (start.endswith("100%"))
    assert all(len(line) <= 300 for line in lines if "%|" in line)


@pytest.mark.parametrize(
    ("number", "method", "step"),
    [
        (signal.SIGINT, "encode_ids", "Token vectors"),
        (signal.SIGTERM, "encode", "Text vectors"),
        (signal.SIGHUP, "encode", "Text vectors"),
    ],
)
def test_a_stopped_distill_says_so_on_a_line_of_its_own(tmp_path, number, method, step):
    folder = teachers.build("bert", tmp_path / "teacher")
    program = (
        "import sys, time\n"
        "from staticemb_distiller.teacher import Teacher\n"
        f"Teacher.{method} = lambda *a, **k: time.sleep(60)\n"
        "from staticemb_distiller.__main__ import main\n"
        "sys.exit(main())\n"
    )
    command = [sys.executable, "-c", program, "distill", folder, "-o", tmp_path / "m", "--dims=8"]
    with Terminal([*command, "--device", "cpu"]) as terminal:
        terminal.wait_for(f"{step}:.*00:0[1-9]")  # the bar goes on while nothing comes
        terminal.process.send_signal(number)
        status, lines = terminal.finish()
    assert status == 128 + number
    said = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    assert lines[-2] == f"staticemb-distiller: {said}"
    assert lines[-3].startswith(f"{step}:   0%")
    assert [path.name for path in tmp_path.iterdir()] == ["teacher"]


def test_notes_and_bars_take_lines_of_their_own():
    program = (
        "import time\n"
        "from staticemb_distiller.progress import Progress\n"
        "with Progress() as progress:\n"
        "    progress.note('one')\n"
        "    time.sleep(1.5)\n"
        "    progress.note('two')\n"
        "    with progress.track('bar', 4, 'steps') as advance:\n"
        "        advance(2)\n"
        "        progress.note('three')\n"
        "        advance(2)\n"
        "        progress.note('four')\n"
        "    progress.status('waiting')\n"
        "    with progress.track('broken off', 4, 'steps') as advance:\n"
        "        advance(1)\n"
        "    progress.status('waiting')\n"
        "print('end')\n"
    )
    with Terminal([sys.executable, "-c", program]) as terminal:
        status, lines = terminal.finish()
    assert status == 0
    patterns = [
        "one",
        "two",
        "three",
        r"bar: 100%.* steps/s\]",
        "four",
        "broken off:  25%.*",
        "end",
        "",
    ]
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), lines
    assert "[00:01]" in terminal.output.decode()
    assert "waiting [00:00]" in terminal.output.decode()


def test_a_long_note_is_broken_at_words():
    program = (
        "from staticemb_distiller.progress import Progress\n"
        "with Progress() as progress:\n"
        "    progress.warn('warning: train-set.tsv: 4 texts appear again among the others')\n"
        "    progress.note('  accuracy    90.8')\n"
    )
    with Terminal([sys.executable, "-c", program], size=(24, 30)) as terminal:
        status, lines = terminal.finish()
    assert status == 0
    assert lines == [
        "warning: train-set.tsv: 4",
        "texts appear again among the",
        "others",
        "  accuracy    90.8",
        "",
    ]


class Gone:
    """A terminal that was closed."""

    encoding = "utf-8"

    def isatty(self):
        return True

    def write(self, text):
        raise OSError(5, "Input/output error")

    def flush(self):
        self.write("")


def test_work_goes_on_where_the_terminal_is_gone():
    done = 0
    with Progress(Gone()) as progress:
        progress.note("one")
        with progress.track("bar", 3, "steps") as advance:
            for _ in range(3):
                advance(1)
                done += 1
    assert done == 3


def test_the_screen_is_what_a_terminal_shows():
    assert screen("ab\rc\r\nde\x1b[K\rx\x1b[K\n") == ["cb", "x", ""]
