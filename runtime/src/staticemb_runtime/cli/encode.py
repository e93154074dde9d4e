"""`staticemb encode`: embed texts from arguments, a file or standard input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

from ..encoding.empty_texts import ON_EMPTY, EmptyTexts
from ..encoding.options import check_workers
from ..encoding.progress import InputPosition, Progress
from ..encoding.vectors import PRECISIONS
from ..errors import EmptyTextError, InvalidOptionError
from ..loading.installed import model_files
from ..model import StaticModel
from ..records.forms import INPUT_FORMATS, blocks, given_texts, input_form, read_records
from ..records.output_file import refuse_inputs
from ..records.readers import Record
from ..records.writers import OUTPUT_FORMATS, VECTOR_COLUMN, Writer, open_writer, output_form
from .parser import CommandParser
from .process import given_text
from .terminal import ShortVectors, announce_waiting
from .texts import add_request, note_empty, placed

BLOCK_TEXTS = 8192


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    encode = commands.add_parser(
        "encode",
        parents=[model],
        help="texts to vectors",
        description="Embed texts given as arguments, in a file, or on standard input.",
    )
    encode.set_defaults(run=run)
    encode.add_argument(
        "texts", type=given_text, nargs="*", metavar="TEXT", help="texts; none: read --input"
    )
    encode.add_argument(
        "-i",
        "--input",
        default="-",
        metavar="FILE",
        help=".jsonl, .ndjson, .csv, .tsv or .parquet; .txt, .text, .md, .rst or no suffix: a text "
        "a line; all but .parquet also compressed as .gz or .zst; -: lines on standard input [-]",
    )
    encode.add_argument("--input-format", choices=INPUT_FORMATS, help="default: by the file's name")
    encode.add_argument("--column", metavar="NAME", help="the column that holds the text [text]")
    encode.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help=".npy (vectors alone), .parquet, .jsonl or .ndjson, the last two also compressed, as "
        ".jsonl.gz or .jsonl.zst (input columns kept); -, a FIFO or a device: JSON lines [-]",
    )
    encode.add_argument(
        "--output-format", choices=OUTPUT_FORMATS, help="default: by the file's name"
    )
    add_request(encode)
    encode.add_argument("--precision", choices=PRECISIONS, default="float32", help="[float32]")
    encode.add_argument(
        "--workers",
        type=lambda text: int(text) if text.isdecimal() else text,
        default=1,
        metavar="N",
        help="threads, at most one a core; auto: one a core [1]",
    )
    encode.add_argument(
        "--full", action="store_true", help="print whole vectors at a terminal as well"
    )
    encode.add_argument(
        "--on-empty",
        choices=ON_EMPTY,
        default="warn",
        help="for texts without a token that the model knows, whose vectors are zero: report their "
        "number on standard error (default), accept them, or end with an error",
    )
    encode.add_argument("--quiet", action="store_true", help="no progress bar, no hints")


def run(options: argparse.Namespace) -> int:
    """Embed the texts and write the vectors."""
    form = output_form(options.output, options.output_format)
    source: Iterator[tuple[str, str, Record]]
    position = InputPosition()
    typed = not options.texts and options.input == "-" and sys.stdin.isatty()
    if options.texts:
        if (options.input, options.input_format, options.column) != ("-", None, None):
            raise InvalidOptionError(
                "TEXT: expected no texts with --input, --input-format or --column, "
                f"found {len(options.texts)}"
            )
        source = given_texts(options.texts)
        refuse_inputs(options.output, model_files(options.model))
    else:
        read_form = input_form(options.input, options.input_format)
        refuse_inputs(options.output, [options.input, *model_files(options.model)])
        reserved = None if form == "npy" else VECTOR_COLUMN
        source = read_records(
            options.input, read_form, options.column, reserved=reserved, opened=position.follow
        )
    model = StaticModel.load(options.model)
    request = {
        "truncate_dim": options.truncate_dim,
        "precision": options.precision,
        "pooling": options.pooling,
        "workers": check_workers(options.workers),
    }
    # Embedding no texts gives the width and the type of the vectors, and refuses invalid options
    # before a file is opened.
    no_vectors = model.encode([], **request)
    writing: AbstractContextManager[Writer | ShortVectors] = ShortVectors(hint=not options.quiet)
    if options.full or options.output_format or options.output != "-" or not sys.stdout.isatty():
        writing = open_writer(options.output, form, no_vectors.shape[1], no_vectors.dtype)
    if typed and not options.quiet:
        announce_waiting()
    show = not options.quiet and options.output != "-" and sys.stderr.isatty()
    size = 1 if typed else BLOCK_TEXTS * request["workers"]
    empty = EmptyTexts("zero")
    first_empty = ""
    with (
        writing as writer,
        Progress(None, unit="texts", enabled=show, position=position) as progress,
    ):
        for places, texts, records in blocks(source, size):
            with placed(places):
                vectors = model.encode(texts, on_empty=empty, **request)
            if empty.first is not None and not first_empty:
                first_empty = places[empty.first - empty.start]
                if options.on_empty == "raise":
                    raise EmptyTextError(
                        f"{first_empty}: expected a token that the model knows, found none"
                    )
            writer.write(records, vectors)
            progress.advance(len(texts))
            empty.start += len(texts)
    if options.on_empty == "warn":
        note_empty(empty, empty.start, first_empty)
    return 0
