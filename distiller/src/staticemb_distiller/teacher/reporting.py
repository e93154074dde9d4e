"""A teacher that reports each batch, for a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .text_encoder import LocalTeacher
    from .token_vectors import TokenPooling


class ReportingTeacher:
    """A teacher whose encoders report each batch.

    Args:
        teacher: The teacher.
        advance: Called after each batch with its number of texts or sequences.
    """

    def __init__(self, teacher: LocalTeacher, advance: Callable[[int], object]) -> None:
        self._teacher = teacher
        self._advance = advance
        self.dim = teacher.dim

    def encode_ids(
        self, sequences: Sequence[Sequence[int]], *, pooling: TokenPooling
    ) -> NDArray[np.float32]:
        """Call `Teacher.encode_ids`."""
        return self._teacher.encode_ids(sequences, pooling=pooling, advance=self._advance)

    def input_embeddings(self) -> NDArray[np.float32]:
        """Call `Teacher.input_embeddings`."""
        return self._teacher.input_embeddings()
