"""Options that the commands of both wheels have for making a search index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

PASSAGE_CHARACTERS: Final = 1500
"""The length above which the commands cut documents into passages."""


def add_file_options(parser: argparse._ActionsContainer) -> None:
    """Declare which column holds the id, and whether documents that are gone are deleted."""
    parser.add_argument(
        "--id-column",
        metavar="NAME",
        help="the column that holds the id. Default: _id, id or another usual name; without such a "
        "column an id is the file's name and the line",
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="delete the documents that earlier runs read from these files and folders and that "
        "are not in them any more",
    )


def add_index_options(parser: argparse._ActionsContainer) -> None:
    """Declare how the index stores vectors, words and the model."""
    parser.add_argument(
        "--precision",
        choices=("int8", "float16", "bits"),
        default="int8",
        help="how vectors are stored [int8]",
    )
    parser.add_argument(
        "--truncate-dim", type=int, metavar="D", help="keep the first D dimensions of each vector"
    )
    parser.add_argument(
        "--trigrams",
        action="store_true",
        help="find three characters each instead of words: for languages without blanks",
    )
    parser.add_argument("--store-model", action="store_true", help="put the model into the index")
