"""The `tokenizers` library behind the word cache.

Ids are passed as bytes, four per id in the machine's byte order: slices are joined without making
Python integers.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ..format.tokenizer_library import open_tokenizer

# Characters and texts per call: many, since `tokenizers` uses several cores, but bounded, since its
# results take memory.
_CHARACTERS: Final = 1 << 19
_TEXTS: Final = 4096

pack_id: Final = struct.Struct("=i").pack


class SurrogateError(Exception):
    """A text of the call holds a lone surrogate."""


class Backend:
    """A tokenizer of the `tokenizers` library.

    Args:
        tokenizer_json: the bytes of a Hugging Face tokenizer.json; truncation and padding in it
            are ignored.
        unknown_token_id: the id to drop; None drops nothing.

    Attributes:
        tokenizer: the tokenizer, without truncation and padding.

    Raises:
        InvalidTokenizerError: `tokenizers` cannot read the definition.
    """

    def __init__(self, tokenizer_json: bytes, unknown_token_id: int | None) -> None:
        self.tokenizer = open_tokenizer(tokenizer_json)
        self._unknown = unknown_token_id

    def texts(self, texts: list[str]) -> list[bytes]:
        """Encode texts with the whole pipeline.

        Raises:
            SurrogateError: a text holds a lone surrogate.
        """
        encode = self.tokenizer.encode_batch_fast
        packed: list[bytes] = []
        for group in _groups(texts):
            check_surrogates(group)
            encodings = encode(group, add_special_tokens=False)
            packed += [self._pack(encoding.ids) for encoding in encodings]
        return packed

    def atoms(self, atoms: list[str], piece: Callable[[str], str] | None) -> dict[str, bytes]:
        """Encode words that are one piece each with the model, without the pre-tokenizer.

        Args:
            atoms: the words.
            piece: converts a word to the model's spelling; None if they are equal.
        """
        model: Any = self.tokenizer.model
        pieces = atoms if piece is None else list(map(piece, atoms))
        packed: dict[str, bytes] = {}
        if type(model).__name__ == "WordPiece":
            # WordPiece takes the longest token, so a piece that is a token has that id alone. A
            # look-up takes a fraction of the time.
            longest, unknown = model.max_input_chars_per_word, self._unknown
            for atom, text, i in zip(atoms, pieces, map(model.token_to_id, pieces), strict=True):
                if i is not None and len(text) <= longest:
                    packed[atom] = b"" if i == unknown else pack_id(i)
        tokenize = model.tokenize
        for atom, text in zip(atoms, pieces, strict=True):
            if atom not in packed:
                packed[atom] = self._pack([token.id for token in tokenize(text)])
        return packed

    def _pack(self, ids: list[int]) -> bytes:
        if self._unknown is not None and self._unknown in ids:
            ids = [i for i in ids if i != self._unknown]
        return array("i", ids).tobytes()


def check_surrogates(texts: Iterable[str]) -> None:
    """Check that no text holds a lone surrogate, at which `tokenizers` would panic.

    Raises:
        SurrogateError: a text holds a lone surrogate.
    """
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise SurrogateError from None


def _groups(texts: list[str]) -> Iterator[list[str]]:
    """Group consecutive texts, one group for each call."""
    group: list[str] = []
    size = 0
    for text in texts:
        if group and (size + len(text) > _CHARACTERS or len(group) == _TEXTS):
            yield group
            group, size = [], 0
        group.append(text)
        size += len(text)
    if group:
        yield group
