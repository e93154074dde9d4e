"""Time to make a model from a teacher without text: our command and model2vec's `distill`.

Both have the same teacher and vocabulary, 256 dimensions, and a forward pass for each token. Whole
processes are timed, with imports and writing. They use all cores.
"""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import contestants
import harness

REPETITIONS = 3
BASE = "model2vec, distill"
_MODEL2VEC = """
import sys
from model2vec.distill import distill
distill(sys.argv[1], pca_dims=256, device="cpu").save_pretrained(sys.argv[2])
"""


def main() -> None:
    """Run and save."""
    harness.read_options()
    teacher = str(contestants.teacher_folder())
    with tempfile.TemporaryDirectory() as name:
        command = [
            "-m",
            "staticemb_distiller",
            "distill",
            teacher,
            "--dims",
            "256",
            "--quiet",
        ]
        programs = {"ours, --fit none": [*command, "--fit", "none", "-o", f"{name}/o.staticemb"]}
        peers, absent = contestants.present({BASE: lambda: _model2vec(teacher, f"{name}/peer")})
        calls = {
            program: lambda arguments=arguments: lambda: _run(arguments)
            for program, arguments in (programs | peers).items()
        }
        seconds = harness.measure(calls, harness.fewer(REPETITIONS))
    rows = {}
    for program, taken in seconds.items():
        rows[program] = {"seconds": round(statistics.median(taken), 1)}
        if BASE in seconds:
            rows[program]["times_model2vec"] = harness.ratio(seconds[BASE], taken)
        print(
            f"  {program:24} {rows[program]['seconds']:8.1f} s  {contestants.shown(rows[program])}"
        )
    harness.save("distillation", {"rows": rows, "not_measured": absent})


def _model2vec(teacher: str, output: str) -> list[str]:
    importlib.import_module("model2vec.distill")  # an extra: it may be missing by itself
    return ["-c", _MODEL2VEC, teacher, output]


def _run(arguments: list[str]) -> None:
    """Run Python in a new process that may use all cores."""
    environment = {**os.environ, **harness.ONE_THREAD}
    for name in harness.THREADS:
        del environment[name]
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    if not Path(arguments[-1]).exists():
        raise RuntimeError(f"{arguments}: nothing was written")


if __name__ == "__main__":
    main()
