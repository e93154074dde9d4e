"""Run a program or a benchmark with the benchmarks' modules, in a process of its own."""

import json
import os
import subprocess
import sys

from conftest import ROOT


def benchmark_environment():
    """The environment of a process that imports the benchmarks' modules."""
    path = os.pathsep.join([str(ROOT / "benchmarks"), os.environ["PYTHONPATH"]])
    return {**os.environ, "PYTHONPATH": path}


def run_benchmark(arguments, folder):
    """Run a benchmark, a file and its arguments, that saves its results in a folder."""
    done = subprocess.run(
        [sys.executable, *arguments, "--results", str(folder)],
        env=benchmark_environment(),
        cwd=ROOT / "benchmarks",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr


def shown_by(program):
    """What a program prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=benchmark_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
