"""The argument parser of both commands: one line for each error, and where to read more."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from .process import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors, and those of its commands, are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and the command whose help says more; exit with status 2."""
        program = self.prog.partition(" ")[0]
        said = printable(" ".join(message.split()))
        self.exit(2, f"{program}: error: {said} (see {self.prog} --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401
        """Print; what cannot be printed, on a full disk say, is an error, not passed over."""
        (file or sys.stderr).write(message or "")


def parse_command(
    parser: CommandParser,
    commands: argparse._SubParsersAction[CommandParser],
    arguments: Sequence[str],
) -> argparse.Namespace:
    """Parse a command and its arguments.

    Without arguments it prints the help on standard error and exits with status 2.

    Args:
        parser: the parser of the whole.
        commands: its commands; `dest` is `command`.
        arguments: what was given.

    Returns:
        The arguments' values.
    """
    if not arguments:
        parser.print_help(sys.stderr)
        parser.exit(2)
    name = arguments[0].partition("=")[0]
    if name.startswith("-") and not _mentions(parser, name):
        owners = [command for command, its in commands.choices.items() if _mentions(its, name)]
        if owners:
            named = [word for word in arguments if word in owners]
            parser.error(
                f"{name}: expected after the command: {parser.prog} {(named or owners)[0]} {name}"
            )
        parser.error(f"unrecognized option: {name}")
    values, rest = parser.parse_known_args(arguments)
    if rest:
        chosen: Any = commands.choices[values.command]
        chosen.error(f"unrecognized arguments: {' '.join(rest)}")
    return values


def _mentions(parser: argparse.ArgumentParser, option: str) -> bool:
    """Whether a parser's help has an option."""
    return bool(re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", parser.format_help()))
