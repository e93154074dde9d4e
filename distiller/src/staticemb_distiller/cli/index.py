"""`staticemb-distiller index FILE… --model MODEL (--teacher T | --vectors FILE) -o INDEX`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staticemb_runtime.cli import (
    PASSAGE_CHARACTERS,
    add_file_options,
    add_index_options,
    add_sources,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..indexing import IndexDocument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = (
        "%(prog)s FILE... --model MODEL\n"
        "           (--teacher TEACHER | --vectors FILE) -o INDEX [options]"
    )
    parser.description = (
        "Make a search index whose vectors are a teacher's. `staticemb search` reads it with MODEL "
        "alone. Running the same command again adds new documents, replaces changed ones and goes "
        "on after an interruption. With --teacher, a file that cannot be read is named and left "
        "out, from its first faulty row on, and the exit status is then 1, or 2 if nothing could "
        "be read."
    )
    add_sources(parser)
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
        help="save the teacher's vectors in FOLDER, and take them from it next time [of a server: "
        "INDEX.checkpoint, until the index is complete]",
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
    add_file_options(texts)
    texts.add_argument(
        "--passage-characters",
        type=_characters,
        metavar="N",
        help="cut documents that are longer into passages, at the ends of sentences; 0: never "
        f"[{PASSAGE_CHARACTERS}; with --vectors 0]",
    )
    made = parser.add_argument_group("the index")
    add_index_options(made)
    made.add_argument("--quiet", action="store_true", help="show warnings alone")


def run(arguments: argparse.Namespace) -> int:
    """Make the index."""
    from staticemb_runtime.cli import FileIndexing, existing_index, new_index_options
    from staticemb_runtime.search import Index

    from ..corpus import input_files
    from ..errors import CollectionError
    from ..indexing import IndexDocument, index_with_teacher
    from ..output_file import check_folders, check_output
    from ..progress import Progress

    check_folders(arguments.teacher_cache)
    with Progress(quiet=arguments.quiet) as progress:
        # Given vectors are in the order of the documents: none may be left out.
        files = FileIndexing(arguments, progress, skip=arguments.vectors is None)
        if "-" in files.sources.files:
            raise CollectionError(
                "-: expected files, found standard input: documents are read twice"
            )
        inputs: list[str | Path] = [
            *files.sources.files,
            *input_files.model_files(arguments.model),
        ]
        if arguments.vectors is not None:
            inputs.append(arguments.vectors)
        check_output(Path(arguments.output), inputs)
        passages = arguments.passage_characters
        if (existing := existing_index(arguments.output, arguments, passages)) is not None:
            existing.close()
        if passages is None:
            passages = PASSAGE_CHARACTERS if arguments.vectors is None else 0

        def documents() -> Iterator[IndexDocument]:
            for document in files.documents():
                if arguments.vectors is not None and _lies_in(document.file, arguments.vectors):
                    document.metadata.pop(_vector_column(document.metadata, arguments.vector), None)
                yield IndexDocument(*document)

        added = index_with_teacher(
            arguments.output,
            documents,
            arguments.model,
            teacher=arguments.teacher,
            vectors=arguments.vectors,
            vector=arguments.vector,
            passage_characters=passages or None,
            teacher_cache=arguments.teacher_cache,
            progress=progress,
            **new_index_options(arguments),
        )
        with Index.open(arguments.output, mode="write") as index:
            return files.finish(index, added)


def _lies_in(file: str, place: str) -> bool:
    """Tell whether a file is `place`, or lies in the folder `place`."""
    return Path(place) in (Path(file), *Path(file).parents)


def _vector_column(metadata: Mapping[str, Any], given: str | None) -> str:
    """Return the column that is read as the vector: see `index_with_teacher`."""
    usual = "embedding"
    if given is not None or usual in metadata:
        return given or usual
    from ..corpus.vector_columns import is_list_of_numbers

    vectors = (name for name, value in metadata.items() if is_list_of_numbers(value))
    return next(vectors, usual)


def _characters(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, found {text}")
    return number
