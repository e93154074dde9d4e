"""The interface of every teacher that encodes texts: a model, a server, a Python function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from .token_vectors import TokenPooling

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
    """A teacher that gives vectors as they arrive, so that each can be stored at once.

    Attributes:
        tokens: The tokens that were counted so far.
    """

    tokens: int

    def encode_parts(
        self, texts: Sequence[str], *, kind: TextKind = "document"
    ) -> Iterator[EncodedPart]:
        """Yield the rows of N texts in parts: each row once, in any order.

        Raises:
            TeacherError: The teacher cannot encode the texts.
        """
        ...


@runtime_checkable
class LocalTeacher(TextEncoder, Protocol):
    """A Sentence Transformer, which also encodes token ids: `Teacher`, known without torch.

    Attributes:
        max_length: The most tokens of a text that are read, special tokens included; None: all.
        default_prompt: The prompt before every text if no kind is given.
        device: The device, a `torch.device`.
    """

    max_length: int | None
    default_prompt: str
    device: Any

    @property
    def tokenizer(self) -> Tokenizer:
        """The teacher's own tokenizer."""
        ...

    def encode_ids(
        self,
        sequences: Sequence[Sequence[int]],
        *,
        pooling: TokenPooling = "teacher",
        advance: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Return vectors of complete id sequences."""
        ...

    def input_embeddings(self) -> NDArray[np.float32]:
        """Return the input embedding matrix (V, H)."""
        ...
