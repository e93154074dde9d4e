"""The `tokenizers` library behind the word cache: what it is asked, and how it answers.

Ids travel as bytes, four to an id in the machine's order: slices of them are joined without a
Python integer being made.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from ..format.tokenizer_library import open_tokenizer

if TYPE_CHECKING:
    pass

# Characters and texts that are asked for together: many, as `tokenizers` shares them out to
# several cores, and a bound of the memory that its answers take.
_CHARACTERS: Final = 1 << 19
_TEXTS: Final = 4096

pack_id: Final = struct.Struct("=i").pack


class SurrogateError(Exception):
    """Some text of the call holds a lone surrogate."""


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
        """The ids of texts, by the whole pipeline.

        Raises:
            SurrogateError: a text holds a lone surrogate.
        """
        encode = self.tokenizer.encode_batch_fast
        found: list[bytes] = []
        for group in _groups(texts):
            check_surrogates(group)
            found += [self._pack(one.ids) for one in encode(group, add_special_tokens=False)]
        return found

    def atoms(self, atoms: list[str], piece: Callable[[str], str] | None) -> dict[str, bytes]:
        """The ids of words that are one piece each, from the model behind the pre-tokenizer.

        Args:
            atoms: the words.
            piece: a word as the model sees it; None: as it is.
        """
        model: Any = self.tokenizer.model
        pieces = atoms if piece is None else list(map(piece, atoms))
        found: dict[str, bytes] = {}
        if type(model).__name__ == "WordPiece":
            # It takes the longest token, so a piece that is one: found in a fraction of the time.
            longest, unknown = model.max_input_chars_per_word, self._unknown
            for atom, text, i in zip(atoms, pieces, map(model.token_to_id, pieces), strict=True):
                if i is not None and len(text) <= longest:
                    found[atom] = b"" if i == unknown else pack_id(i)
        tokenize = model.tokenize
        for atom, text in zip(atoms, pieces, strict=True):
            if atom not in found:
                found[atom] = self._pack([token.id for token in tokenize(text)])
        return found

    def _pack(self, ids: list[int]) -> bytes:
        if self._unknown is not None and self._unknown in ids:
            ids = [i for i in ids if i != self._unknown]
        return array("i", ids).tobytes()


def check_surrogates(texts: Iterable[str]) -> None:
    """Refuse what `tokenizers` would panic at.

    Raises:
        SurrogateError: a text holds a lone surrogate.
    """
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise SurrogateError from None


def _groups(texts: list[str]) -> Iterator[list[str]]:
    """Consecutive texts, as many as are asked for together."""
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
