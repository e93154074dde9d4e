"""Run benchmarks one after the other, each in its own process, then fill the figures of docs/.

python benchmarks/run.py                    all of them, about an hour
python benchmarks/run.py throughput start   some
python benchmarks/run.py --quick            a minute, to see that all of them run
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import harness

ALL = (
    "throughput",
    "latency",
    "start",
    "layouts",
    "parts",
    "growth",
    "distillation",
    "search",
    "search_scaling",
    "duplicates",
    "aws_lambda",
    "bulk",
    "serving",
    "image",
)


def main() -> int:
    """Run the chosen benchmarks; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}")
    harness.add_options(parser)
    chosen = parser.parse_args(namespace=harness.OPTIONS)
    for name in chosen.names:
        if name not in ALL:
            parser.error(f"no benchmark is called {name!r}: there are {', '.join(ALL)}")
    harness.check_clean()
    passed_on = ["--quick"] if chosen.quick else []
    if chosen.results:
        passed_on += ["--results", str(chosen.results)]
    folder = Path(__file__).resolve().parent
    environment = {**os.environ, **harness.ONE_THREAD}
    failed = []
    for name in chosen.names or ALL:
        print(f"== {name}", flush=True)
        began = time.perf_counter()
        command = [sys.executable, str(folder / f"{name}.py"), *passed_on]
        if subprocess.run(command, env=environment, check=False).returncode:
            failed.append(name)
        print(f"   {time.perf_counter() - began:.0f} seconds", flush=True)
    if not passed_on:
        report = [sys.executable, str(folder / "report.py")]
        if subprocess.run(report, check=False).returncode:
            failed.append("report")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
