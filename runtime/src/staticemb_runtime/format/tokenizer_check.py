"""Checks of a tokenizer's definition, a `tokenizer.json`, without the `tokenizers` library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import (
    TokenIdOutOfRangeError,
    TokenizerInvalidError,
    TokenizerNotJsonError,
    TokenizerNotUtf8Error,
)
from . import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKENIZER_MODELS: Final = ("WordPiece", "BPE", "Unigram", "WordLevel")


def check_tokenizer(definition: bytes, n_token_ids: int, source: str) -> None:
    """Check that bytes are a `tokenizer.json` with all ids below `n_token_ids` (SPEC section 7).

    A model that needs an unknown token must have one, since otherwise some texts have no ids.

    Raises:
        TokenizerNotUtf8Error, TokenizerNotJsonError, TokenizerInvalidError,
        TokenIdOutOfRangeError: as SPEC section 13.3 names them.
    """
    members = parse_tokenizer(definition, source)
    for token, token_id in token_ids(members, source):
        if type(token_id) is not int:
            found = f"{token_id!r} for {token!r}"
            raise TokenizerInvalidError(source, "tokenizer", "integer ids", found)
        if not 0 <= token_id < n_token_ids:
            found = f"{token_id} for {token!r}"
            expected = f"ids from 0 to {n_token_ids - 1}"
            raise TokenIdOutOfRangeError(source, "tokenizer", expected, found)
    for item in members["model"]["vocab"] if model_type(members["model"]) == "Unigram" else ():
        if not _is_scored(item):
            expected = "a vocabulary of pairs of a token and a score"
            raise TokenizerInvalidError(source, "tokenizer", expected, f"{item!r:.60}")
    missing = missing_unknown(members["model"])
    if missing is not None:
        raise TokenizerInvalidError(source, "tokenizer", *missing)


def _is_scored(item: object) -> bool:
    """Tell whether an item of a Unigram vocabulary is a token with its score."""
    if not isinstance(item, list) or len(item) != 2:
        return False
    return isinstance(item[0], str) and type(item[1]) in (int, float)


def parse_tokenizer(definition: bytes, source: str) -> dict[str, Any]:
    """Return the members of a definition's JSON object.

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


def model_type(model: dict[str, Any]) -> object:
    """Return the type of a tokenizer's model; infer it if the member `type` is missing.

    Files of 2019 and 2020 have no `type`. `tokenizers` then takes the first type that fits.

    Args:
        model: the member `model` of a definition.

    Returns:
        One of `TOKENIZER_MODELS`, or any other value of `type`; None if no type fits.

    Example:
        >>> model_type({"vocab": {"a": 0}, "merges": []})
        'BPE'
    """
    if "type" in model:
        return model["type"]
    if isinstance(model.get("vocab"), list):
        return "Unigram"
    if "merges" in model:
        return "BPE"
    if "unk_token" not in model:
        return None
    wordpiece_keys = {"continuing_subword_prefix", "max_input_chars_per_word"}
    return "WordPiece" if wordpiece_keys <= model.keys() else "WordLevel"


def missing_unknown(model: dict[str, Any]) -> tuple[str, str] | None:
    """Check that a model's unknown token exists.

    Without it, `tokenizers` fails at the first text with an unknown piece. BPE is not checked: it
    drops unknown pieces if it names no unknown token, and knows every piece if it has all bytes.

    Args:
        model: the member `model` of a definition, with a valid vocabulary.

    Returns:
        The expected and the found value; None if the token exists or is not needed.
    """
    kind, vocabulary = model_type(model), model["vocab"]
    if kind == "Unigram":
        unknown = model.get("unk_id")
        if type(unknown) is not int or not 0 <= unknown < len(vocabulary):
            return f"an unk_id from 0 to {len(vocabulary) - 1}", repr(unknown)
    elif kind != "BPE":
        unknown = model.get("unk_token")
        if not isinstance(unknown, str) or unknown not in vocabulary:
            return "an unk_token of the vocabulary", repr(unknown)
    return None


def token_ids(members: dict[str, Any], source: str) -> Iterator[tuple[object, object]]:
    """Yield each token of a tokenizer's vocabulary and added tokens, with its id."""
    model = members.get("model")
    kind = model_type(model) if isinstance(model, dict) else None
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
