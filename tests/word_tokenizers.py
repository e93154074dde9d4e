"""Tokenizers of definitions, and the ids they give to texts, by a dictionary and by arrays."""

from __future__ import annotations

import numpy as np
import pytest

from staticemb_runtime.tokenization import word_tokenizer
from staticemb_runtime.tokenization.library_encoder import LibraryEncoder
from staticemb_runtime.tokenization.open_encoder import open_encoder
from staticemb_runtime.tokenization.word_tokenizer import WordTokenizer


def open_tokenizer(definition: bytes, n_token_ids: int = 1 << 30, **options) -> WordTokenizer:
    """The tokenizer that a model with this definition has."""
    encoder = open_encoder(np.frombuffer(definition, np.uint8), n_token_ids)
    return WordTokenizer(encoder, **options)


def open_library(definition: bytes, **options) -> WordTokenizer:
    """A tokenizer whose new words go through `tokenizers`, whatever the definition."""
    return WordTokenizer(LibraryEncoder(definition), **options)


def split(tokenizer: WordTokenizer, texts: list[str]) -> list[list[int]]:
    """Each text's ids."""
    ids, lengths = tokenizer.encode(texts)
    assert ids.dtype == np.int32
    assert lengths.dtype == np.int64
    assert lengths.sum() == len(ids)
    return [part.tolist() for part in np.split(ids, lengths.cumsum())[:-1]]


def found(tokenizer: WordTokenizer, texts: list[str]) -> list[list[int]]:
    """Each text's ids, which both ways must give."""
    ways = []
    for few in (0, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(word_tokenizer, "_FEW_CHARACTERS", few)
            patch.setattr(word_tokenizer, "_FEW_TEXTS", few)
            ways.append(split(tokenizer, texts))
    assert ways[0] == ways[1]
    return ways[0]
