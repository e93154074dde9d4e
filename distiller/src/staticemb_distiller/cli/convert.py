"""`staticemb-distiller convert SOURCE -o FILE`: convert a model of another library."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder of model2vec or sentence-transformers (StaticEmbedding), or a text file of "
        "word vectors: GloVe, word2vec or fastText's .vec, which may be compressed (.gz, .zst)",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write (.staticemb)"
    )
    folders = parser.add_argument_group("folders")
    folders.add_argument(
        "--rules",
        choices=["model2vec", "sentence-transformers"],
        help="the library whose rules to follow; default: the one that wrote the folder",
    )
    folders.add_argument(
        "--dim",
        type=int,
        metavar="N",
        help="keep the first N dimensions; default: as many as the library gives",
    )
    words = parser.add_argument_group("word vectors")
    words.add_argument(
        "--tokens",
        choices=["words", "blanks"],
        default="words",
        help="words: split texts at blanks and around punctuation; blanks: at blanks only [words]",
    )
    words.add_argument(
        "--lowercase",
        action=argparse.BooleanOptionalAction,
        help="lowercase texts; default: only if no word has an uppercase letter",
    )
    words.add_argument("--limit", type=int, metavar="N", help="read the first N words only")
    words.add_argument(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="scale the vectors of texts to unit length; default: yes",
    )
    words.add_argument(
        "--dtype",
        choices=["float32", "float16"],
        default="float32",
        help="number type of the table [float32]",
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert."""
    from ..interop.convert_source import convert
    from ..output_file import described
    from ..progress import Progress

    with Progress() as progress:
        progress.status(f"Converting {arguments.source}")
        converted = convert(
            arguments.source,
            arguments.output,
            rules=arguments.rules,
            dim=arguments.dim,
            tokens=arguments.tokens,
            lowercase=arguments.lowercase,
            limit=arguments.limit,
            normalize=arguments.normalize,
            dtype=arguments.dtype,
        )
    lines = [f"note: {note}" for note in converted.notes]
    lines.append(
        f"Wrote {described(converted.path)}; its vectors are those of the source "
        f"(largest difference {converted.difference:.1e})"
    )
    sys.stderr.write("\n".join(lines) + "\n")
    return 0
