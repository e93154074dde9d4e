"""A Python function as a teacher."""

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime import PROBE_TEXTS

from ..errors import TeacherError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from .text_encoder import TextKind

_BATCH = 1_024  # texts that the function gets at a time


class FunctionTeacher:
    """A function from a list of texts to an array of vectors.

    Args:
        function: A function from a list of n texts to an array (n, D). If it has a parameter
            `kind`, it gets "document" or "query".
        name: The name for metadata; None: `python:` and the function's module and name.
        tokenizer: A tokenizer for the table, if the model behind the function has one.

    Raises:
        TeacherError: The function does not give one finite vector for each text.

    Attributes:
        name: The name for metadata.
        revision: A digest of the function's vectors of eight short texts, as the name stays the
            same when the function changes.
        dim: The dimension of the vectors, from these texts.

    Example:
        >>> def encode(texts):
        ...     return [[len(text), 1.0] for text in texts]
        >>> teacher = FunctionTeacher(encode, name="lengths")
        >>> teacher.dim, teacher.encode(["a", "bc"]).tolist()
        (2, [[1.0, 1.0], [2.0, 1.0]])
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self._function = function
        self._takes_kind = _takes_kind(function)
        self.name = _name(function) if name is None else name
        self.tokenizer = tokenizer
        self.dim = 0
        probes = self.encode(PROBE_TEXTS)
        self.dim = probes.shape[1]
        self.revision = "probes:" + hashlib.sha256(probes.astype("<f2").tobytes()).hexdigest()[:32]

    @property
    def provenance(self) -> dict[str, str]:
        """The file's metadata about the teacher."""
        return {"teacher": self.name}

    def about(self, kind: TextKind = "document") -> dict[str, str]:
        """Return everything except the text that determines the vectors, for `TeacherCache`."""
        used = kind if self._takes_kind else ""
        return {"teacher": self.name, "revision": self.revision, "kind": used}

    def encode(
        self,
        texts: Sequence[str],
        *,
        kind: TextKind = "document",
        advance: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Return the function's vectors (N, dim) of N texts. Its own errors are not changed.

        Raises:
            TeacherError: The function does not give one finite vector for each text.
        """
        if isinstance(texts, str):
            raise TeacherError("texts: expected a list of texts, found a single text")
        options = {"kind": kind} if self._takes_kind else {}
        parts = [np.empty((0, self.dim), np.float32)] if self.dim else []
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            parts.append(self._checked(self._function(batch, **options), len(batch)))
            if advance is not None:
                advance(len(batch))
        return np.concatenate(parts)

    def _checked(self, result: Any, count: int) -> NDArray[np.float32]:  # noqa: ANN401
        expected = f"({count}, {self.dim or 'D'})"
        try:
            with np.errstate(over="ignore"):
                vectors = np.asarray(result).astype(np.float32)
        except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: tensors of torch
            raise TeacherError(
                f"{self.name}: expected an array of numbers of shape {expected}, found "
                f"{type(result).__name__} ({error})"
            ) from error
        dim = self.dim or (vectors.shape[-1] if vectors.ndim else 0)
        if vectors.shape != (count, dim) or not dim:
            raise TeacherError(f"{self.name}: expected shape {expected}, found {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise TeacherError(f"{self.name}: expected finite vectors, found NaN or infinities")
        return vectors


def _takes_kind(function: Callable[..., Any]) -> bool:
    try:
        return "kind" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function in C
        return False


def _name(function: Callable[..., Any]) -> str:
    """Return a name without the address that `repr` would show."""
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None) or type(function).__module__
    return f"python:{module}.{named.__qualname__}"
