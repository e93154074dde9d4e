"""Lone surrogates: a Python string can hold them, but no encoding of Unicode can."""

from __future__ import annotations


def lone_surrogate(text: str) -> str:
    r"""Name the first lone surrogate of a text.

    Returns:
        The surrogate and its position; an empty string if the text has no lone surrogate.

    Example:
        >>> lone_surrogate("ab\ud800"), lone_surrogate("ab")
        ('the lone surrogate U+D800 at position 2', '')
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"the lone surrogate U+{ord(text[error.start]):04X} at position {error.start}"
    return ""
