"""Time and peak memory of new processes up to their first vector, and the time of each step.

The floor is `python -c "import numpy"`. Memory is the peak resident set. Beside it stand the bytes
that pip installs and those of the model. Ours is started with two texts, as it answers plain
English before it imports `tokenizers`; the peers read their whole tokenizer for any text. With a
thousand titles in place of one text, each has built all that it builds late.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import contestants
import harness
import installed
import programs
import texts
import vocabularies

REPETITIONS = 9
TEXT = "a first text"
OTHER = ", other text"
MANY = ", 1,000 titles"
# Their start takes ten seconds, beside which a thousand titles are nothing.
SLOW = ("sentence-transformers", "transformer")
# The steps of ours in the order in which a first call takes them.
_STEPS = """
import time; t = [time.perf_counter()]; add = lambda: t.append(time.perf_counter())
import numpy; add()
from staticemb_runtime import StaticModel; add()
model = StaticModel.load({path!r}); add()
import tokenizers; add()
model.tokenize({text!r}); add()
model.encode({text!r}); add()
print("steps", *[b - a for a, b in zip(t, t[1:])])"""
STEPS = (
    "import numpy",
    "import staticemb_runtime",
    "open the file",
    "import tokenizers",
    "read the tokenizer",
    "first vector",
)


def main() -> None:
    """Run and save."""
    harness.read_options()
    harness.one_core()
    # pip compiles every package that it installs, so the peers' packages are compiled, too.
    compileall.compile_dir(str(installed.RUNTIME), quiet=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # laghu keeps a file of each large vocabulary; the first repetition makes it.
        os.environ["LAGHU_CACHE"] = name
        unigram = f"ours int8, {programs.UNIGRAM}"
        files = contestants.our_files(folder)
        files[unigram] = vocabularies.unigram(folder, harness.fewer(250_000))
        found, absent = contestants.present(programs.others(folder))
        ours = programs.ours(files)
        titles, _ = texts.load("titles", harness.fewer(1_000))
        many = programs.file_of_texts(folder / "titles.json", titles)
        codes = {"python alone": "pass", "import numpy": "import numpy"}
        for name, program in (ours | found).items():
            codes[name] = program.code(programs.TEXT)
            if name in ours:
                codes[f"{name}{OTHER}"] = program.code(programs.OTHER_TEXT)
            if name not in SLOW:
                codes[f"{name}{MANY}"] = program.code(many)
        seconds, peaks = _run(codes, harness.fewer(REPETITIONS, least=2))
        steps = {
            "30,000 WordPiece tokens": _steps(files["ours int8"]),
            "250,000 Unigram tokens": _steps(files[unigram]),
        }
    rows = {name: _row(name, seconds, peaks) for name in codes}
    for name, program in (ours | found).items():
        rows[name]["model_bytes"] = program.model_bytes
    results = {"rows": rows, "steps_milliseconds": steps, "not_measured": absent}
    harness.save("start", results | {"installed_bytes": _installed()})


def _run(
    codes: dict[str, str], repetitions: int
) -> tuple[dict[str, list[float]], dict[str, list[int]]]:
    """Seconds and peak bytes of each program, by turns."""
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    peaks: dict[str, list[int]] = {name: [] for name in codes}
    for _ in range(repetitions):
        for program, code in codes.items():
            start = time.perf_counter()
            peak = harness.peak_of(code)
            seconds[program].append(time.perf_counter() - start)
            peaks[program].append(peak)
    return seconds, peaks


def _row(name: str, seconds: dict[str, list[float]], peaks: dict[str, list[int]]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "seconds": round(statistics.median(seconds[name]), 4),
        "times_import_numpy": harness.ratio(seconds[name], seconds["import numpy"]),
        "peak_megabytes": round(statistics.median(peaks[name]) / 1e6, 1),
    } | contestants.beside_base(seconds, name)
    print(
        f"  {name:36} {row['seconds'] * 1e3:8.1f} ms"
        f"  ×{row['times_import_numpy']['median']:.2f} of import numpy"
        f"   peak {row['peak_megabytes']:.1f} MB"
    )
    return row


def _steps(path: Path) -> dict[str, float]:
    """Measure the median of each step, and of the interpreter's own start and end, in ms."""
    runs = []
    for _ in range(harness.fewer(REPETITIONS, least=2)):
        start = time.perf_counter()
        printed = harness.in_fresh_process(_STEPS.format(path=str(path), text=TEXT))
        whole = time.perf_counter() - start
        steps = [float(step) for step in printed.split()[1:]]
        runs.append([*steps, whole - sum(steps)])
    medians = [round(statistics.median(column) * 1e3, 2) for column in zip(*runs, strict=True)]
    found = dict(zip((*STEPS, "python itself"), medians, strict=True))
    for step, milliseconds in found.items():
        print(f"  {step:36} {milliseconds:8.1f} ms")
    return found


def _installed() -> dict[str, dict[str, int]]:
    """Return the bytes of each package of a contestant, without contestants not installed."""
    found = {"ours, by `pip install --no-deps`": installed.alone("numpy", "tokenizers")}
    found["ours"] = installed.closure("numpy", "tokenizers") | found[next(iter(found))]
    for name in ("model2vec", "fastembed", "laghu[rust]", "wordllama", "sentence-transformers"):
        try:
            found[name] = installed.closure(name)
        except importlib.metadata.PackageNotFoundError as error:
            print(f"  {name}: bytes not measured: {error} is not installed")
    for name, sizes in found.items():
        print(f"  {name}: {sum(sizes.values()) / 1e6:,.1f} MB installed")
    return found


if __name__ == "__main__":
    main()
