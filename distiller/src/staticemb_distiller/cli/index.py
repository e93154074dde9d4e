"""`staticemb-distiller index FILE… --model MODEL (--teacher T | --vectors FILE) -o INDEX`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from staticemb_runtime.cli import PASSAGE_CHARACTERS, add_index_options, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..indexing import IndexDocument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = (
        "%(prog)s FILE... --model MODEL\n"
        "           (--teacher TEACHER | --vectors FILE) -o INDEX [options]"
    )
    parser.description = (
        "Make a search index whose vectors are a teacher's. `staticemb search` reads it with MODEL "
        "alone. The same command goes on after an interruption."
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="FILE",
        help="files or folders of documents, as for `staticemb index`",
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="MODEL",
        help="the model that embeds the queries: an adapted file, or another with a part `space`",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="INDEX", help="the index; made if it is missing"
    )
    given = parser.add_argument_group("the vectors")
    given.add_argument(
        "--teacher",
        metavar="TEACHER",
        help="the model's teacher: a folder, a Hub id, or openai:URL#MODEL",
    )
    given.add_argument(
        "--teacher-cache",
        metavar="FOLDER",
        help="save the teacher's vectors in FOLDER, and take them from it next time",
    )
    given.add_argument(
        "--vectors",
        metavar="FILE",
        help="instead of --teacher: its vectors of the whole documents, in the same order: NPY, or "
        "Parquet or JSON lines with a column of vectors",
    )
    given.add_argument(
        "--vector", metavar="COLUMN", help="the column of the vectors [embedding, or the only one]"
    )
    texts = parser.add_argument_group("the documents")
    texts.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME",
        help="the column that holds the text; several are joined [text, body or a usual name, "
        "after title]",
    )
    texts.add_argument(
        "--id-column", metavar="NAME", help="the column that holds the id [_id, id or a usual name]"
    )
    texts.add_argument(
        "--lines", action="store_true", help="each line of a file of plain text is a document"
    )
    texts.add_argument(
        "--passage-characters",
        type=_characters,
        metavar="N",
        help="cut documents that are longer into passages, at the ends of sentences; 0: never "
        f"[{PASSAGE_CHARACTERS}; with --vectors 0]",
    )
    made = parser.add_argument_group("the index")
    add_index_options(made)
    made.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    """Make the index."""
    from ..corpus import input_files
    from ..indexing import index_with_teacher
    from ..output_file import check_folders, check_output
    from ..progress import Progress

    check_folders(arguments.teacher_cache)
    documents = _Documents(arguments)
    inputs: list[str | Path] = [*documents.files, *input_files.model_files(arguments.model)]
    if arguments.vectors is not None:
        inputs.append(arguments.vectors)
    check_output(Path(arguments.output), inputs)
    passages = arguments.passage_characters
    if passages is None:
        passages = PASSAGE_CHARACTERS if arguments.vectors is None else 0
    with Progress(quiet=arguments.quiet) as progress:
        added = index_with_teacher(
            arguments.output,
            documents,
            arguments.model,
            teacher=arguments.teacher,
            vectors=arguments.vectors,
            vector=arguments.vector,
            passage_characters=passages or None,
            precision=arguments.precision,
            truncate_dim=arguments.truncate_dim,
            words="trigrams" if arguments.trigrams else "auto",
            store_model=arguments.store_model,
            teacher_cache=arguments.teacher_cache,
            progress=progress,
        )
        progress.note(
            f"{printable(arguments.output)}: {added.new:,} new, {added.replaced:,} replaced, "
            f"{added.unchanged:,} unchanged"
        )
    return 0


class _Documents:
    """The documents of the files of a command line; called for each pass over them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from staticemb_runtime.records import source_files

        self._arguments = arguments
        self.files = source_files(arguments.sources)

    def __call__(self) -> Iterator[IndexDocument]:
        from staticemb_runtime.records import Columns, read_documents

        from ..indexing import IndexDocument

        arguments = self._arguments
        for path in self.files:
            columns_of_file = Columns((), None)

            def choose(columns: Columns) -> None:
                nonlocal columns_of_file
                columns_of_file = columns

            for document in read_documents(
                path,
                text_columns=arguments.column,
                id_column=arguments.id_column,
                by_line=arguments.lines,
                chosen=choose,
            ):
                metadata = document.metadata(columns_of_file)
                if path == arguments.vectors:
                    metadata.pop(arguments.vector or "embedding", None)
                yield IndexDocument(document.id, document.text, metadata, path)


def _characters(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, found {text}")
    return number
