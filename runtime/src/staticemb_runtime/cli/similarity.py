"""`staticemb similarity`: print the cosine of two texts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..encoding.empty_texts import EmptyTexts
from ..encoding.foreign_texts import ForeignTexts
from ..model import StaticModel
from ..records.places import placed
from .layout import Styles, fit, terminal_width
from .parser import CommandParser
from .process import given_text, printable
from .texts import add_request, note_empty, note_foreign

if TYPE_CHECKING:
    from ..search import Explanation

_PAIRS = 10


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    similarity = commands.add_parser(
        "similarity",
        parents=[model],
        help="print the cosine similarity of two texts",
        description="Print the cosine similarity of two texts.",
    )
    similarity.set_defaults(run=run)
    similarity.add_argument("a", type=given_text, metavar="A", help="the first text")
    similarity.add_argument("b", type=given_text, metavar="B", help="the second text")
    add_request(similarity)
    similarity.add_argument(
        "--explain",
        action="store_true",
        help="print the pairs of tokens that add most to the cosine, and the sum of the others",
    )


def run(options: argparse.Namespace) -> int:
    """Print the cosine with four decimals."""
    model = StaticModel.load(options.model)
    request = {"truncate_dim": options.truncate_dim, "pooling": options.pooling}
    empty = EmptyTexts("zero")
    empty.foreign = foreign = ForeignTexts()
    places = ["text 1", "text 2"]
    with placed(places.__getitem__):
        vectors = model.encode([options.a, options.b], on_empty=empty, **request)
    print(f"{float(model.similarity(vectors[0], vectors[1])[0, 0]):.4f}")
    note_empty(empty, 2, places[empty.first or 0])
    foreign.place = places[foreign.first]
    note_foreign(foreign)
    if options.explain:
        from ..search import explain  # late: it imports sqlite3

        _print_pairs(explain(model, options.a, options.b, **request))
    return 0


def _print_pairs(explanation: Explanation) -> None:
    pairs = explanation.pairs(_PAIRS)
    rows = [(pair.share, f"{printable(pair.a)} ~ {printable(pair.b)}") for pair in pairs]
    rows.append((explanation.similarity - sum(pair.share for pair in pairs), "all other pairs"))
    styles, width = Styles(), terminal_width()
    for share, words in rows:
        number = styles.paint(f"{share:+.4f}", "bad" if share < 0 else "good")
        print(f"  {number}  {fit(words, width - 11)}")
