"""The choice of the tokenizer that encodes new words: our own where it is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..format.pieces import DEFINITION, PART
from .bert_definition import read_bert
from .wordpiece_encoder import WordPieceEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..format.parts import ModelParts
    from .text_encoder import TextEncoder


def open_encoder(
    definition: NDArray[np.uint8],
    n_token_ids: int,
    optional: Mapping[str, NDArray[Any]] | None = None,
) -> TextEncoder:
    """Make an encoder for a tokenizer definition.

    Args:
        definition: (N,) the bytes of a Hugging Face `tokenizer.json`; truncation and padding in it
            are ignored.
        n_token_ids: the number of token ids. An encoder of our own never gives an id beyond it.
        optional: the file's optional tensors, if the part `pieces` may be used (SPEC section 6.2).

    Raises:
        InvalidTokenizerError: `tokenizers` cannot read the definition.
    """
    own = _open_own(definition, n_token_ids, optional)
    if own is not None:
        return own
    from .library_encoder import LibraryEncoder  # late: slow to import

    return LibraryEncoder(definition.tobytes())


def tokenized_by(file: ModelParts) -> Literal["numpy", "tokenizers"]:
    """Return which package encodes a file's texts, or nearly all of them."""
    optional = None if PART in file.refused else file.optional
    own = _open_own(file.tokenizer_view, file.n_token_ids, optional)
    return "tokenizers" if own is None else "numpy"


def check_readable(file: ModelParts) -> None:
    """Check that an encoder can be made for a file's tokenizer.

    Raises:
        TokenizerInvalidError: `tokenizers` cannot read the definition.
        MissingPackageError: `tokenizers` is needed and not installed.
    """
    if _open_own(file.tokenizer_view, file.n_token_ids, None) is not None:
        return
    from ..format import tokenizer_library  # late: slow to import

    tokenizer_library.check_readable(file.tokenizer, file.path)


def _open_own(
    definition: NDArray[np.uint8],
    n_token_ids: int,
    optional: Mapping[str, NDArray[Any]] | None,
) -> TextEncoder | None:
    if optional is not None and DEFINITION in optional:
        from .unigram_encoder import open_unigram  # late: few files have the part

        unigram = open_unigram(optional, definition, n_token_ids)
        if unigram is not None:
            return unigram
    bert = read_bert(definition, n_token_ids)
    return None if bert is None else WordPieceEncoder(bert)
