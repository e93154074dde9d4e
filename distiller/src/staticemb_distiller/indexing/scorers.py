"""Scorers for the second stage of a search: `Index.search(query, rerank=scorer)`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import MissingPackageError, TeacherError
from ..table.space import unit
from ..teacher.open_teacher import open_teacher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..teacher.open_teacher import TeacherSpec
    from ..teacher.text_encoder import TextEncoder

CROSS_ENCODER = "cross-encoder:"
"""What a cross-encoder's name begins with at the command line."""


class Scorer(Protocol):
    """A function of a query and n passages that returns (n,) scores."""

    def __call__(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the scores; a higher one is better."""
        ...


class TeacherScorer:
    """Scores passages by the cosine of a teacher's vectors.

    Args:
        teacher: A teacher, as for `open_teacher`: a folder, a Hub id, a server or a function.

    Attributes:
        name: The teacher's name.

    Raises:
        TeacherError: The teacher cannot be opened.

    Example:
        >>> scorer = TeacherScorer(lambda texts: [[len(text), 1.0] for text in texts])
        >>> scorer("ab", ["ab", "abcdef"]).round(2)
        array([1.  , 0.96], dtype=float32)
    """

    def __init__(self, teacher: TeacherSpec) -> None:
        self._teacher: TextEncoder = open_teacher(teacher)
        self.name = self._teacher.name

    def __call__(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the cosine of the query with each of n passages, (n,) float32.

        Raises:
            TeacherError: The teacher cannot encode a text.
        """
        if not texts:
            return np.zeros(0, np.float32)
        (vector,) = unit(self._teacher.encode([query], kind="query"))
        vectors = unit(self._teacher.encode(list(texts), kind="document"))
        return np.asarray(vectors @ vector, np.float32)


class CrossEncoderScorer:
    """Scores passages by a cross-encoder of sentence-transformers, which reads both texts at once.

    Args:
        model: A `sentence_transformers.CrossEncoder` with one label, or its folder or Hub id.
            Python code that a model brings does not run; open such a model yourself.
        batch_size: How many passages are read at a time.

    Attributes:
        name: The model's name.

    Raises:
        MissingPackageError: sentence-transformers is not installed.
        TeacherError: The model cannot be opened, or gives several scores for a pair.
    """

    def __init__(self, model: Any, *, batch_size: int = 32) -> None:  # noqa: ANN401 - an optional package's class
        self.name = model if isinstance(model, str) else type(model).__name__
        self._model = _opened(model) if isinstance(model, str) else model
        self._batch_size = batch_size
        labels = int(getattr(self._model, "num_labels", 1))
        if labels != 1:
            raise TeacherError(f"{self.name}: expected one score for a pair, found {labels}")

    def __call__(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the score of the query with each of n passages, (n,) float32."""
        if not texts:
            return np.zeros(0, np.float32)
        scores = self._model.predict(
            [(query, text) for text in texts],
            batch_size=self._batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(scores, np.float32).reshape(-1)


def open_scorer(spec: str) -> TeacherScorer | CrossEncoderScorer:
    """Open a scorer by its name at the command line.

    Args:
        spec: `cross-encoder:MODEL` for a folder or Hub id of a cross-encoder; else a teacher.

    Raises:
        MissingPackageError: sentence-transformers is not installed.
        TeacherError: The model cannot be opened.
    """
    if spec.startswith(CROSS_ENCODER):
        return CrossEncoderScorer(spec.removeprefix(CROSS_ENCODER))
    return TeacherScorer(spec)


def _opened(name: str) -> Any:  # noqa: ANN401 - an optional package's class
    if find_spec("sentence_transformers") is None:
        raise MissingPackageError(
            f"{name}: a cross-encoder needs sentence-transformers: pip install "
            "sentence-transformers"
        )
    from sentence_transformers import CrossEncoder

    try:
        return CrossEncoder(name, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise TeacherError(f"{name}: cannot be opened as a cross-encoder: {error}") from error
