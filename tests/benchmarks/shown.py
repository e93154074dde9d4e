"""Run a program with the benchmarks' modules, in a process of its own."""

import json
import os
import subprocess
import sys

from conftest import ROOT


def shown_by(program):
    """What a program prints, as JSON."""
    path = os.pathsep.join([str(ROOT / "benchmarks"), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
