"""`staticemb-distiller push MODEL ORG/NAME`: upload a model to the Hugging Face Hub."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = (
        "The token comes from HF_TOKEN or `hf auth login`. HF_ENDPOINT selects another Hub."
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a static embedding file, or an installed model's name"
    )
    parser.add_argument("repository", metavar="ORG/NAME", help="the repository to upload to")
    parser.add_argument(
        "--private",
        action="store_true",
        help="make a new repository private; an existing one must be private",
    )
    parser.add_argument(
        "--revision",
        metavar="BRANCH",
        help="the branch to upload to; it is created if it is missing [main]",
    )
    parser.add_argument(
        "--no-create", action="store_true", help="end with an error if the repository is missing"
    )
    libraries = parser.add_argument_group("the copy for model2vec and sentence-transformers")
    libraries.add_argument(
        "--no-library-copy", action="store_true", help="upload no copy, only the file and its card"
    )
    libraries.add_argument(
        "--pooling",
        choices=["mean"],
        help="as for `export`",
    )
    libraries.add_argument(
        "--unknown-tokens",
        choices=["peer"],
        help="as for `export`",
    )
    card = parser.add_argument_group("the model card")
    card.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="add the results in a report of `evaluate --json` on this file",
    )
    card.add_argument(
        "--card",
        type=Path,
        metavar="FILE",
        help="upload this README.md instead of the generated card",
    )
    card.add_argument(
        "--overwrite-card", action="store_true", help="replace the existing card of the repository"
    )


def run(arguments: argparse.Namespace) -> int:
    """Push, and print the commit's address."""
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    from ..publish.push import Content, Target, push

    if not sys.stderr.isatty():
        disable_progress_bars()
    target = Target(
        arguments.repository,
        revision=arguments.revision,
        private=arguments.private,
        create=not arguments.no_create,
    )
    content = Content(
        library_copy=not arguments.no_library_copy,
        plain_mean=arguments.pooling == "mean",
        peer_unknown=arguments.unknown_tokens == "peer",
        report=arguments.report,
        card=arguments.card,
        overwrite_card=arguments.overwrite_card,
    )
    pushed = push(arguments.model, target, content)
    sys.stderr.writelines(f"note: {note}\n" for note in pushed.notes)
    sys.stderr.write(f"Pushed {', '.join(pushed.files)}\n")
    sys.stdout.write(f"{pushed.url}\n")
    return 0
