"""`staticemb export`: write the passages of a search index with their vectors as Parquet."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..encoding.progress import Progress
from .process import printable

if TYPE_CHECKING:
    from .parser import CommandParser


def add_parser(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Declare the subcommand."""
    export = commands.add_parser(
        "export",
        help="write a search index with its vectors as Parquet",
        description="Write all passages of a search index with their vectors as Parquet, for "
        "vector databases and data frames. A row has the columns id, passage, start, stop, text, "
        "metadata (JSON), source and embedding.",
    )
    export.set_defaults(run=run)
    export.add_argument("index", metavar="INDEX", help="an index that `staticemb index` made")
    export.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the file to write; its name ends in .parquet",
    )
    export.add_argument("--quiet", action="store_true", help="show no progress bar and no notes")


def run(options: argparse.Namespace) -> int:
    """Write the file."""
    from ..search import Index  # late: it imports numpy and sqlite3
    from ..search.export import check_target

    check_target(options.output, options.index)
    show = not options.quiet and sys.stderr.isatty()
    with Index.open(options.index) as index:
        total = index.info().passages
        with Progress(total, unit="passages", enabled=show) as progress:
            count = index.export(
                options.output, progress=lambda done: progress.advance(done - progress.done)
            )
    if not options.quiet:
        print(f"{printable(options.output)}: {count:,} passages", file=sys.stderr)
    return 0
