"""`staticemb-distiller adapt MODEL (--documents FILE | --index FILE) … -o FILE`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from staticemb_runtime.cli import printable

from ..adaptation.ranges import out_of_range

if TYPE_CHECKING:
    from collections.abc import Callable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = (
        "%(prog)s MODEL (--documents FILE | --index FILE)\n"
        "           (--teacher TEACHER | --vectors FILE) -o FILE [options]"
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="the model to start from: a static embedding file, an installed model's name, or a "
        "folder of model2vec or sentence-transformers; none: no model, but --tokenizer",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write (.staticemb)"
    )
    given = parser.add_argument_group("the collection")
    given.add_argument(
        "--documents",
        metavar="FILE",
        help="the documents: a file of lines, JSON lines, CSV, TSV or Parquet, or a folder; not "
        "needed if the file of --vectors has the texts",
    )
    given.add_argument(
        "--index",
        metavar="FILE",
        help="instead of --documents: the passages of a search index, as stored. If MODEL made it "
        "and it holds the teacher's vectors, --teacher and --vectors are not needed",
    )
    given.add_argument(
        "--text",
        metavar="COLUMNS",
        help="the columns of the text: body, or title+body [title+text, text, or the only one]",
    )
    given.add_argument(
        "--vectors",
        metavar="FILE",
        help="the documents' vectors, in the same order: NPY, or Parquet or JSON lines with a "
        "column of vectors",
    )
    given.add_argument(
        "--vector", metavar="COLUMN", help="the column of the vectors [embedding, or the only one]"
    )
    given.add_argument(
        "--teacher",
        metavar="TEACHER",
        help="embed the documents with this teacher instead: a folder, a Hub id, or "
        "openai:URL#MODEL",
    )
    given.add_argument(
        "--teacher-name", metavar="NAME", help="the teacher's name, for the file's metadata"
    )
    given.add_argument(
        "--max-tokens",
        type=_number("max_tokens", int),
        metavar="N",
        help="a vector is of the first N tokens of its document [what TEACHER reads, or all]",
    )
    table = parser.add_argument_group("the table")
    table.add_argument(
        "--both-sides",
        action="store_true",
        help="the table is to embed documents as well as queries",
    )
    table.add_argument(
        "--tokenizer",
        metavar="T",
        help="if MODEL is none: a tokenizer.json, a folder with one, a Hub id, train:wordpiece or "
        "train:unigram",
    )
    table.add_argument(
        "--regularization",
        type=_number("regularization", float),
        metavar="λ",
        help="how strongly rows stay near MODEL's [chosen on held-out documents]",
    )
    table.add_argument(
        "--damping-beta",
        type=_number("damping_beta", float),
        metavar="β",
        help="the damping of pooling; 0: the plain mean [chosen on held-out documents]",
    )
    table.add_argument(
        "--share",
        type=_number("share", float),
        metavar="S",
        help="the share of adapted rows in the mixture with MODEL's [chosen on held-out documents]",
    )
    table.add_argument(
        "--dtype",
        choices=("float32", "float16", "int8"),
        default="float16",
        help="number type of the table [float16]",
    )
    work = parser.add_argument_group("the run")
    work.add_argument(
        "--sts",
        metavar="FILE",
        help="measure what it costs elsewhere, by lines of a score and two sentences between tabs",
    )
    work.add_argument(
        "--teacher-cache",
        metavar="FOLDER",
        help="save the teacher's vectors in FOLDER, and continue from them next time [of a server: "
        "OUTPUT.checkpoint, until the output is complete]",
    )
    work.add_argument("--seed", type=int, default=0, help="seed of the pseudo-queries [0]")
    work.add_argument("--quiet", action="store_true", help="show warnings alone")


def run(arguments: argparse.Namespace) -> int:
    """Adapt."""
    from ..adaptation.adapt import adapt
    from ..output_file import described
    from ..progress import Progress

    with Progress(quiet=arguments.quiet) as progress:
        report = adapt(
            arguments.model,
            arguments.documents,
            arguments.output,
            index=arguments.index,
            teacher=arguments.teacher,
            vectors=arguments.vectors,
            text=arguments.text,
            vector=arguments.vector,
            both_sides=arguments.both_sides,
            tokenizer=arguments.tokenizer,
            regularization=arguments.regularization,
            damping_beta=arguments.damping_beta,
            share=arguments.share,
            max_tokens=arguments.max_tokens,
            dtype=arguments.dtype,
            name=arguments.teacher_name,
            sts=arguments.sts,
            teacher_cache=arguments.teacher_cache,
            seed=arguments.seed,
            progress=progress,
        )
        for line in report.lines():
            progress.note(printable(line))
        progress.note(f"Wrote {described(report.path)}")
    return 0


def _number(name: str, parse: Callable[[str], float]) -> Callable[[str], float]:
    """Return a function that reads a number from an argument, and checks its range."""

    def number(text: str) -> float:
        value = parse(text)
        if expected := out_of_range(name, value):
            raise argparse.ArgumentTypeError(f"{expected}, found {text}")
        return value

    return number
