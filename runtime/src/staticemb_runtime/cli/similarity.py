"""`staticemb similarity`: print the cosine of two texts."""

from __future__ import annotations

import argparse

from ..encoding.empty_texts import EmptyTexts
from ..model import StaticModel
from .parser import CommandParser
from .process import given_text
from .texts import add_request, note_empty, placed


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


def run(options: argparse.Namespace) -> int:
    """Print the cosine with four decimals."""
    model = StaticModel.load(options.model)
    request = {"truncate_dim": options.truncate_dim, "pooling": options.pooling}
    empty = EmptyTexts("zero")
    places = ["text 1", "text 2"]
    with placed(places):
        vectors = model.encode([options.a, options.b], on_empty=empty, **request)
    print(f"{float(model.similarity(vectors[0], vectors[1])[0, 0]):.4f}")
    note_empty(empty, 2, places[empty.first or 0])
    return 0
