"""The choice of the tokenizer that encodes new words: our own where it is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bert_definition import read_bert
from .wordpiece_encoder import WordPieceEncoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..format.parts import ModelParts
    from .word_tokenizer import TextEncoder


def open_encoder(definition: NDArray[np.uint8], n_token_ids: int) -> TextEncoder:
    """Make an encoder for a tokenizer definition.

    Args:
        definition: (N,) the bytes of a Hugging Face `tokenizer.json`; truncation and padding in it
            are ignored.
        n_token_ids: the number of token ids. An encoder of our own never gives an id beyond it.

    Raises:
        InvalidTokenizerError: `tokenizers` cannot read the definition.
    """
    bert = read_bert(definition, n_token_ids)
    if bert is not None:
        return WordPieceEncoder(bert)
    from .library_encoder import LibraryEncoder  # late: slow to import

    return LibraryEncoder(definition.tobytes())


def check_readable(file: ModelParts) -> None:
    """Check that an encoder can be made for a file's tokenizer.

    Raises:
        TokenizerInvalidError: `tokenizers` cannot read the definition.
        MissingPackageError: `tokenizers` is needed and not installed.
    """
    if read_bert(file.tokenizer_view, file.n_token_ids) is not None:
        return
    from ..format import tokenizer_library  # late: slow to import

    tokenizer_library.check_readable(file.tokenizer, file.path)
