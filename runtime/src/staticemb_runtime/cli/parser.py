"""The argument parser of both commands: an error is one line that names the help."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from .process import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class CommandParser(argparse.ArgumentParser):
    """A parser that prints each error of a command or subcommand as one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and the command that prints the help; exit with status 2."""
        program = self.prog.partition(" ")[0]
        line = printable(" ".join(message.split()))
        self.exit(2, f"{program}: error: {line} (see {self.prog} --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401
        """Print; raise the errors of printing, such as a full disk, which argparse ignores."""
        (file or sys.stderr).write(message or "")


def parse_command(
    parser: CommandParser,
    commands: argparse._SubParsersAction[CommandParser],
    arguments: Sequence[str],
) -> argparse.Namespace:
    """Parse a command line.

    Without arguments, print the help on standard error and exit with status 2.

    Args:
        parser: the parser of the command.
        commands: its subcommands; `dest` is `command`.
        arguments: the arguments of the process.

    Returns:
        The values of the arguments.
    """
    if not arguments:
        parser.print_help(sys.stderr)
        parser.exit(2)
    name = arguments[0].partition("=")[0]
    if name.startswith("-") and not _mentions(parser, name):
        owners = [
            command for command, subparser in commands.choices.items() if _mentions(subparser, name)
        ]
        if owners:
            named = [word for word in arguments if word in owners]
            parser.error(
                f"{name}: expected after the command: {parser.prog} {(named or owners)[0]} {name}"
            )
        parser.error(f"unrecognized option: {name}")
    values, unknown = parser.parse_known_args(arguments)
    if unknown:
        # argparse gives an optional argument its default at the first option: `INDEX -k 3 QUERY`.
        subcommand: Any = commands.choices[values.command]
        command = values.command
        rest = list(arguments)[list(arguments).index(command) + 1 :]
        values, unknown = subcommand.parse_known_intermixed_args(rest)
        values.command = command
    if unknown:
        subcommand.error(f"unrecognized arguments: {' '.join(unknown)}")
    return values


def _mentions(parser: argparse.ArgumentParser, option: str) -> bool:
    """Return whether a parser's help lists an option."""
    return bool(re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", parser.format_help()))
