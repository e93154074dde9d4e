"""`staticemb-distiller push MODEL ORG/NAME`: upload a model to the Hugging Face Hub."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = "HF_TOKEN or `hf auth login` says who pushes; HF_ENDPOINT names another Hub."
    parser.add_argument(
        "model", metavar="MODEL", help="a static embedding file, or an installed model's name"
    )
    parser.add_argument("repository", metavar="ORG/NAME", help="where to put it")
    parser.add_argument("--private", action="store_true", help="a new repository is private")
    parser.add_argument(
        "--revision", metavar="BRANCH", help="a branch, made if there is none [main]"
    )
    parser.add_argument(
        "--no-create", action="store_true", help="do not make a repository that is missing"
    )
    libraries = parser.add_argument_group("for model2vec and sentence-transformers")
    libraries.add_argument(
        "--no-twins", action="store_true", help="upload the file and its card alone"
    )
    libraries.add_argument(
        "--pooling",
        choices=["mean"],
        help="let them take the plain mean of the rows as they are, as for `export`",
    )
    libraries.add_argument(
        "--unknown-tokens",
        choices=["peer"],
        help="leave unknown tokens to them where they treat these in another way",
    )
    card = parser.add_argument_group("the model card")
    card.add_argument(
        "--report", type=Path, metavar="FILE", help="figures of `evaluate --json` on this file"
    )
    card.add_argument("--card", type=Path, metavar="FILE", help="a README.md of your own")
    card.add_argument(
        "--overwrite-card", action="store_true", help="replace the one that is there already"
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
        library_copy=not arguments.no_twins,
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
