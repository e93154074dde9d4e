"""Which merges make a byte-pair-encoded piece."""

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
        ranks: each pair's place in the list of merges; the lowest is merged first.
        sources: for each piece, the pairs that are merged to it.
        prefix: what marks a piece that does not begin a word, or "".
        suffix: what marks a piece that ends a word, or "".
    """

    ranks: dict[Pair, int]
    sources: dict[str, list[Pair]]
    prefix: str
    suffix: str

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> Merges:
        """The merges of the `model` object of a `tokenizer.json`."""
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
        """What a pair is merged to: `("th", "##e")` gives `the` where the prefix is `##`."""
        return left + right[len(self.prefix) :]

    def ancestors(self, pieces: Iterable[str]) -> set[str]:
        """The pieces that the merges of `pieces` pass through, single characters included.

        Where one pair alone makes a piece, it made it; where several do, the merges are carried
        out.
        """
        found: set[str] = set()
        waiting = list(pieces)
        while waiting:
            piece = waiting.pop()
            if piece in found:
                continue
            found.add(piece)
            sources = self.sources.get(piece, [])
            waiting.extend(
                sources[0] if len(sources) == 1 else self._last(piece) if sources else ()
            )
        return found

    def _last(self, piece: str) -> Pair | tuple[()]:
        """The pair whose merge completes `piece`, nothing where the merges never reach it."""
        inside = piece.startswith(self.prefix) if self.prefix else False
        ends = piece.endswith(self.suffix) if self.suffix else False
        text = piece[len(self.prefix) * inside : len(piece) - len(self.suffix) * ends]
        symbols = [self.prefix * (inside or place > 0) + char for place, char in enumerate(text)]
        if ends and symbols:
            symbols[-1] += self.suffix
        while len(symbols) > 2:
            ranks = [self.ranks.get(pair, len(self.ranks)) for pair in pairwise(symbols)]
            lowest = min(ranks)
            if lowest == len(self.ranks):
                return ()
            place = ranks.index(lowest)
            symbols[place : place + 2] = [self.join(symbols[place], symbols[place + 1])]
        pair = (symbols[0], symbols[-1])
        return pair if len(symbols) == 2 and pair in self.ranks else ()
