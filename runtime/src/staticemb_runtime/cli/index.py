"""`staticemb index`: make a search index of files and folders, or go on with one."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..encoding.progress import Progress
from ..errors import InvalidOptionError
from ..loading.installed import chosen, model_files
from ..records.output_file import refuse_inputs
from .index_options import PASSAGE_CHARACTERS, add_index_options
from .parser import CommandParser
from .process import FAILED, printable
from .prune import SeenDocuments
from .sources import Sources, add_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..search import Index

SOME_LEFT_OUT: Final = 1
"""The exit status if some files could not be read and all others are indexed."""


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    index = commands.add_parser(
        "index",
        parents=[model],
        help="make a search index of files",
        description="Put documents into a search index, one file that `staticemb search` reads. "
        "Running the same command again adds new documents, replaces changed ones and skips the "
        "others, so it also goes on after an interruption. A file that cannot be read is named and "
        "left out, and the exit status is then 1, or 2 if no file could be read.",
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
    index.add_argument(
        "--prune",
        action="store_true",
        help="delete the documents that earlier runs read from these files and folders and that "
        "are not in them any more",
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
    sources = Sources(options, quiet=options.quiet, skip=True)
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
        _add(index, sources, options)
    if not sources.skipped:
        return 0
    count = len(sources.skipped)
    are = "1 file or folder was" if count == 1 else f"{count:,} files or folders were"
    print(f"staticemb: {are} left out, see above", file=sys.stderr)
    return FAILED if set(sources.files) <= sources.skipped.keys() else SOME_LEFT_OUT


def _add(index: Index, sources: Sources, options: argparse.Namespace) -> None:
    show = not options.quiet and sys.stderr.isatty()
    seen = SeenDocuments()
    # The index reads the four columns in step, so that `tee` holds a few rows.
    ids, texts, metadata, files = itertools.tee(_documents(sources, seen), 4)
    try:
        with Progress(None, unit="documents", enabled=show, position=sources.position) as progress:
            added = index.add(
                (document.text for document in texts),
                ids=(document.id for document in ids),
                metadata=(document.metadata for document in metadata),
                sources=(document.file for document in files),
                progress=lambda done: progress.advance(done - progress.done),
            )
    except (KeyboardInterrupt, SystemExit):
        if not options.quiet:
            note = "what was added so far stays; the same command goes on from there"
            print(f"staticemb: {note}", file=sys.stderr)
        raise
    gone = seen.gone(index.sources(), options.sources, sources.skipped)
    deleted = index.delete(gone) if options.prune else 0
    index.optimize()
    if not options.quiet:
        info = index.info()
        counts = f"{added.new:,} new, {added.replaced:,} replaced, {added.unchanged:,} unchanged"
        if deleted:
            counts += f", {deleted:,} deleted"
        passages = "" if info.passages == info.documents else f" in {info.passages:,} passages"
        print(
            f"{printable(info.path)}: {counts}; {info.documents:,} documents{passages}",
            file=sys.stderr,
        )
        if len(gone) > deleted:
            are = "1 document is" if len(gone) == 1 else f"{len(gone):,} documents are"
            note = f"{are} in these files no more; --prune deletes what is gone"
            print(f"staticemb: note: {note}", file=sys.stderr)


class _NewDocument(NamedTuple):
    """A document of a file; dates and other values of its metadata are what JSON can hold."""

    id: str
    text: str
    metadata: dict[str, Any]
    file: str


def _documents(sources: Sources, seen: SeenDocuments) -> Iterator[_NewDocument]:
    for document in sources:
        seen.add(document.id)
        metadata = document.metadata(sources.columns)
        yield _NewDocument(document.id, document.text, metadata, sources.path)
