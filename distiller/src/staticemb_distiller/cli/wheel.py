"""`staticemb-distiller wheel MODEL --name NAME`: build a wheel with a model for pip."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..publish.wheel import PREFIX, Names, build_wheel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="a static embedding file, or an installed model's name"
    )
    parser.add_argument(
        "--name",
        required=True,
        metavar="NAME",
        help=f"the package's name for pip install, usually {PREFIX}SOMETHING",
    )
    parser.add_argument(
        "--version", default="1.0", metavar="VERSION", help="the wheel's version [1.0]"
    )
    parser.add_argument(
        "--model-name",
        default="",
        metavar="NAME",
        help="the model's name for StaticModel.load [SOMETHING]",
    )
    parser.add_argument(
        "--license-file", type=Path, metavar="FILE", help="license to put into the wheel"
    )
    parser.add_argument(
        "--card",
        type=Path,
        metavar="FILE",
        help="text about the model in Markdown: becomes the wheel's description, after the facts "
        "that the file holds",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="the folder to write to [.]",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build the wheel and print its name."""
    names = Names(arguments.name, arguments.version, arguments.model_name)
    wheel = build_wheel(
        arguments.model, arguments.output, names, arguments.license_file, arguments.card
    )
    sys.stdout.write(f"{wheel}\n")
    return 0
