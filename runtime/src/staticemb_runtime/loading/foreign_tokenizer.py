"""The text limits that model2vec and sentence-transformers read from a `tokenizer.json`."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    LimitExceededError,
    NotAModelError,
    TokenizerInvalidError,
    TokenizerNotJsonError,
)
from ..format.header import MAX_TOKENIZER_BYTES
from ..format.parts import TextLimits
from ..format.tensors import content
from ..format.tokenizer_check import model_type, parse_tokenizer, token_ids
from .foreign_folder import FolderSettings


def map_tokenizer(path: Path, *, mmap: bool = True) -> NDArray[np.uint8]:
    """Map a tokenizer's file, or read it into memory if `mmap` is False.

    Returns:
        (N,) uint8, the bytes of the file.

    Raises:
        NotAModelError: the file cannot be read.
        TokenizerNotJsonError, LimitExceededError: the file is empty or too long.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise TokenizerNotJsonError(str(path), "tokenizer", "a JSON object", "an empty file")
        if size > MAX_TOKENIZER_BYTES:
            expected = f"at most {MAX_TOKENIZER_BYTES} bytes"
            raise LimitExceededError(str(path), "tokenizer", expected, str(size))
        with path.open("rb") as file:
            return content(file, mmap=mmap)
    except OSError as error:
        raise NotAModelError(f"{path}: {error.strerror}") from None


def model2vec_limits(
    definition: NDArray[np.uint8], settings: FolderSettings, source: str
) -> TextLimits:
    """Read the character limit, the token limit and the unknown token by model2vec's rules.

    The character limit is the token limit times the median length of the vocabulary's tokens.

    Raises:
        FormatError: the tokenizer is malformed.
    """
    members = parse_tokenizer(definition.tobytes(), source)
    lengths, unknown = {}, None
    model = members.get("model")
    unknown_token = model.get("unk_token") if isinstance(model, dict) else None
    for token, token_id in token_ids(members, source):
        piece = token[0] if isinstance(token, list) and token else token
        if not isinstance(piece, str) or type(token_id) is not int:
            found = f"{token!r:.60} with id {token_id!r:.20}"
            raise TokenizerInvalidError(source, "tokenizer", "strings with integer ids", found)
        lengths[piece] = len(piece)
        if piece == unknown_token:
            unknown = token_id  # an added token comes last and so replaces the vocabulary's id
    if isinstance(model, dict) and model_type(model) == "Unigram":
        unknown = _integer(model.get("unk_id"), "unk_id", source)
    if not lengths:
        raise TokenizerInvalidError(source, "tokenizer", "a vocabulary", "an empty one")
    if settings.max_length is None:
        return TextLimits(unknown_token_id=unknown)
    characters = settings.max_length * int(statistics.median(lengths.values()))
    return TextLimits(characters, settings.max_length, unknown_token_id=unknown)


def own_limits(definition: NDArray[np.uint8], source: str) -> TextLimits:
    """Read the token limit from the tokenizer's own truncation.

    Raises:
        FormatError: the tokenizer is malformed.
    """
    members = parse_tokenizer(definition.tobytes(), source)
    truncation: Any = members.get("truncation")
    if truncation is None:
        return TextLimits()
    if not isinstance(truncation, dict):
        found = repr(truncation)[:60]
        raise TokenizerInvalidError(source, "tokenizer", "truncation to be an object", found)
    max_tokens = _integer(truncation.get("max_length"), "max_length", source)
    return TextLimits(max_tokens=max_tokens, keep_end=truncation.get("direction") == "Left")


def _integer(value: object, key: str, source: str) -> int | None:
    if value is None or (type(value) is int and 0 <= value < 2**31):
        return value
    raise TokenizerInvalidError(source, f"tokenizer's {key}", "an integer", repr(value)[:60])
