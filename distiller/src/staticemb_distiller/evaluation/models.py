"""What can be evaluated: anything that turns texts into vectors, or that scores a task whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import EvaluationError
from .scoring import Outcome
from .tasks import Task

Vectors = NDArray[np.float32]
Encode = Callable[[list[str]], Any]
"""From texts to something numpy makes an (N, d) array of."""


@runtime_checkable
class Embedder(Protocol):
    """A model to evaluate.

    Attributes:
        name: What it is called in the report.
        prefixes: Its own ladder of prefix lengths, ascending; the last is its dimension. Empty:
            not known.
        bytes: Size of its files, or None.
        facts: What else the report should say: `max_tokens`, `precision`, `pooling`, `digest`, …
    """

    name: str
    prefixes: tuple[int, ...]
    bytes: int | None
    facts: Mapping[str, Any]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors (N, d) of texts; similarity of two of them is their cosine."""
        ...

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries, for models that treat them in their own way."""
        ...

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        """Vectors of documents to be found."""
        ...


class LexicalModel(ABC):
    """A model that counts words and has no vectors of fixed length: it scores a task whole."""

    name: str
    bytes: int | None = None
    facts: Mapping[str, Any]

    @abstractmethod
    def outcomes(self, task: Task) -> list[Outcome]:
        """The task's metrics; none for a task that it cannot do."""


class FunctionModel:
    """Any function from texts to vectors, as a model.

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
        self.prefixes = tuple(prefixes)
        self.bytes = bytes
        self.facts: Mapping[str, Any] = dict(facts or {})
        self._function = function
        self._query = query or function
        self._document = document or function

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors (N, d) float32."""
        return self._checked(self._function(list(texts)), texts)

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries."""
        return self._checked(self._query(list(texts)), texts)

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        """Vectors of documents."""
        return self._checked(self._document(list(texts)), texts)

    def _checked(self, vectors: object, texts: Sequence[str]) -> Vectors:
        array = np.asarray(vectors, np.float32)
        if array.ndim != 2 or len(array) != len(texts):
            raise EvaluationError(
                f"{self.name}: expected {len(texts)} vectors, found an array of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise EvaluationError(
                f"{self.name}: expected finite numbers, found others in the vector of "
                f"{texts[row][:60]!r}"
            )
        return array
