"""Token ids of texts, equal to those of the runtime with the same tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

_BATCH = 4_096


class TokenIds:
    """A tokenizer that acts as the runtime: no special tokens, no unknown tokens, then truncation.

    Args:
        tokenizer_json: The new model's tokenizer; its truncation and padding are ignored.
        unknown_token_id: The id to drop; None: no id.
        max_tokens: The number of leading ids of a text to keep; None: all.
    """

    def __init__(
        self, tokenizer_json: bytes, unknown_token_id: int | None, max_tokens: int | None = None
    ) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer_json.decode())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._unknown = unknown_token_id
        self._most = max_tokens

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Tokenize B texts.

        Returns:
            ids (N,) int32 of all texts, one after the other, and lengths (B,) int64.
        """
        parts: list[NDArray[np.int32]] = []
        lengths = np.zeros(len(texts), np.int64)
        for first in range(0, len(texts), _BATCH):
            batch = list(texts[first : first + _BATCH])
            rows = [
                e.ids for e in self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            ]
            if self._unknown is not None:
                unknown = self._unknown
                rows = [[i for i in row if i != unknown] if unknown in row else row for row in rows]
            if self._most is not None:
                rows = [row[: self._most] for row in rows]
            lengths[first : first + len(rows)] = list(map(len, rows))
            parts.append(np.fromiter(chain.from_iterable(rows), np.int32))
        return np.concatenate([*parts, np.empty(0, np.int32)]), lengths
