"""Run benchmarks one after the other, each in a process of its own, then fill in the README.

python benchmarks/run.py                    all of them
python benchmarks/run.py throughput start   some
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness import ONE_THREAD

ALL = ("throughput", "latency", "start", "bound", "growth")


def main() -> int:
    """Run what was asked for; return 1 if any of it failed."""
    names = sys.argv[1:] or ALL
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no benchmark is called {unknown[0]!r}: there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    folder = Path(__file__).resolve().parent
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        environment = {**os.environ, **ONE_THREAD}
        command = [sys.executable, str(folder / f"{name}.py")]
        if subprocess.run(command, env=environment, check=False).returncode:
            failed.append(name)
    subprocess.run([sys.executable, str(folder / "report.py")], check=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
