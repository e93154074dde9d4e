"""Vectors of single tokens by a teacher that encodes texts alone: a server or a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from .cached import cached_vectors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from .text_encoder import TextEncoder

_MARKS = ("##", "\u2581", "</w>")


def token_texts(tokenizer_json: bytes, tokens: int) -> list[str]:
    """Return the text of each of V tokens, without marks; "" for special tokens.

    >>> from tokenizers import models
    >>> made = Tokenizer(models.WordPiece({"[UNK]": 0, "rose": 1, "##s": 2}, unk_token="[UNK]"))
    >>> token_texts(made.to_str().encode(), 3)
    ['', 'rose', 's']
    """
    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    texts = [tokenizer.decode([token]) for token in range(tokens)]
    for mark in _MARKS:
        texts = [text.replace(mark, " ") for text in texts]
    special = {
        token
        for token in range(tokens)
        if (text := tokenizer.id_to_token(token) or "")[:1] in "[<"
        and text[-1:] in "]>"
        and len(text) > 2
    }
    return ["" if token in special else text.strip() for token, text in enumerate(texts)]


def token_text_vectors(
    teacher: TextEncoder,
    tokenizer_json: bytes,
    tokens: int,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Encode the text of each token as a query, as queries are short.

    Args:
        teacher: The teacher.
        tokenizer_json: The new model's tokenizer.
        tokens: The number of tokens, V.
        folder: The cache's folder.
        progress: As for `cached_vectors`.

    Returns:
        (V, H) float32 unit vectors. The vector of a token without a text is zero.

    Raises:
        TeacherError: The teacher cannot encode.
        CacheError: The cache is damaged or cannot be written.
    """
    texts = token_texts(tokenizer_json, tokens)
    named = np.flatnonzero([bool(text) for text in texts])
    vectors = np.zeros((tokens, teacher.dim), np.float32)
    vectors[named] = cached_vectors(
        teacher, [texts[token] for token in named], folder, kind="query", progress=progress
    )
    return vectors
