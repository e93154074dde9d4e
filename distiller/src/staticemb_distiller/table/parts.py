"""The tensors of a file, for the writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Parts:
    """The tensors of a file.

    Attributes:
        embeddings: (R, D) float32, float16 or int8.
        tokenizer: The bytes of a `tokenizer.json`.
        scale: (D,) float32; only with an int8 table.
        weights: (V,) float32 token weights; None if they are multiplied into the rows.
        rows: (V,) uint16, uint32 or int64, each token's row; None: row i belongs to token i.
        optional: Tensors that do not affect vectors, by names such as `head.topic.weights`.
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
