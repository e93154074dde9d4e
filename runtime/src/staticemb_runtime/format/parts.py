"""The parts of a model, whatever file or folder they come from."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from .file_changes import FileState
    from .metadata import Metadata


class TextLimits(NamedTuple):
    """Rules for long texts.

    The format drops unknown tokens and cuts what is left. model2vec cuts the text's characters,
    then its tokens, and only then drops; a tokenizer may be set to keep a text's end.

    Attributes:
        max_characters: how many characters of a text are looked at; None for all.
        max_tokens: how many tokens are kept, before unknown ones are dropped; None for all.
        keep_end: whether the last ones are kept, not the first.
        unknown_token_id: the id that is dropped.
    """

    max_characters: int | None = None
    max_tokens: int | None = None
    keep_end: bool = False
    unknown_token_id: int | None = None

    @property
    def beyond_format(self) -> bool:
        """Whether the format's `max_tokens` and `unknown_token_id` cannot say the same."""
        cuts_first = self.max_tokens is not None and self.unknown_token_id is not None
        return self.keep_end or self.max_characters is not None or cuts_first


class ModelParts(NamedTuple):
    """The parts of a model, as read-only views of the mapped file.

    Attributes:
        path: the file, or the folder (see `compat`).
        metadata: its settings.
        embeddings: (R, D) float32, float16 or int8.
        scale: (D,) float32, the columns' steps of an int8 table.
        weights: (V,) float32 or None.
        rows: (V,) unsigned or signed integers or None.
        tokenizer_view: (N,) uint8, the bytes of a `tokenizer.json`.
        limits: how texts are cut where the metadata do not say it all; None for a file.
        default_dim: the length of vectors where nobody asks for another; None: the whole.
        identity: equal for two openings exactly if nothing has changed in between.
        mapped: the files that the views map, as they were when they were opened.
        optional: the tensors beside those, by name (SPEC section 6.1). Opening checks where they
            lie and nothing of what they hold; each is mapped when it is asked for.
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
    identity: str = ""
    mapped: tuple[FileState, ...] = ()
    optional: Mapping[str, NDArray[Any]] = MappingProxyType({})

    @property
    def tokenizer(self) -> bytes:
        """The tokenizer's definition, copied out of the map, without the spaces that pad it."""
        return self.tokenizer_view.tobytes().rstrip(b" ")

    @property
    def n_token_ids(self) -> int:
        """V, the number of token ids."""
        return len(self.embeddings if self.rows is None else self.rows)
