"""`staticemb index`: make a search index of files and folders, or go on with one."""

from __future__ import annotations

import argparse
import itertools
import sys
from typing import TYPE_CHECKING

from ..encoding.progress import Progress
from ..errors import InvalidOptionError
from ..loading.installed import chosen, model_files
from ..records.output_file import refuse_inputs
from .file_indexing import FileIndexing
from .index_options import (
    PASSAGE_CHARACTERS,
    add_file_options,
    add_index_options,
    existing_index,
    new_index_options,
)
from .parser import CommandParser
from .sources import StandardError, add_sources

if TYPE_CHECKING:
    from ..search import Added, Index


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    index = commands.add_parser(
        "index",
        parents=[model],
        help="make a search index of files",
        description="Put documents into a search index, one file that `staticemb search` reads. "
        "Running the same command again adds new documents, replaces changed ones and skips the "
        "others, so it also goes on after an interruption. A file that cannot be read is named and "
        "left out, from its first faulty row on, and the exit status is then 1, or 2 if nothing "
        "could be read.",
    )
    index.set_defaults(run=run)
    add_sources(index)
    index.add_argument(
        "-o", "--output", required=True, metavar="INDEX", help="the index; made if it is missing"
    )
    index.add_argument(
        "--passage-characters",
        type=int,
        metavar="N",
        help="cut documents that are longer into passages, at the ends of sentences; 0: never "
        f"[{PASSAGE_CHARACTERS}]",
    )
    add_file_options(index)
    add_index_options(index)
    index.add_argument("--quiet", action="store_true", help="show no progress bar and no notes")


def run(options: argparse.Namespace) -> int:
    """Add the documents."""
    from ..search import Index  # late: it imports numpy and sqlite3

    characters = options.passage_characters
    if characters is not None and characters < 0:
        raise InvalidOptionError(f"--passage-characters: expected 0 or more, found {characters}")
    output = options.output
    files = FileIndexing(options, StandardError(quiet=options.quiet))
    model = chosen() if options.model is None else options.model
    # A folder may hold the index that an earlier run made.
    refuse_inputs(output, [*files.sources.files, *model_files(model)])
    if (existing := existing_index(output, options, characters)) is not None:
        existing.close()
    length = PASSAGE_CHARACTERS if characters is None else characters
    with Index.create(
        output,
        # A model that was not named is the one that the index was made with.
        model if existing is None else options.model,
        passage_characters=length or None,
        exist_ok=True,
        **new_index_options(options),
    ) as index:
        return files.finish(index, _add(index, files, options))


def _add(index: Index, files: FileIndexing, options: argparse.Namespace) -> Added:
    show = not options.quiet and sys.stderr.isatty()
    # The index reads the four columns in step, so that `tee` holds a few rows.
    ids, texts, metadata, names = itertools.tee(files.documents(), 4)
    position = files.sources.position
    try:
        with Progress(None, unit="documents", enabled=show, position=position) as progress:
            return index.add(
                (document.text for document in texts),
                ids=(document.id for document in ids),
                metadata=(document.metadata for document in metadata),
                sources=(document.file for document in names),
                progress=lambda done: progress.advance(done - progress.done),
            )
    except (KeyboardInterrupt, SystemExit):
        if not options.quiet:
            note = "what was added so far stays; the same command goes on from there"
            print(f"staticemb: {note}", file=sys.stderr)
        raise
