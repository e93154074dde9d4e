"""`staticemb-distiller export MODEL --to LIBRARY -o FOLDER`: write another library's folder."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="a static embedding file, or an installed model's name"
    )
    parser.add_argument(
        "--to",
        required=True,
        choices=["model2vec", "sentence-transformers", "onnx"],
        help="the library to write for; onnx: onnxruntime and transformers.js",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="a new or empty folder"
    )
    parser.add_argument(
        "--pooling",
        choices=["mean"],
        help="mean: average the rows without damping; default: for a library that can only "
        "average, fold the damping into token weights",
    )
    parser.add_argument(
        "--unknown-tokens",
        choices=["peer"],
        help="peer: treat unknown tokens as the library does; default: refuse if it treats them in "
        "another way than the file",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export."""
    from ..interop.export import export
    from ..progress import Progress

    with Progress() as progress:
        progress.status(f"Exporting {arguments.model}")
        exported = export(
            arguments.model,
            arguments.output,
            arguments.to,
            pooling=arguments.pooling,
            unknown_tokens=arguments.unknown_tokens,
        )
    lines = [f"warning: {note}" for note in exported.notes]
    lines.append(
        f"Wrote {exported.path}; its vectors are those of {arguments.model}"
        f"{', except for the warnings above' if exported.notes else ''} "
        f"(compared with {exported.compared_with}; largest difference {exported.difference:.1e})"
    )
    sys.stderr.write("\n".join(lines) + "\n")
    return 0
