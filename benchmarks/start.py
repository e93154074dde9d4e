"""Time and peak memory of new processes up to their first vector, and the time of each step.

`python -c "import numpy"` is the lower limit. Memory is the peak resident set. The results also
hold the bytes of the installed packages and of the model.
"""

from __future__ import annotations

import compileall
import importlib
import importlib.metadata
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contestants
import harness
import installed
import vocabularies

from staticemb_runtime.loading import DEFAULT_FILE

REPETITIONS = 9
# Not ru_maxrss, which a child inherits from the process that started it.
_PEAK = (
    "; print('peak', next(int(line.split()[1]) for line in open('/proc/self/status')"
    " if line.startswith('VmHWM')))"
)
TEXT = "a first text"
# Needs `tokenizers`: the import, and its reading of the vocabulary, are part of the time.
ACCENTED = "a first résumé"
# The steps of our start, in the order of a first call.
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
        ours = {
            "ours int8": contestants.write_file(folder, "int8"),
            "ours float32": contestants.write_file(folder, "float32"),
            contestants.BUNDLED: Path(DEFAULT_FILE),
            "ours int8, 250,000 Unigram tokens": vocabularies.unigram(
                folder, harness.fewer(250_000)
            ),
        }
        peers, absent = contestants.present(_peers(folder), contestants.NEVER)
        programs = {"python alone": "pass", "import numpy": "import numpy"}
        load = "from staticemb_runtime import StaticModel; StaticModel.load({!r}).encode({!r})"
        programs |= {name: load.format(str(path), TEXT) for name, path in ours.items()}
        programs["ours int8, accented text"] = load.format(str(ours["ours int8"]), ACCENTED)
        programs |= {name: code for name, (code, _) in peers.items()}
        seconds, peaks = _run(programs, harness.fewer(REPETITIONS, least=2))
        sizes = {name: path.stat().st_size for name, path in ours.items()}
        sizes |= {name: size for name, (_, size) in peers.items()}
        steps = {
            "30,000 WordPiece tokens": _steps(ours["ours int8"]),
            "250,000 Unigram tokens": _steps(ours["ours int8, 250,000 Unigram tokens"]),
        }
    rows = {name: _row(name, seconds, peaks) for name in programs}
    for name, size in sizes.items():
        rows[name]["model_bytes"] = size
    results = {"rows": rows, "steps_milliseconds": steps, "not_measured": absent}
    harness.save("start", results | {"installed_bytes": _installed()})


def _peers(folder: Path) -> dict[str, Callable[[], tuple[str, int]]]:
    """Return a function for each peer, which makes the model and returns program and bytes."""
    transformers = (
        "from sentence_transformers import SentenceTransformer; "
        "SentenceTransformer({!r}, device='cpu').encode({!r}, show_progress_bar=False)"
    )

    def model2vec() -> tuple[str, int]:
        path = contestants.save_model2vec(folder / "model2vec")
        code = "from model2vec import StaticModel; StaticModel.from_pretrained({!r}).encode({!r})"
        return code.format(str(path), TEXT), contestants.model_bytes(path)

    def static() -> tuple[str, int]:
        path = contestants.save_sentence_transformers(folder / "static")
        return transformers.format(str(path), TEXT), contestants.model_bytes(path)

    def wordllama() -> tuple[str, int]:
        path = contestants.wordllama_folder()
        code = (
            "from wordllama import WordLlama; "
            "WordLlama.load(cache_dir={!r}, disable_download=True).embed({!r}, norm=True)"
        )
        return code.format(str(path), TEXT), contestants.model_bytes(path)

    def teacher() -> tuple[str, int]:
        path = contestants.teacher_folder()
        importlib.import_module("sentence_transformers")
        return transformers.format(str(path), TEXT), contestants.model_bytes(path)

    return {
        contestants.BASE: model2vec,
        "sentence-transformers": static,
        "WordLlama": wordllama,
        "transformer": teacher,
    }


def _run(
    programs: dict[str, str], repetitions: int
) -> tuple[dict[str, list[float]], dict[str, list[int]]]:
    """Run the programs in turn, and repeat; return the seconds and peak bytes of each run."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    peaks: dict[str, list[int]] = {name: [] for name in programs}
    for _ in range(repetitions):
        for program, code in programs.items():
            start = time.perf_counter()
            printed = harness.in_fresh_process(code + _PEAK)
            seconds[program].append(time.perf_counter() - start)
            peaks[program].append(int(printed.rpartition("peak ")[2]) * 1024)
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
    for name in ("model2vec", "wordllama", "sentence-transformers"):
        try:
            found[name] = installed.closure(name)
        except importlib.metadata.PackageNotFoundError as error:
            print(f"  {name}: bytes not measured: {error} is not installed")
    for name, sizes in found.items():
        print(f"  {name}: {sum(sizes.values()) / 1e6:,.1f} MB installed")
    return found


if __name__ == "__main__":
    main()
