"""The command line: `staticemb-distiller COMMAND …`.

A command is a module with `add_arguments(parser)` and `run(arguments) -> int`, named in `COMMANDS`.
It is imported only when it is chosen, so that `--help` does not wait for torch.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from staticemb_runtime.errors import StaticEmbError

from . import __version__
from .errors import DistillerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "convert": (".commands.convert", "rewrite a model of another library as a file"),
    "distill": (".commands.distill", "make a static embedding file from a Sentence Transformer"),
    "evaluate": (".commands.evaluate", "measure models on tasks in plain files, beside baselines"),
    "export": (".commands.export", "write a file as a model of another library"),
    "push": (".commands.push", "upload a file to the Hugging Face Hub"),
    "recipe": (".commands.recipe", "print the recipe that a file was made by, or the defaults"),
    "train": (".commands.train", "train a static embedding file on pairs and other examples"),
    "wheel": (".commands.wheel", "make a wheel for pip of a static embedding file"),
}

INTERRUPTED = 130
TERMINATED = 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; those of the process if None.

    Returns:
        The exit status: 0 if all went well, 2 if the input was bad, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _run(arguments))


def guarded(work: Callable[[], int]) -> int:
    """Do something as a command does it: errors are one line, and stopping it leaves no traceback.

    Args:
        work: Returns an exit status.

    Returns:
        That status; 2 if the input was bad, 130 after Ctrl-C.
    """
    try:
        # What was begun is cleaned up on a polite request to stop, as it is on Ctrl-C.
        signal.signal(signal.SIGTERM, _terminate)
        return work()
    except KeyboardInterrupt:
        print("staticemb-distiller: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (DistillerError, StaticEmbError, OSError) as error:
        print(f"staticemb-distiller: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """Its errors, and those of its commands, are one line; `--help` tells how it is used."""

    def error(self, message: str) -> NoReturn:
        said = " ".join(message.split())
        self.exit(2, f"staticemb-distiller: error: {said} (see {self.prog} --help)\n")


def _run(arguments: list[str]) -> int:
    parser = _Parser(
        prog="staticemb-distiller",
        description="Make static embedding files from Sentence Transformers.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    run = None
    for name, (module_name, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
        if name == chosen:
            module = importlib.import_module(module_name, __package__)
            module.add_arguments(command)
            run = module.run
    parsed = parser.parse_args(arguments)
    assert run is not None, "argparse refuses a command that is not in COMMANDS"
    status: int = run(parsed)
    return status


def _terminate(number: int, frame: object) -> NoReturn:
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
