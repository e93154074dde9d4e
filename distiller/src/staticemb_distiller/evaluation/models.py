"""Interfaces of models to evaluate: they embed texts, or score a whole task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import EvaluationError
from .scoring import Outcome
from .tasks import Task

VectorArray = NDArray[np.float32]
Encode = Callable[[list[str]], Any]
"""A function from texts to an (N, d) array, or to anything that numpy converts to one."""


@runtime_checkable
class Embedder(Protocol):
    """A model to evaluate.

    Attributes:
        name: Its name in the report.
        prefixes: The prefix lengths that it recommends, ascending; the last is its dimension.
            Empty: unknown.
        bytes: The size of its files; None: unknown.
        facts: Other facts for the report: `max_tokens`, `precision`, `pooling`, `digest`, …
    """

    name: str
    prefixes: tuple[int, ...]
    bytes: int | None
    facts: Mapping[str, Any]

    def encode(self, texts: Sequence[str]) -> VectorArray:
        """Return the vectors (N, d) of texts; their cosine is the similarity of two texts."""
        ...

    def encode_query(self, texts: Sequence[str]) -> VectorArray:
        """Return the vectors (N, d) of queries, to which a model may add a prompt."""
        ...

    def encode_document(self, texts: Sequence[str]) -> VectorArray:
        """Return the vectors (N, d) of documents, to which a model may add a prompt."""
        ...


class LexicalModel(ABC):
    """A model that counts words. It has no vectors of a fixed length, so it scores a whole task."""

    name: str
    bytes: int | None = None
    facts: Mapping[str, Any]
    source: str | None = None

    @abstractmethod
    def outcomes(self, task: Task) -> list[Outcome]:
        """Return the task's metrics; empty if the model cannot do the task."""

    def count(self, texts: Mapping[str, Sequence[str]]) -> object:
        """Count the words of a task's texts, by part; the memory that it takes is measured."""
        raise NotImplementedError


class FunctionModel:
    """A model made from functions that map texts to vectors.

    Args:
        name: Its name in the report.
        function: Embeds texts.
        query: Embeds queries; None: `function`.
        document: Embeds documents; None: `function`.
        prefixes: As in `Embedder`.
        bytes: As in `Embedder`.
        facts: As in `Embedder`.

    Its attribute `source` is what `load_model` opened it from, or None.

    Its methods raise `EvaluationError` if a result is not an array of N finite vectors.

    >>> model = FunctionModel("lengths", lambda texts: np.array([[len(t), 1] for t in texts]))
    >>> model.encode(["abc"])
    array([[3., 1.]], dtype=float32)
    """

    def __init__(
        self,
        name: str,
        function: Encode,
        *,
        query: Encode | None = None,
        document: Encode | None = None,
        prefixes: Sequence[int] = (),
        bytes: int | None = None,  # noqa: A002
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.source: str | None = None
        self.prefixes = tuple(prefixes)
        self.bytes = bytes
        self.facts: Mapping[str, Any] = dict(facts or {})
        self._function = function
        self._query = query or function
        self._document = document or function

    def encode(self, texts: Sequence[str]) -> VectorArray:
        """Return the vectors (N, d) float32 of texts."""
        return self._checked(self._function(list(texts)), texts)

    def encode_query(self, texts: Sequence[str]) -> VectorArray:
        """Return the vectors (N, d) float32 of queries."""
        return self._checked(self._query(list(texts)), texts)

    def encode_document(self, texts: Sequence[str]) -> VectorArray:
        """Return the vectors (N, d) float32 of documents."""
        return self._checked(self._document(list(texts)), texts)

    def _checked(self, vectors: object, texts: Sequence[str]) -> VectorArray:
        array = np.asarray(vectors, np.float32)
        if array.ndim != 2 or len(array) != len(texts):
            raise EvaluationError(
                f"{self.name}: expected {len(texts)} vectors, found an array of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise EvaluationError(
                f"{self.name}: expected finite numbers, found NaN or infinity in the vector of "
                f"{texts[row][:60]!r}"
            )
        return array
