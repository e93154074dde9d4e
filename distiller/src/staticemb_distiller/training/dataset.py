"""Examples in memory: texts as token ids, and each example as a row of text numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .columns import Kind


@dataclass(frozen=True, eq=False)
class Texts:
    """Distinct texts, tokenized.

    Attributes:
        ids: (N,) int32, the ids of all texts, one after the other.
        offsets: (T + 1,) int64; text t has `ids[offsets[t]:offsets[t + 1]]`.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(
        self, numbers: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Select the ids of B texts.

        Args:
            numbers: (B,) text numbers, repeats allowed.

        Returns:
            ids (M,) int32, one text after the other, and offsets (B + 1,) int64.
        """
        starts = self.offsets[numbers]
        offsets = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(self.offsets[np.add(numbers, 1)] - starts, out=offsets[1:])
        places = np.repeat(starts - offsets[:-1], np.diff(offsets)) + np.arange(offsets[-1])
        return np.asarray(self.ids[places]), offsets


@dataclass(frozen=True, eq=False)
class Examples:
    """The examples of one source.

    Attributes:
        kind: The kind of all examples.
        columns: (n, c) int32 text numbers; equal texts have equal numbers. pairs and scored:
            anchor, positive; triplets: anchor, positive, negatives; labeled: the text.
        scores: (n,) float32 from 0 to 1, for kind scored.
        labels: (n,) int32, for kind labeled.
        weight: How many times an epoch takes each example.
        name: The source's name in messages.
    """

    kind: Kind
    columns: NDArray[np.int32]
    scores: NDArray[np.float32] | None
    labels: NDArray[np.int32] | None
    weight: float
    name: str = ""

    def __len__(self) -> int:
        return len(self.columns)

    def with_negatives(self, numbers: NDArray[np.int32]) -> Examples:
        """Append negatives, (n, m) text numbers, to pairs or triplets; no copy if m is 0."""
        if not numbers.shape[1]:
            return self
        columns = np.concatenate([self.columns, numbers], axis=1)
        return replace(self, kind="triplets", columns=columns)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The examples of all sources, and their texts.

    Attributes:
        texts: The tokenized texts.
        examples: The examples of each source.
        spelled: (bytes,) uint8, all texts in UTF-8, one after the other.
        spelled_offsets: (T + 1,) int64; text t has `spelled[offsets[t]:offsets[t + 1]]`.
    """

    texts: Texts
    examples: list[Examples]
    spelled: NDArray[np.uint8]
    spelled_offsets: NDArray[np.int64]

    def named(self) -> NDArray[np.int64]:
        """Return the distinct numbers of the examples' texts, ascending."""
        columns = [examples.columns.ravel() for examples in self.examples]
        return np.unique(np.concatenate(columns)).astype(np.int64)

    def read_texts(self, numbers: NDArray[np.integer[Any]]) -> list[str]:
        """Return the texts with these numbers, (B,), as strings."""
        starts, ends = self.spelled_offsets[numbers], self.spelled_offsets[np.add(numbers, 1)]
        return [
            self.spelled[start:end].tobytes().decode()
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
