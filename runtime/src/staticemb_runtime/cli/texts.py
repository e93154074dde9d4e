"""Code that the subcommands for texts share: options, notes on empty texts."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, get_args

from ..errors import InvalidOptionError
from ..format.metadata import Pooling
from ..records.forms import INPUT_FORMATS
from .process import printable

if TYPE_CHECKING:
    import argparse

    from ..encoding.empty_texts import EmptyTexts
    from ..encoding.foreign_texts import ForeignTexts

_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese."""


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


def add_input(parser: argparse.ArgumentParser, help: str) -> None:  # noqa: A002 - as in argparse
    """Declare the options `--input`, `--input-format` and `--column`, in place of texts."""
    parser.add_argument("-i", "--input", default="-", metavar="FILE", help=help)
    parser.add_argument(
        "--input-format",
        choices=INPUT_FORMATS,
        help="the format of the input; default: by the file's name",
    )
    parser.add_argument("--column", metavar="NAME", help="the column that holds the text [text]")


def refuse_input(options: argparse.Namespace) -> None:
    """Refuse texts together with the options of `add_input`.

    Raises:
        InvalidOptionError: both are given.
    """
    if (options.input, options.input_format, options.column) != ("-", None, None):
        raise InvalidOptionError(
            "TEXT: expected no texts with --input, --input-format or --column, "
            f"found {len(options.texts)}"
        )


def note_empty(empty: EmptyTexts, total: int, first: str) -> None:
    """Print the number of empty texts and the place of the first on standard error, if any."""
    if empty.first is not None:
        print(f"staticemb: {printable(empty.describe(total, first))}", file=sys.stderr)


def note_foreign(texts: ForeignTexts) -> None:
    """Print the number of texts in other languages on standard error, if any."""
    if texts.count:
        print(f"staticemb: {printable(texts.describe())}", file=sys.stderr)


def lacks_blanks(text: str) -> bool:
    """Tell whether a third of a text is in scripts that put no blanks between words."""
    return 3 * len(_UNSPACED.findall(text)) > len(text)
