"""Halves of surrogate pairs: JSON can spell them, and no encoding of Unicode can hold them."""

from __future__ import annotations


def without_surrogates(text: str) -> str:
    r"""Replace each half of a surrogate pair by a question mark.

    >>> without_surrogates("caf\u00e9 \ud83d")
    'café ?'
    """
    return text if text.isascii() else text.encode(errors="replace").decode()
