"""The tensors of a file, as the writer takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Parts:
    """What a file holds.

    Attributes:
        embeddings: (R, D) float32, float16 or int8.
        tokenizer: the bytes of a `tokenizer.json`.
        scale: (D,) float32, with an int8 table and only then.
        weights: (V,) float32 factors of the tokens, where they are not folded into the rows.
        rows: (V,) token to row, as uint16, uint32 or int64.
        optional: tensors that vectors do not need, by names like `head.topic.weights`.
    """

    embeddings: NDArray[Any]
    tokenizer: bytes
    scale: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None
    rows: NDArray[Any] | None = None
    optional: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def n_token_ids(self) -> int:
        """V, the number of token ids."""
        return len(self.embeddings if self.rows is None else self.rows)
