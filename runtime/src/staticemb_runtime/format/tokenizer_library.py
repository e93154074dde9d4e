"""Tokenizer definitions, read by the `tokenizers` library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidTokenizerError, MissingPackageError, TokenizerInvalidError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def open_tokenizer(tokenizer_json: bytes) -> Tokenizer:
    """Build a tokenizer without truncation and padding.

    Args:
        tokenizer_json: the bytes of a `tokenizer.json`.

    Raises:
        InvalidTokenizerError: `tokenizers` cannot read the definition, or would not come to an end.
        MissingPackageError: `tokenizers` is not installed.
    """
    try:
        from tokenizers import Tokenizer  # late: slow to import
    except ImportError:
        raise MissingPackageError(
            "this model's tokenizer needs the package `tokenizers`: pip install tokenizers"
        ) from None
    try:
        tokenizer = Tokenizer.from_buffer(tokenizer_json)
    except BaseException as error:
        if not isinstance(error, Exception) and not is_failure(error):
            raise
        raise InvalidTokenizerError(
            f"tokenizer.json: `tokenizers` cannot read it: {error}"
        ) from error
    endless = _endless(tokenizer)
    if endless is not None:
        reason = ValueError(
            f"the added token {endless!r} is normalized to nothing, and texts are searched for ever"
        )
        raise InvalidTokenizerError(
            f"tokenizer.json: `tokenizers` cannot read it: {reason}"
        ) from reason
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _endless(tokenizer: Tokenizer) -> str | None:
    """Find an added token that may make `tokenizers` search a text for ever, beyond any signal.

    It is one that the normalizer turns into nothing. The search then ends only at texts in which
    no other normalized added token begins without ending, as one of a single byte never does.

    Returns:
        The token's content; None if there is none.
    """
    if tokenizer.normalizer is None:
        return None
    normalize = tokenizer.normalizer.normalize_str
    added = tokenizer.get_added_tokens_decoder().values()
    spelled = {token.content: normalize(token.content) for token in added if token.normalized}
    if max((len(spelling.encode()) for spelling in spelled.values()), default=0) < 2:
        return None
    return next((content for content, spelling in spelled.items() if not spelling), None)


def check_readable(tokenizer_json: bytes, source: str) -> None:
    """Check that `tokenizers` can read a definition.

    Raises:
        TokenizerInvalidError: `tokenizers` cannot read the definition.
    """
    try:
        open_tokenizer(tokenizer_json)
    except InvalidTokenizerError as error:
        expected = "a definition that `tokenizers` can read"
        raise TokenizerInvalidError(source, "tokenizer", expected, str(error.__cause__)) from None


def is_failure(error: BaseException) -> bool:
    """Tell whether an exception comes from `tokenizers`.

    Its errors have the class `Exception` itself. A Rust panic does not derive from `Exception`.
    """
    return type(error) is Exception or type(error).__name__ == "PanicException"
