"""The command `staticemb`; each subcommand has a module.

Results go to standard output, all other text to standard error. An error prints one line and exits
with status 2. Ctrl-C exits with 130, SIGTERM with 143, SIGHUP with 129. If the reader of standard
output closes it early, the command ends without an error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .. import __version__
from ..loading.installed import MODEL_HELP, chosen
from . import (
    bundle_lambda,
    classify,
    dedup,
    encode,
    export,
    index,
    info,
    search,
    serve,
    similarity,
    tokens,
)
from .parser import CommandParser, parse_command
from .process import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command("staticemb", lambda: run(given))


def run(arguments: Sequence[str]) -> int:
    """Run the command inside `run_command`; return its exit status."""
    parser, commands = _parser()
    options = parse_command(parser, commands, arguments)
    status: int = options.run(options)
    return status


def _parser() -> tuple[CommandParser, argparse._SubParsersAction[CommandParser]]:
    parser = CommandParser(
        prog="staticemb",
        description="Embed text with static models, on any CPU.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"staticemb-runtime {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    model = _model_option(chosen())
    # An index that exists has a model of its own, which the environment does not replace.
    named = _model_option(None)

    encode.add_parser(commands, model)
    classify.add_parser(commands, model)
    similarity.add_parser(commands, model)
    tokens.add_parser(commands, model)
    info.add_parser(commands)
    index.add_parser(commands, named)
    search.add_parser(commands)
    export.add_parser(commands)
    dedup.add_parser(commands, model)
    serve.add_parser(commands)
    bundle_lambda.add_parser(commands, named)
    return parser, commands


def _model_option(default: str | None) -> CommandParser:
    parser = CommandParser(add_help=False)
    parser.add_argument("-m", "--model", metavar="MODEL", default=default, help=MODEL_HELP)
    return parser
