"""`staticemb index`: make a search index of files and folders, or go on with one."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..encoding.progress import Progress
from ..errors import InvalidOptionError
from ..loading.installed import chosen, model_files
from ..records.output_file import refuse_inputs
from .index_options import PASSAGE_CHARACTERS, add_index_options
from .parser import CommandParser
from .process import printable
from .sources import Sources, add_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..search import Index


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    index = commands.add_parser(
        "index",
        parents=[model],
        help="make a search index of files",
        description="Put documents into a search index, one file that `staticemb search` reads. "
        "Running the same command again adds new documents, replaces changed ones and skips the "
        "others, so it also goes on after an interruption.",
    )
    index.set_defaults(run=run)
    add_sources(index)
    index.add_argument(
        "-o", "--output", required=True, metavar="INDEX", help="the index; made if it is missing"
    )
    index.add_argument(
        "--id-column",
        metavar="NAME",
        help="the column that holds the id. Default: _id, id or another usual name; without such a "
        "column an id is the file's name and the line",
    )
    index.add_argument(
        "--passage-characters",
        type=int,
        default=PASSAGE_CHARACTERS,
        metavar="N",
        help="cut documents that are longer into passages, at the ends of sentences; 0: never "
        f"[{PASSAGE_CHARACTERS}]",
    )
    add_index_options(index)
    index.add_argument("--quiet", action="store_true", help="show no progress bar and no notes")


def run(options: argparse.Namespace) -> int:
    """Add the documents."""
    from ..search import Index  # late: it imports numpy and sqlite3

    if options.passage_characters < 0:
        raise InvalidOptionError(
            f"--passage-characters: expected 0 or more, found {options.passage_characters}"
        )
    output = options.output
    sources = Sources(options, quiet=options.quiet)
    # A folder may hold the index that an earlier run made.
    refuse_inputs(output, [*sources.files, *model_files(options.model)])
    is_new = not Path(output).exists()
    if is_new:
        index = Index.create(
            output,
            options.model,
            precision=options.precision,
            truncate_dim=options.truncate_dim,
            words="trigrams" if options.trigrams else "auto",
            passage_characters=options.passage_characters or None,
            store_model=options.store_model,
        )
    else:
        # A model that was not named is the one that the index was made with.
        model = None if options.model == chosen() else options.model
        index = Index.open(output, model, mode="write")
    with index:
        _add(index, sources, quiet=options.quiet)
    return 0


def _add(index: Index, sources: Sources, *, quiet: bool) -> None:
    show = not quiet and sys.stderr.isatty()
    documents = _documents(sources)
    # The index reads the three columns in step, so that `tee` holds a few rows.
    ids, texts, metadata = itertools.tee(documents, 3)
    try:
        with Progress(None, unit="documents", enabled=show, position=sources.position) as progress:
            added = index.add(
                (text for _, text, _ in texts),
                ids=(key for key, _, _ in ids),
                metadata=(members for _, _, members in metadata),
                progress=lambda done: progress.advance(done - progress.done),
            )
    except (KeyboardInterrupt, SystemExit):
        if not quiet:
            note = "what was added so far stays; the same command goes on from there"
            print(f"staticemb: {note}", file=sys.stderr)
        raise
    index.optimize()
    if not quiet:
        info = index.info()
        counts = f"{added.new:,} new, {added.replaced:,} replaced, {added.unchanged:,} unchanged"
        passages = "" if info.passages == info.documents else f" in {info.passages:,} passages"
        print(
            f"{printable(info.path)}: {counts}; {info.documents:,} documents{passages}",
            file=sys.stderr,
        )


def _documents(sources: Sources) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Iterate over id, text and metadata; dates and other values become what JSON can hold."""
    for document in sources:
        yield document.id, document.text, document.metadata(sources.columns)
