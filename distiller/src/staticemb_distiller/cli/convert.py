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
    parser.add_argument(
        "--dtype",
        choices=["float32", "float16", "int8"],
        help="number type of the table; default: a folder's own, and float32 for word vectors, "
        "which have no int8",
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
    folders.add_argument(
        "--keep-used-in",
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE",
        help="text files: keep only the tokens that they use, so that the file is smaller; texts "
        "of such tokens have the same vectors as before",
    )
    folders.add_argument(
        "--keep-min-count",
        type=int,
        default=1,
        metavar="N",
        help="the fewest occurrences in --keep-used-in of a token that is kept [1]",
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
            keep_used_in=arguments.keep_used_in,
            keep_min_count=arguments.keep_min_count,
        )
    lines = [f"note: {note}" for note in converted.notes]
    agreement = f"are those of the source (largest difference {converted.difference:.1e})"
    if converted.cosine is not None:
        agreement = f"have a mean cosine of {converted.cosine:.5f} with those of the source"
    lines.append(f"Wrote {described(converted.path)}; its vectors {agreement}")
    sys.stderr.write("\n".join(lines) + "\n")
    return 0
