"""Reports of a teacher for a progress bar: each batch, and the tokens that a server counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .text_encoder import StreamingEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..progress import Progress
    from .text_encoder import LocalTeacher
    from .token_vectors import TokenPooling


def with_tokens(
    advance: Callable[[int], object], teacher: object, progress: Progress
) -> Callable[[int], object]:
    """Return `advance`, which also shows the tokens that a server has counted so far.

    Args:
        advance: The function that `Progress.track` yields.
        teacher: The teacher. If it is not a server, or is None, `advance` is returned as it is.
        progress: The progress display.
    """
    if isinstance(teacher, StreamingEncoder):
        server = teacher

        def counted(done: int) -> None:
            progress.detail(f"{server.tokens:,} tokens")
            advance(done)

        return counted
    return advance


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
