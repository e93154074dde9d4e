"""How the peers cut texts, where that differs from the format's stages 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .word_tokenizer import WordTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..format.parts import TextLimits


class LimitedTokenizer:
    """A tokenizer that cuts texts by a peer's rules; safe to use from several threads.

    Args:
        tokenizer_json: the bytes of a `tokenizer.json`.
        limits: the rules.
    """

    def __init__(self, tokenizer_json: bytes, limits: TextLimits) -> None:
        first = None if limits.keep_end else limits.max_tokens
        self._inner = WordTokenizer(tokenizer_json, max_tokens=first)
        self._limits = limits

    def encode(
        self, texts: Sequence[str], *, start: int = 0
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """As `WordTokenizer.encode`."""
        ids, lengths, keep = self._encode(texts, start)
        return ids[keep], _count(keep, lengths)

    def tokens(self, text: str) -> list[str]:
        """As `WordTokenizer.tokens`."""
        _, _, keep = self._encode([text], 0)
        pieces = self._inner.tokens(self._cut([text])[0])
        return [piece for piece, kept in zip(pieces, keep.tolist(), strict=True) if kept]

    def _cut(self, texts: Sequence[str]) -> Sequence[str]:
        limit = self._limits.max_characters
        return texts if limit is None else [text[:limit] for text in texts]

    def _encode(
        self, texts: Sequence[str], start: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
        """(N,) ids, (B,) how many each text has, and (N,) which of them are kept."""
        limits = self._limits
        ids, lengths = self._inner.encode(self._cut(texts), start=start)
        keep = np.ones(len(ids), np.bool_)
        if limits.keep_end and limits.max_tokens is not None:
            to_end = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(ids))
            keep &= to_end <= limits.max_tokens
        if limits.unknown_token_id is not None:
            keep &= ids != limits.unknown_token_id
        return ids, lengths, keep


def _count(keep: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many are kept of each of consecutive stretches.

    Example:
        >>> _count(np.array([True, False, True]), np.array([2, 0, 1])).tolist()
        [1, 0, 1]
    """
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep, dtype=np.int64)])
    ends = np.cumsum(lengths)
    counts: NDArray[np.int64] = before[ends] - before[ends - lengths]
    return counts
