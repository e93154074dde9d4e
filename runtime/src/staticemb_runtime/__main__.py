"""The entry point of the command `staticemb` and of `python -m staticemb_runtime`.

It sets up signals and closed streams before `cli.main` imports numpy.
"""

from __future__ import annotations

import sys

from .cli.process import run_command


def main() -> int:
    """Run the command with the arguments of the process; return its exit status."""
    return run_command("staticemb", _run)


def _run() -> int:
    from .cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
