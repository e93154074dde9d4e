"""The interface of every teacher that encodes texts: a model, a server, a Python function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

TextKind = Literal["document", "query"]
"""Many teachers encode queries and documents differently, by a prefix or a parameter."""

EncodedPart: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float32]]"
"""(n,) row numbers of texts, and their vectors (n, dim)."""


class TextEncoder(Protocol):
    """A teacher that encodes texts.

    Attributes:
        name: Its name for metadata, without keys or passwords.
        revision: Its revision, or "".
        dim: The dimension of its vectors.
    """

    name: str
    revision: str
    dim: int

    @property
    def provenance(self) -> Mapping[str, str]:
        """The file's metadata about the teacher."""
        ...

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The teacher's own tokenizer; None if it does not give one."""
        ...

    def about(self, kind: TextKind = "document") -> dict[str, str]:
        """Return everything except the text that determines the vectors, for `TeacherCache`."""
        ...

    def encode(
        self,
        texts: Sequence[str],
        *,
        kind: TextKind = "document",
        advance: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Return vectors (N, dim) of N texts.

        Raises:
            TeacherError: The teacher cannot encode the texts.
        """
        ...


@runtime_checkable
class StreamingEncoder(Protocol):
    """A teacher that gives vectors as they arrive, so that each can be stored at once."""

    def encode_parts(
        self, texts: Sequence[str], *, kind: TextKind = "document"
    ) -> Iterator[EncodedPart]:
        """Yield the rows of N texts in parts: each row once, in any order.

        Raises:
            TeacherError: The teacher cannot encode the texts.
        """
        ...
