"""`staticemb tokens`: print a text's tokens with their weights and rows."""

from __future__ import annotations

import argparse

from ..model import StaticModel
from ..records.places import placed
from .parser import CommandParser
from .process import given_text, printable


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    tokens = commands.add_parser(
        "tokens",
        parents=[model],
        help="print a text's tokens with their weights and table rows",
        description="Print a text's tokens, each with its id, its row in the table, the row's "
        "weight and the row's norm.",
    )
    tokens.set_defaults(run=run)
    tokens.add_argument("text", type=given_text, metavar="TEXT", help="the text to cut into tokens")


def run(options: argparse.Namespace) -> int:
    """Print a table, one token per line."""
    model = StaticModel.load(options.model)
    table = [("token", "id", "row", "weight", "norm")]
    with placed(lambda index: "text 1"):
        tokens = model.explain(options.text)
    for token in tokens:
        table.append(
            (
                printable(token.piece),
                str(token.id),
                str(token.row),
                f"{token.weight:.4g}",
                f"{token.norm:.4f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells))
    return 0
