"""The command `staticemb`: encode, similarity, tokens, info, bundle-lambda.

Results go to standard output, everything else to standard error. Errors are one line and exit
status 2; an interrupted run exits with 130, a reader that closes the pipe early ends it quietly.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from . import __version__, bundle_command
from .errors import InvalidOptionError, StaticEmbError
from .installed import MODEL_HELP, chosen, locate
from .metadata import Pooling
from .model import StaticModel
from .opening import open_parts
from .output_file import refuse_inputs
from .progress import Progress
from .records import INPUT_FORMATS, Record, blocks, given_texts, input_form, read_records
from .vectors import PRECISIONS
from .writers import OUTPUT_FORMATS, VECTOR_COLUMN, open_writer, output_form

BLOCK_TEXTS = 8192


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more at exit: give it a place to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("staticemb: interrupted, no file was written", file=sys.stderr)
        return 130
    except (StaticEmbError, OSError) as error:
        print(f"staticemb: error: {printable(str(error))}", file=sys.stderr)
        return 2
    return status


def printable(text: str) -> str:
    """Replace what a terminal would act on: metadata may come from anyone."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class _Parser(argparse.ArgumentParser):
    """Its errors, and those of its commands, are one line; `--help` tells how it is used."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"staticemb: error: {printable(message)} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="staticemb", description="Static text embeddings on any CPU.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"staticemb-runtime {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    model = _Parser(add_help=False)
    model.add_argument("-m", "--model", metavar="MODEL", default=chosen(), help=MODEL_HELP)

    encode = commands.add_parser(
        "encode",
        parents=[model],
        help="texts to vectors",
        description="Embed texts given as arguments, in a file, or on standard input.",
    )
    encode.set_defaults(run=_encode)
    encode.add_argument("texts", nargs="*", metavar="TEXT", help="texts; none: read --input")
    encode.add_argument(
        "-i",
        "--input",
        default="-",
        metavar="FILE",
        help=".jsonl, .csv, .tsv or .parquet; .txt, .md or no suffix: a text a line; all but "
        ".parquet also packed as .gz or .zst; -: lines on standard input",
    )
    encode.add_argument("--input-format", choices=INPUT_FORMATS, help="default: by the file's name")
    encode.add_argument("--column", metavar="NAME", help="the column that holds the text [text]")
    encode.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help=".npy (vectors alone), .parquet, .jsonl or packed as .jsonl.gz, .jsonl.zst (input "
        "columns kept); -, a FIFO or a device: JSON lines",
    )
    encode.add_argument(
        "--output-format", choices=OUTPUT_FORMATS, help="default: by the file's name"
    )
    _add_request(encode)
    encode.add_argument("--precision", choices=PRECISIONS, default="float32")
    encode.add_argument("--workers", type=int, default=1, metavar="N", help="processes [1]")
    encode.add_argument("--quiet", action="store_true", help="no progress bar")

    similarity = commands.add_parser("similarity", parents=[model], help="the cosine of two texts")
    similarity.set_defaults(run=_similarity)
    similarity.add_argument("a", metavar="A")
    similarity.add_argument("b", metavar="B")
    _add_request(similarity)

    tokens = commands.add_parser(
        "tokens", parents=[model], help="a text's tokens, with their weights and rows"
    )
    tokens.set_defaults(run=_tokens)
    tokens.add_argument("text", metavar="TEXT")

    info = commands.add_parser("info", help="what a file or folder holds")
    info.set_defaults(run=_info)
    info.add_argument("file", nargs="?", default=chosen(), metavar="MODEL", help=MODEL_HELP)
    info.add_argument("--verify", action="store_true", help="read it whole and check its digest")
    info.add_argument("--json", action="store_true", help="print one JSON object")
    bundle_command.add_parser(commands, model)
    return parser


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--truncate-dim", type=int, metavar="D", help="keep the first D dimensions")
    parser.add_argument("--pooling", choices=get_args(Pooling), help="default: the file's own")


def _encode(options: argparse.Namespace) -> int:
    form = output_form(options.output, options.output_format)
    source: Iterator[tuple[str, Record]]
    if options.texts:
        if (options.input, options.input_format, options.column) != ("-", None, None):
            raise InvalidOptionError(
                "TEXT: expected none beside --input, --input-format or --column, "
                f"found {len(options.texts)}"
            )
        source = given_texts(options.texts)
        refuse_inputs(options.output, [str(options.model)])
    else:
        read = input_form(options.input, options.input_format)
        refuse_inputs(options.output, [options.input, str(options.model)])
        reserved = None if form == "npy" else VECTOR_COLUMN
        source = read_records(options.input, read, options.column, reserved=reserved)
    model = StaticModel.load(options.model)
    request = {
        "truncate_dim": options.truncate_dim,
        "precision": options.precision,
        "pooling": options.pooling,
        "workers": options.workers,
    }
    # The vectors of no text tell the width and the type, and a bad request is refused before
    # anything is opened.
    shape = model.encode([], **request)
    show = not options.quiet and options.output != "-" and sys.stderr.isatty()
    size = BLOCK_TEXTS * max(1, options.workers)
    with (
        open_writer(options.output, form, shape.shape[1], shape.dtype) as writer,
        Progress(None, unit="texts", enabled=show) as progress,
    ):
        for texts, records in blocks(source, size):
            writer.write(records, model.encode(texts, **request))
            progress.advance(len(texts))
    return 0


def _similarity(options: argparse.Namespace) -> int:
    model = StaticModel.load(options.model)
    request = {"truncate_dim": options.truncate_dim, "pooling": options.pooling}
    vectors = model.encode([options.a, options.b], **request)
    print(f"{float(model.similarity(vectors[0], vectors[1])[0, 0]):.4f}")
    return 0


def _tokens(options: argparse.Namespace) -> int:
    model = StaticModel.load(options.model)
    table = [("token", "id", "row", "weight", "norm")]
    for token in model.explain(options.text):
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


def _info(options: argparse.Namespace) -> int:
    file = open_parts(locate(options.file), verify=options.verify)
    meta = file.metadata
    n_rows, dim = file.embeddings.shape
    facts: dict[str, Any] = {
        "file": file.path,
        "bytes": _size(Path(file.path)),
        "format_version": meta.format_version,
        "features": list(meta.features),
        "dim": dim,
        "rows": n_rows,
        "token_ids": file.n_token_ids,
        "dtype": file.embeddings.dtype.name,
        "token_weights": "stored" if file.weights is not None else "folded into the rows",
        "prefixes": list(meta.prefixes),
        "normalize": meta.normalize,
        "pooling": meta.pooling,
    }
    if meta.pooling == "damped_mean":
        facts |= {"damping_beta": meta.damping_beta, "damping_dims": meta.damping_dims}
    facts |= {"max_tokens": meta.max_tokens, "unknown_token_id": meta.unknown_token_id}
    facts |= meta.extra
    facts |= {"digest": meta.digest, "verified": options.verify}
    if options.json:
        print(json.dumps(facts, ensure_ascii=True, indent=2))
        return 0
    width = max(map(len, facts))
    for key, value in facts.items():
        lines = _spell(value).split("\n")
        for label, line in zip([key, *[""] * len(lines)], lines, strict=False):
            print(f"{printable(label):<{width}}  {printable(line)}".rstrip())
    return 0


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    return "none" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
