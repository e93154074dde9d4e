"""Code that the subcommands for texts share: options, places in errors, notes on empty texts."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

from ..errors import InvalidTextError
from ..format.metadata import Pooling
from .process import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ..encoding.empty_texts import EmptyTexts


def add_request(parser: argparse.ArgumentParser) -> None:
    """Declare the options `--truncate-dim` and `--pooling`."""
    parser.add_argument(
        "--truncate-dim", type=int, metavar="D", help="keep the first D dimensions of each vector"
    )
    parser.add_argument(
        "--pooling",
        choices=get_args(Pooling),
        help="how the rows of a text's tokens become one vector; default: as the model says",
    )


@contextmanager
def placed(places: Sequence[str]) -> Iterator[None]:
    """Replace a text's index in an error of `encode` by its place in the input."""
    try:
        yield
    except InvalidTextError as error:
        if error.index is None:
            raise
        raise InvalidTextError(f"{places[error.index]}: {error.reason}") from None


def note_empty(empty: EmptyTexts, total: int, first: str) -> None:
    """Print the number of empty texts and the place of the first on standard error, if any."""
    if empty.first is not None:
        print(f"staticemb: {printable(empty.describe(total, first))}", file=sys.stderr)
