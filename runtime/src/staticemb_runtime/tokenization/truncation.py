"""The text limits of other libraries that differ from the format's stages 2 and 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .word_tokenizer import WordTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..format.parts import TextLimits
    from .text_encoder import TextEncoder


class LimitedTokenizer:
    """A tokenizer that cuts texts by another library's rules; safe to use from several threads.

    Args:
        encoder: the tokenizer.
        limits: the rules.
    """

    def __init__(self, encoder: TextEncoder, limits: TextLimits) -> None:
        first = None if limits.keep_end else limits.max_tokens
        self._inner = WordTokenizer(encoder, max_tokens=first)
        self._limits = limits

    def encode(
        self, texts: list[str], *, start: int = 0, shared: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode texts as `WordTokenizer.encode` does."""
        ids, lengths, mask = self._encode(texts, start, shared=shared)
        return ids[mask], _count(mask, lengths)

    def encode_one(self, text: str) -> NDArray[np.int32]:
        """Encode one text."""
        return self.encode([text])[0]

    def tokens(self, text: str) -> list[str]:
        """Return a text's pieces as `WordTokenizer.tokens` does."""
        _, _, mask = self._encode([text], 0)
        pieces = self._inner.tokens(self._cut([text])[0])
        return [piece for piece, is_kept in zip(pieces, mask.tolist(), strict=True) if is_kept]

    def _cut(self, texts: list[str]) -> list[str]:
        limit = self._limits.max_characters
        return texts if limit is None else [text[:limit] for text in texts]

    def _encode(
        self, texts: list[str], start: int, *, shared: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
        """Return (N,) ids, (B,) numbers of ids per text, and the (N,) mask of the kept ids."""
        limits = self._limits
        ids, lengths = self._inner.encode(self._cut(texts), start=start, shared=shared)
        mask = np.ones(len(ids), np.bool_)
        if limits.keep_end and limits.max_tokens is not None:
            to_end = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(ids))
            mask &= to_end <= limits.max_tokens
        if limits.unknown_token_id is not None:
            mask &= ids != limits.unknown_token_id
        return ids, lengths, mask


def _count(mask: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the True values in consecutive stretches of the given lengths.

    Example:
        >>> _count(np.array([True, False, True]), np.array([2, 0, 1])).tolist()
        [1, 0, 1]
    """
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(mask, dtype=np.int64)])
    ends = np.cumsum(lengths)
    counts: NDArray[np.int64] = before[ends] - before[ends - lengths]
    return counts
