"""`staticemb-distiller convert SOURCE -o FILE`: convert a model of another library."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder of model2vec or sentence-transformers (StaticEmbedding), or word vectors "
        "as text: GloVe, word2vec, fastText's .vec, also packed as .gz or .zst",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write (.staticemb)"
    )
    folders = parser.add_argument_group("folders")
    folders.add_argument(
        "--rules",
        choices=["model2vec", "sentence-transformers"],
        help="whose rules to follow; by default those of the library that wrote the folder",
    )
    folders.add_argument(
        "--dim", type=int, metavar="N", help="keep the first N columns; by default the model's own"
    )
    words = parser.add_argument_group("word vectors")
    words.add_argument(
        "--tokens",
        choices=["words", "blanks"],
        default="words",
        help="cut texts at blanks and around punctuation (words), or at blanks alone",
    )
    words.add_argument(
        "--lowercase",
        action=argparse.BooleanOptionalAction,
        help="put texts in lower case; by default if no word has an upper case letter",
    )
    words.add_argument("--limit", type=int, metavar="N", help="read the first N rows")
    words.add_argument(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="give vectors unit length",
    )
    words.add_argument("--dtype", choices=["float32", "float16"], default="float32", help="of rows")


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
