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
        help="compute the vectors of texts",
        description="Compute the vectors of texts: arguments, or the lines or rows of a file or of "
        "standard input.",
    )
    encode.set_defaults(run=run)
    encode.add_argument(
        "texts",
        type=given_text,
        nargs="*",
        metavar="TEXT",
        help="texts to embed; default: read them from --input",
    )
    encode.add_argument(
        "-i",
        "--input",
        default="-",
        metavar="FILE",
        help="the file to read: .jsonl, .ndjson, .csv, .tsv or .parquet; or .txt, .text, .md, .rst "
        "or no suffix, with one text per line. All but .parquet may be compressed: .gz or .zst "
        "after the suffix. - is standard input, by default with one text per line [-]",
    )
    encode.add_argument(
        "--input-format",
        choices=INPUT_FORMATS,
        help="the format of the input; default: by the file's name",
    )
    encode.add_argument("--column", metavar="NAME", help="the column that holds the text [text]")
    encode.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help="the file to write: .npy (vectors only), or .parquet, .jsonl or .ndjson (columns of "
        "the input and vectors). JSON lines may be compressed: .jsonl.gz or .jsonl.zst. - is "
        "standard output; it gets JSON lines, and so does a FIFO or a device without a suffix [-]",
    )
    encode.add_argument(
        "--output-format",
        choices=OUTPUT_FORMATS,
        help="the format of the output; default: by the file's name",
    )
    add_request(encode)
    encode.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="the number type of the vectors [float32]",
    )
    encode.add_argument(
        "--workers",
        type=lambda text: int(text) if text.isdecimal() else text,
        default=1,
        metavar="N",
        help="threads, at most one a core; auto: one a core [1]",
    )
    encode.add_argument(
        "--full",
        action="store_true",
        help="at a terminal: print whole vectors, not only their first numbers",
    )
    encode.add_argument(
        "--on-empty",
        choices=ON_EMPTY,
        default="warn",
        help="what to do about texts without any token that the model knows; their vectors are "
        "zeros. warn: print their number on standard error; zero: accept them; raise: end with an "
        "error [warn]",
    )
    encode.add_argument("--quiet", action="store_true", help="show no progress bar and no hints")


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
