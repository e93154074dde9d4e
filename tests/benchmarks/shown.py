"""Run a program with the benchmarks' modules, in a process of its own."""

import json
import os
import subprocess
import sys

from conftest import ROOT


def benchmark_environment():
    """The environment of a process that imports the benchmarks' modules."""
    path = os.pathsep.join([str(ROOT / "benchmarks"), os.environ["PYTHONPATH"]])
    return {**os.environ, "PYTHONPATH": path}


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
