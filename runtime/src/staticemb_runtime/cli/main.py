"""The command `staticemb`: encode, similarity, tokens, info, bundle-lambda.

Results go to standard output, everything else to standard error. Errors are one line and exit
status 2; an interrupted run exits with 130, one stopped by SIGTERM with 143, by SIGHUP with 129; a
reader that closes the pipe early ends it quietly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import get_args

from .. import __version__
from ..encoding.empty_texts import ON_EMPTY, EmptyTexts
from ..encoding.options import check_workers
from ..encoding.progress import InputPosition, Progress
from ..encoding.vectors import PRECISIONS
from ..errors import EmptyTextError, InvalidOptionError, InvalidTextError
from ..format.metadata import Pooling
from ..loading.installed import MODEL_HELP, chosen, model_files
from ..model import StaticModel
from ..records.forms import INPUT_FORMATS, blocks, given_texts, input_form, read_records
from ..records.output_file import refuse_inputs
from ..records.readers import Record
from ..records.writers import OUTPUT_FORMATS, VECTOR_COLUMN, Writer, open_writer, output_form
from . import bundle_lambda as bundle_command
from . import info as info_command
from .parser import CommandParser, parse_command
from .process import given_text, printable, run_command
from .terminal import ShortVectors, announce_waiting

BLOCK_TEXTS = 8192


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command("staticemb", lambda: run(given))


def run(arguments: Sequence[str]) -> int:
    """Run the command within `run_command`; return its exit status."""
    parser, commands = _parser()
    options = parse_command(parser, commands, arguments)
    status: int = options.run(options)
    return status


def _parser() -> tuple[CommandParser, argparse._SubParsersAction[CommandParser]]:
    parser = CommandParser(
        prog="staticemb", description="Static text embeddings on any CPU.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"staticemb-runtime {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    model = CommandParser(add_help=False)
    model.add_argument("-m", "--model", metavar="MODEL", default=chosen(), help=MODEL_HELP)

    encode = commands.add_parser(
        "encode",
        parents=[model],
        help="texts to vectors",
        description="Embed texts given as arguments, in a file, or on standard input.",
    )
    encode.set_defaults(run=_encode)
    encode.add_argument(
        "texts", type=given_text, nargs="*", metavar="TEXT", help="texts; none: read --input"
    )
    encode.add_argument(
        "-i",
        "--input",
        default="-",
        metavar="FILE",
        help=".jsonl, .ndjson, .csv, .tsv or .parquet; .txt, .text, .md, .rst or no suffix: a text "
        "a line; all but .parquet also packed as .gz or .zst; -: lines on standard input [-]",
    )
    encode.add_argument("--input-format", choices=INPUT_FORMATS, help="default: by the file's name")
    encode.add_argument("--column", metavar="NAME", help="the column that holds the text [text]")
    encode.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help=".npy (vectors alone), .parquet, .jsonl or .ndjson, these two also packed, as "
        ".jsonl.gz or .jsonl.zst (input columns kept); -, a FIFO or a device: JSON lines [-]",
    )
    encode.add_argument(
        "--output-format", choices=OUTPUT_FORMATS, help="default: by the file's name"
    )
    _add_request(encode)
    encode.add_argument("--precision", choices=PRECISIONS, default="float32", help="[float32]")
    encode.add_argument(
        "--workers",
        type=lambda text: int(text) if text.isdecimal() else text,
        default=1,
        metavar="N",
        help="processes, at most one a core; auto: one a core [1]",
    )
    encode.add_argument(
        "--full", action="store_true", help="print whole vectors at a terminal as well"
    )
    encode.add_argument(
        "--on-empty",
        choices=ON_EMPTY,
        default="warn",
        help="about texts without a token that the model knows, whose vectors are zero: count them "
        "on standard error (default), accept them, or end with an error",
    )
    encode.add_argument("--quiet", action="store_true", help="no progress bar, no hints")

    similarity = commands.add_parser("similarity", parents=[model], help="the cosine of two texts")
    similarity.set_defaults(run=_similarity)
    similarity.add_argument("a", type=given_text, metavar="A", help="a text")
    similarity.add_argument("b", type=given_text, metavar="B", help="a text to compare with it")
    _add_request(similarity)

    tokens = commands.add_parser(
        "tokens", parents=[model], help="a text's tokens, with their weights and rows"
    )
    tokens.set_defaults(run=_tokens)
    tokens.add_argument("text", type=given_text, metavar="TEXT")

    info_command.add_parser(commands)
    bundle_command.add_parser(commands, model)
    return parser, commands


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--truncate-dim", type=int, metavar="D", help="keep the first D dimensions")
    parser.add_argument("--pooling", choices=get_args(Pooling), help="default: the file's own")


def _encode(options: argparse.Namespace) -> int:
    form = output_form(options.output, options.output_format)
    source: Iterator[tuple[str, str, Record]]
    position = InputPosition()
    typed = not options.texts and options.input == "-" and sys.stdin.isatty()
    if options.texts:
        if (options.input, options.input_format, options.column) != ("-", None, None):
            raise InvalidOptionError(
                "TEXT: expected none beside --input, --input-format or --column, "
                f"found {len(options.texts)}"
            )
        source = given_texts(options.texts)
        refuse_inputs(options.output, model_files(options.model))
    else:
        read = input_form(options.input, options.input_format)
        refuse_inputs(options.output, [options.input, *model_files(options.model)])
        reserved = None if form == "npy" else VECTOR_COLUMN
        source = read_records(
            options.input, read, options.column, reserved=reserved, opened=position.follow
        )
    model = StaticModel.load(options.model)
    request = {
        "truncate_dim": options.truncate_dim,
        "precision": options.precision,
        "pooling": options.pooling,
        "workers": check_workers(options.workers),
    }
    # The vectors of no text tell the width and the type, and a bad request is refused before
    # anything is opened.
    shape = model.encode([], **request)
    writing: AbstractContextManager[Writer | ShortVectors] = ShortVectors(hint=not options.quiet)
    if options.full or options.output_format or options.output != "-" or not sys.stdout.isatty():
        writing = open_writer(options.output, form, shape.shape[1], shape.dtype)
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
            with _placed(places):
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
        _note(empty, empty.start, first_empty)
    return 0


@contextmanager
def _placed(places: Sequence[str]) -> Iterator[None]:
    """Name the place of a text that cannot be embedded, which `encode` counts in its block."""
    try:
        yield
    except InvalidTextError as error:
        if error.index is None:
            raise
        raise InvalidTextError(f"{places[error.index]}: {error.reason}") from None


def _note(empty: EmptyTexts, total: int, first: str) -> None:
    """Say on standard error how many texts were empty, if any were, and the place of the first."""
    if empty.first is not None:
        print(f"staticemb: {printable(empty.describe(total, first))}", file=sys.stderr)


def _similarity(options: argparse.Namespace) -> int:
    model = StaticModel.load(options.model)
    request = {"truncate_dim": options.truncate_dim, "pooling": options.pooling}
    empty = EmptyTexts("zero")
    places = ["text 1", "text 2"]
    with _placed(places):
        vectors = model.encode([options.a, options.b], on_empty=empty, **request)
    print(f"{float(model.similarity(vectors[0], vectors[1])[0, 0]):.4f}")
    _note(empty, 2, places[empty.first or 0])
    return 0


def _tokens(options: argparse.Namespace) -> int:
    model = StaticModel.load(options.model)
    table = [("token", "id", "row", "weight", "norm")]
    with _placed(["text 1"]):
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
