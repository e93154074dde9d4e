"""The passages of a search index as documents, and the teacher's vectors of them that it holds."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from staticemb_runtime.errors import SearchIndexError, StaticEmbError
from staticemb_runtime.search import Index

from ..errors import CollectionError
from ..table.space import unit
from .documents import BLOCK, TextBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from staticemb_runtime.search import Passage

    from ..table.space import Space

_ELSEWHERE: Final = "--teacher or --vectors gives others"


class IndexPassages:
    """The passages of an index, in its order.

    Args:
        place: The file of the index.

    Raises:
        CollectionError: The file is no index that can be read.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        with self._open() as index:
            self.info = index.info()

    def blocks(self, size: int = BLOCK) -> Iterator[TextBlock]:
        """Read the passages, `size` at a time."""
        return (block for block, _ in self.with_vectors(size))

    def with_vectors(self, size: int = BLOCK) -> Iterator[tuple[TextBlock, NDArray[np.float32]]]:
        """Read n passages and their vectors (n, D) as stored, `size` at a time.

        Raises:
            CollectionError: The index is damaged.
        """
        with self._open() as index:
            passages = index.passages()
            while block := self._next(passages, size):
                texts = [passage.text for passage in block]
                yield TextBlock(texts, [""] * len(texts)), np.stack([p.vector for p in block])

    def whole(self) -> Iterator[str]:
        """Read the texts alone."""
        return (text for block in self.blocks() for text in block.texts)

    def check_model(self, model: str) -> None:
        """Check that the index holds vectors of the teacher of a model, in the model's space.

        Args:
            model: The model's file or name.

        Raises:
            CollectionError: It does not: the vectors must then come from elsewhere.
        """
        if self.info.vectors_from != "teacher":
            raise CollectionError(
                f"{self.place}: expected vectors of a teacher, found vectors of {self.info.model}; "
                f"{_ELSEWHERE}"
            )
        if self.info.precision == "bits":
            raise CollectionError(
                f"{self.place}: expected vectors, found bits of them; {_ELSEWHERE}"
            )
        try:
            Index.open(self.place, model).close()
        except StaticEmbError as error:
            raise CollectionError(f"{error}; {_ELSEWHERE}") from error

    def check_length(self, dimension: int) -> None:
        """Check that the index holds whole vectors: a shorter one has lost what the fit must learn.

        Args:
            dimension: The length of the model's vectors.

        Raises:
            CollectionError: Its vectors were cut when it was made.
        """
        if self.info.dimension < dimension:
            raise CollectionError(
                f"{self.place}: expected vectors of {dimension} dimensions, as the model has, "
                f"found {self.info.dimension}: the index was made with truncate_dim; {_ELSEWHERE}"
            )

    def _open(self) -> Index:
        try:
            return Index.open(self.place)
        except SearchIndexError as error:
            raise CollectionError(str(error)) from error

    def _next(self, passages: Iterator[Passage], size: int) -> list[Passage]:
        try:
            return list(islice(passages, size))
        except SearchIndexError as error:
            raise CollectionError(str(error)) from error


def teacher_vectors(space: Space, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn stored vectors back into unit vectors of the teacher.

    The inverse of `Space.project`, which subtracts the offset o and keeps a direction u alone. The
    teacher's vector is the point o + t·u, t > 0, of length 1. It exists, as o is a mean of unit
    vectors. Directions that the projection dropped are lost.

    Args:
        space: The space of the index's model, from H to D dimensions.
        rows: (n, D) float32.

    Returns:
        (n, H) float32 of unit length; a zero vector stays zero.
    """
    directions = unit(space.to_teacher(rows))
    if space.offset is None:
        return directions
    along = directions @ space.offset
    length = -along + np.sqrt(np.maximum(along**2 + 1 - space.offset @ space.offset, 0))
    vectors = space.offset + length[:, None] * directions
    return np.where(directions.any(axis=1, keepdims=True), unit(vectors), np.float32(0))
