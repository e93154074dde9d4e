"""The parts of a model from any file or folder."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from .file_state import FileState
    from .metadata import Metadata


class TextLimits(NamedTuple):
    """Rules for long texts.

    The format drops unknown tokens, then cuts the others. model2vec cuts the text's characters,
    then its tokens, then drops unknown tokens. A tokenizer's own truncation may keep a text's end.

    Attributes:
        max_characters: the number of characters that are read; None for all.
        max_tokens: the number of tokens that are kept, unknown tokens included; None for all.
        keep_end: whether the last tokens are kept, not the first.
        unknown_token_id: the id that is dropped; None for no id.
    """

    max_characters: int | None = None
    max_tokens: int | None = None
    keep_end: bool = False
    unknown_token_id: int | None = None

    @property
    def beyond_format(self) -> bool:
        """Whether the format's `max_tokens` and `unknown_token_id` cannot express these rules."""
        cuts_first = self.max_tokens is not None and self.unknown_token_id is not None
        return self.keep_end or self.max_characters is not None or cuts_first


class ModelParts(NamedTuple):
    """The parts of a model, as read-only views of the mapped file.

    Attributes:
        path: the file, or the folder of another library's model.
        metadata: the settings.
        embeddings: (R, D) float32, float16 or int8.
        scale: (D,) float32, the factors of an int8 table's columns, or None.
        weights: (V,) float32 or None.
        rows: (V,) unsigned or signed integers or None.
        tokenizer_view: (N,) uint8, the bytes of a `tokenizer.json`.
        limits: rules for long texts that the metadata cannot express, or None.
        default_dim: the default length of vectors; None for D.
        mapped: the states of the mapped files when they were opened.
        optional: the optional tensors by name (SPEC section 6.1). Opening checks their positions,
            not their contents. Each is mapped on access.
        refused: the optional parts that full verification refused, such as `pieces`.
    """

    path: str
    metadata: Metadata
    embeddings: NDArray[Any]
    scale: NDArray[np.float32] | None
    weights: NDArray[np.float32] | None
    rows: NDArray[Any] | None
    tokenizer_view: NDArray[np.uint8]
    limits: TextLimits | None = None
    default_dim: int | None = None
    mapped: tuple[FileState, ...] = ()
    optional: Mapping[str, NDArray[Any]] = MappingProxyType({})
    refused: tuple[str, ...] = ()

    @property
    def tokenizer(self) -> bytes:
        """A copy of the tokenizer's definition, without the spaces that pad it."""
        return self.tokenizer_view.tobytes().rstrip(b" ")

    @property
    def n_token_ids(self) -> int:
        """V, the number of token ids."""
        return len(self.embeddings if self.rows is None else self.rows)
