"""The merges of a byte-pair encoding, and the pieces that they pass through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Pair = tuple[str, str]


@dataclass(frozen=True)
class Merges:
    """The merges of a BPE model.

    Attributes:
        ranks: Each pair's position in the list of merges; the lowest rank is merged first.
        sources: For each piece, the pairs that merge to it.
        prefix: The mark of a piece that does not begin a word, or "".
        suffix: The mark of a piece that ends a word, or "".
    """

    ranks: dict[Pair, int]
    sources: dict[str, list[Pair]]
    prefix: str
    suffix: str

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> Merges:
        """Read the merges of the `model` object of a `tokenizer.json`."""
        pairs = [(left, right) for left, right in model["merges"]]
        merges = cls(
            {pair: rank for rank, pair in enumerate(pairs)},
            {},
            model.get("continuing_subword_prefix") or "",
            model.get("end_of_word_suffix") or "",
        )
        for left, right in merges.ranks:
            merges.sources.setdefault(merges.join(left, right), []).append((left, right))
        return merges

    def join(self, left: str, right: str) -> str:
        """Return the piece that a pair merges to: `("th", "##e")` gives `the` with prefix `##`."""
        return left + right[len(self.prefix) :]

    def ancestors(self, pieces: Iterable[str]) -> set[str]:
        """Return `pieces` and all pieces that their merges pass through, down to characters.

        If only one pair merges to a piece, that pair is taken. If several pairs do, the merges are
        run to find the pair.
        """
        ancestors: set[str] = set()
        pending = list(pieces)
        while pending:
            piece = pending.pop()
            if piece in ancestors:
                continue
            ancestors.add(piece)
            sources = self.sources.get(piece, [])
            pending.extend(
                sources[0] if len(sources) == 1 else self._last(piece) if sources else ()
            )
        return ancestors

    def _last(self, piece: str) -> Pair | tuple[()]:
        """Return the pair whose merge completes `piece`; empty if the merges never make it."""
        inside = piece.startswith(self.prefix) if self.prefix else False
        ends = piece.endswith(self.suffix) if self.suffix else False
        text = piece[len(self.prefix) * inside : len(piece) - len(self.suffix) * ends]
        symbols = [
            self.prefix * (inside or position > 0) + char for position, char in enumerate(text)
        ]
        if ends and symbols:
            symbols[-1] += self.suffix
        while len(symbols) > 2:
            ranks = [self.ranks.get(pair, len(self.ranks)) for pair in pairwise(symbols)]
            lowest = min(ranks)
            if lowest == len(self.ranks):
                return ()
            position = ranks.index(lowest)
            symbols[position : position + 2] = [self.join(symbols[position], symbols[position + 1])]
        pair = (symbols[0], symbols[-1])
        return pair if len(symbols) == 2 and pair in self.ranks else ()
