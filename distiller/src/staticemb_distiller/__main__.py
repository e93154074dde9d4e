"""The entry point of `staticemb-distiller` and of `python -m staticemb_distiller`.

It handles signals and closed streams before it imports slow modules.
"""

from __future__ import annotations

import sys

from staticemb_runtime.cli import run_command

from .errors import DistillerError


def main() -> int:
    """Run the command with the process's arguments and return the exit status."""
    return run_command("staticemb-distiller", _run, errors=(DistillerError,))


def _run() -> int:
    from .cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
