"""The command line: `staticemb-distiller COMMAND …`.

A command is a module with `add_arguments(parser)` and `run(arguments) -> int`, named in `COMMANDS`.
It is imported only when the user names it, so that `--help` does not wait for torch.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from staticemb_runtime.cli import CommandParser, parse_command, run_command

from ..errors import DistillerError
from ..version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "adapt": (".adapt", "fit a static embedding file to a collection of documents"),
    "convert": (".convert", "convert a model of another library to a static embedding file"),
    "distill": (".distill", "make a static embedding file from a Sentence Transformer"),
    "evaluate": (".evaluate", "measure models on tasks, and compare them with baselines"),
    "export": (".export", "convert a static embedding file to a model of another library"),
    "fit-head": (
        ".fit_head",
        "fit a classifier or regressor to the vectors of a file",
    ),
    "index": (".index", "make a search index with a teacher's vectors"),
    "push": (".push", "upload a static embedding file to the Hugging Face Hub"),
    "recipe": (".recipe", "print the recipe of a file, or the default recipe"),
    "train": (".train", "train a static embedding file on pairs of texts and other examples"),
    "wheel": (".wheel", "put a static embedding file into a wheel, which pip can install"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; None: the arguments of the process.

    Returns:
        The exit status: 0 on success, 2 on invalid input, 130 after Ctrl-C, 143 after SIGTERM, 129
        after SIGHUP.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: run(arguments))


def guarded(work: Callable[[], int]) -> int:
    """Call `work` as a command: print an error as one line, and no traceback on interruption.

    Args:
        work: Returns an exit status.

    Returns:
        The status of `work`, or the status that `run_command` gives for an error.
    """
    return run_command("staticemb-distiller", work, errors=(DistillerError,))


def run(arguments: list[str]) -> int:
    """Run a command within `guarded`; return its exit status."""
    parser = CommandParser(
        prog="staticemb-distiller",
        description="Make static embedding files from Sentence Transformers; train, measure, "
        "convert and publish them.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    selected = next((word for word in arguments if word in COMMANDS), None)
    selected_run = None
    for name, (module_name, summary) in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}."
        )
        if name == selected:
            module = importlib.import_module(module_name, __package__)
            module.add_arguments(command)
            selected_run = module.run
    parsed = parse_command(parser, commands, arguments)
    assert selected_run is not None, "argparse refuses a command that is not in COMMANDS"
    status: int = selected_run(parsed)
    return status
