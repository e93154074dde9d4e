"""A tokenizer's definition: the bytes of a `tokenizer.json`, checked without the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import strict_json
from .errors import (
    TokenIdOutOfRangeError,
    TokenizerInvalidError,
    TokenizerNotJsonError,
    TokenizerNotUtf8Error,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKENIZER_MODELS: Final = ("WordPiece", "BPE", "Unigram", "WordLevel")


def check_tokenizer(definition: bytes, n_token_ids: int, source: str) -> None:
    """Check that bytes are a `tokenizer.json` with all ids below `n_token_ids` (SPEC section 7).

    Raises:
        TokenizerNotUtf8Error, TokenizerNotJsonError, TokenizerInvalidError,
        TokenIdOutOfRangeError: as SPEC section 13.3 names them.
    """
    for token, token_id in token_ids(parse_tokenizer(definition, source), source):
        if type(token_id) is not int:
            found = f"{token_id!r} for {token!r}"
            raise TokenizerInvalidError(source, "tokenizer", "ids that are integers", found)
        if not 0 <= token_id < n_token_ids:
            found = f"{token_id} for {token!r}"
            expected = f"ids from 0 to {n_token_ids - 1}"
            raise TokenIdOutOfRangeError(source, "tokenizer", expected, found)


def parse_tokenizer(definition: bytes, source: str) -> dict[str, Any]:
    """The members of a definition's object.

    Raises:
        TokenizerNotUtf8Error, TokenizerNotJsonError
    """
    try:
        members = strict_json.loads(definition.decode("utf-8"))
    except UnicodeDecodeError as error:
        found = f"byte {definition[error.start]:#04x} at {error.start}"
        raise TokenizerNotUtf8Error(source, "tokenizer", "UTF-8", found) from None
    except (ValueError, RecursionError) as error:
        found = f"an error: {error}"
        raise TokenizerNotJsonError(source, "tokenizer", "a JSON object", found) from None
    if not isinstance(members, dict):
        found = type(members).__name__
        raise TokenizerNotJsonError(source, "tokenizer", "a JSON object", found)
    return members


def token_ids(members: dict[str, Any], source: str) -> Iterator[tuple[object, object]]:
    """Every token of a tokenizer's vocabulary and added tokens, with its id."""
    model = members.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if not isinstance(model, dict) or kind not in TOKENIZER_MODELS:
        expected = f"a model of type {', '.join(TOKENIZER_MODELS)}"
        raise TokenizerInvalidError(source, "tokenizer", expected, repr(kind))
    vocabulary = model.get("vocab")
    if kind != "Unigram" and isinstance(vocabulary, dict):
        yield from vocabulary.items()
    elif kind == "Unigram" and isinstance(vocabulary, list):
        yield from ((piece, token_id) for token_id, piece in enumerate(vocabulary))
    else:
        found = type(vocabulary).__name__
        raise TokenizerInvalidError(source, "tokenizer", f"a vocabulary of {kind}", found)
    added = members.get("added_tokens")
    if added is not None and not isinstance(added, list):
        found = type(added).__name__
        raise TokenizerInvalidError(source, "tokenizer", "added_tokens to be an array", found)
    for token in added or ():
        if not isinstance(token, dict):
            raise TokenizerInvalidError(
                source, "tokenizer", "added_tokens to be objects", repr(token)
            )
        yield token.get("content"), token.get("id")
