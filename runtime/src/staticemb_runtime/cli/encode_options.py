"""The options of `staticemb encode` as parameters, and its notes on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .process import printable

if TYPE_CHECKING:
    import argparse

    from ..bulk.texts import Counts, VectorOptions


def vector_options(options: argparse.Namespace) -> VectorOptions:
    """Return the options that determine vectors as parameters of `StaticModel.encode`."""
    return {
        "truncate_dim": options.truncate_dim,
        "precision": options.precision,
        "pooling": options.pooling,
        "prompt_name": options.prompt_name,
        "on_empty": "raise" if options.on_empty == "raise" else "zero",
    }


def note_counts(counts: Counts) -> None:
    """Print the numbers of rows without text, empty texts and foreign ones on standard error."""
    notes = [counts.describe_empty(), counts.describe_foreign()]
    if counts.nulls:
        notes.append(
            f"{counts.nulls:,} of {counts.rows:,} rows have no text (null): their vectors are null"
        )
    for note in filter(None, notes):
        print(f"staticemb: {printable(note)}", file=sys.stderr)
