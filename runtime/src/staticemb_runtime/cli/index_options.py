"""Options that the commands of both wheels have for making a search index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidOptionError

if TYPE_CHECKING:
    import argparse

    from ..search import Index, IndexInfo

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


def new_index_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of `Index.create` that the options of `add_index_options` stand for."""
    return {
        "precision": options.precision or "int8",
        "truncate_dim": options.truncate_dim,
        "words": "trigrams" if options.trigrams else "auto",
        "store_model": options.store_model,
    }


def existing_index(
    path: str, options: argparse.Namespace, passage_characters: int | None
) -> Index | None:
    """Open an index that exists, and refuse options that it was not made with.

    Args:
        path: the file.
        options: the values of `add_index_options`; those that are not given agree with any index.
        passage_characters: as the option gives it; 0: whole documents; None: not given.

    Returns:
        The index, open for reading; None: there is none. An empty file is one that another process
        is about to make, or was stopped while it did, or that `mktemp` has made.

    Raises:
        InvalidOptionError: an option and the index differ.
        SearchIndexError: the file is something else, or cannot be opened.
    """
    from ..search import Index  # late: it imports numpy and sqlite3
    from ..search.store import is_missing

    if is_missing(path):
        return None
    index = Index.open(path)
    try:
        _check_options(options, index.info(), passage_characters)
    except BaseException:
        index.close()
        raise
    return index


def _check_options(
    options: argparse.Namespace, info: IndexInfo, passage_characters: int | None
) -> None:
    pairs = {
        "--precision": (options.precision, info.precision),
        "--truncate-dim": (options.truncate_dim, info.dimension),
        "--trigrams": ("trigrams" if options.trigrams else None, info.words),
        "--passage-characters": (passage_characters, info.passage_characters or 0),
    }
    for name, (given, made_with) in pairs.items():
        if given is not None and given != made_with:
            raise InvalidOptionError(
                f"{name}: {info.path} exists and was made with {made_with}, not {given}: leave the "
                "option out, or make another index"
            )
