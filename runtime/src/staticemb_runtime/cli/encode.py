"""`staticemb encode`: embed texts from arguments, a file or standard input."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..bulk.files import embed_file, embed_records
from ..bulk.texts import TextEmbedder
from ..encoding.empty_texts import ON_EMPTY
from ..encoding.progress import InputPosition, Progress
from ..encoding.vectors import PRECISIONS
from ..loading.installed import model_files
from ..records.forms import given_texts, input_form, read_records
from ..records.open_writer import OUTPUT_FORMATS, RESERVED, open_writer, output_form
from ..records.output_file import refuse_inputs
from .encode_options import note_counts, vector_options
from .parser import CommandParser
from .process import given_text
from .terminal import ShortVectors, announce_waiting
from .texts import add_input, add_request, refuse_input


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    encode = commands.add_parser(
        "encode",
        parents=[model],
        help="compute the vectors of texts",
        description="Compute the vectors of texts: arguments, or the lines or rows of a file or of "
        "standard input. With a folder as --output, the arguments are files, folders or patterns, "
        "and each file becomes one in that folder; a run that was stopped goes on.",
    )
    encode.set_defaults(run=run)
    encode.add_argument(
        "texts",
        type=given_text,
        nargs="*",
        metavar="TEXT",
        help="texts to embed; default: read them from --input. With a folder as --output: files, "
        "folders or patterns such as 'in/*.parquet'",
    )
    add_input(
        encode,
        "the file to read: .jsonl, .ndjson, .csv, .tsv or .parquet; or .txt, .text, .md, .rst "
        "or no suffix, with one text per line. All but .parquet may be compressed: .gz or .zst "
        "after the suffix. - is standard input, by default with one text per line [-]",
    )
    encode.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help="the file to write: .npy (vectors only), or .parquet, .jsonl, .ndjson, .csv or .tsv "
        "(columns of the input and vectors). JSON lines, CSV and TSV may be compressed: .gz or "
        ".zst after the suffix. - is standard output; it gets JSON lines, and so does a FIFO or a "
        "device without a suffix. A folder, such as out/, gets a file for each input file [-]",
    )
    encode.add_argument(
        "--output-format",
        choices=OUTPUT_FORMATS,
        help="the format of the output; default: by the file's name; in a folder the format of "
        "each input",
    )
    add_request(encode)
    encode.add_argument(
        "--prompt-name",
        metavar="NAME",
        help="put the file's prompt of this name before each text, such as query or document",
    )
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
        help="threads, at most one a core; with a folder as --output: processes. auto: one a core "
        "[1]",
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
        "zeros. warn: print their number on standard error, and that of texts in a language that "
        "the model does not read; zero: accept them; raise: end with an error [warn]",
    )
    encode.add_argument("--quiet", action="store_true", help="show no progress bar and no hints")


def run(options: argparse.Namespace) -> int:
    """Embed the texts and write the vectors."""
    if is_folder(options.output):
        from .encode_folder import run_folder  # late: most calls embed a few texts

        return run_folder(options)
    form = output_form(options.output, options.output_format)
    position = InputPosition()
    typed = not options.texts and options.input == "-" and sys.stdin.isatty()
    if options.texts:
        refuse_input(options)
        refuse_inputs(options.output, model_files(options.model))
    else:
        input_form(options.input, options.input_format)
        refuse_inputs(options.output, [options.input, *model_files(options.model)])
    # Invalid options are refused before a file is opened.
    vectors = vector_options(options)
    vectors["workers"] = options.workers
    embedder = TextEmbedder(options.model, **vectors)
    shown = not (options.full or options.output_format or options.output != "-")
    show = not options.quiet and options.output != "-" and sys.stderr.isatty()
    with Progress(None, unit="texts", enabled=show, position=position) as progress:
        if shown and sys.stdout.isatty():
            if typed and not options.quiet:
                announce_waiting()
            _show(options, embedder, 1 if typed else None)
        elif options.texts:
            with open_writer(options.output, form, embedder.width, embedder.dtype) as writer:
                for block in embed_records(given_texts(options.texts), embedder):
                    writer.write(*block)
        else:
            embed_file(
                options.input,
                options.output,
                embedder,
                column=options.column,
                input_format=options.input_format,
                output_format=form,
                position=position,
                advance=lambda rows, share: progress.advance(rows),
            )
    if options.on_empty == "warn":
        note_counts(embedder.counts)
    return 0


def _show(options: argparse.Namespace, embedder: TextEmbedder, size: int | None) -> None:
    """Print shortened vectors at a terminal."""
    records = (
        given_texts(options.texts)
        if options.texts
        else read_records(
            options.input,
            options.input_format,
            options.column,
            nulls=True,
            reserved=RESERVED,
        )
    )
    with ShortVectors(hint=not options.quiet) as writer:
        for block in embed_records(records, embedder, size):
            writer.write(*block)


def is_folder(output: str) -> bool:
    """Tell whether an output is a folder: one that exists, or a name that ends in a slash."""
    return output.endswith(("/", os.sep)) or (output not in ("", "-") and Path(output).is_dir())
