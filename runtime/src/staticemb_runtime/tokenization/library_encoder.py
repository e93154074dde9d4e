"""New words and whole texts, encoded by the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from ..format.tokenizer_library import open_tokenizer
from .separability import find_splitter
from .separator_pieces import END
from .words import WordIds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .segmenters import Splitter
    from .words import Words

# Characters and texts per call: many, since `tokenizers` uses several cores, but bounded, since its
# results take memory.
_CHARACTERS: Final = 1 << 19
_TEXTS: Final = 4096


class LibraryEncoder:
    """A tokenizer of the `tokenizers` library.

    Args:
        tokenizer_json: the bytes of a Hugging Face tokenizer.json; truncation and padding in it
            are ignored.

    Attributes:
        splitter: the rule that cuts texts into words; None if no rule is exact.
        vocab_size: the number of tokens, added ones included.

    Raises:
        InvalidTokenizerError: `tokenizers` cannot read the definition.
    """

    def __init__(self, tokenizer_json: bytes) -> None:
        self._tokenizer = open_tokenizer(tokenizer_json)
        self.splitter: Splitter | None = find_splitter(self._tokenizer)
        self.vocab_size: int = self._tokenizer.get_vocab_size()

    def token(self, token_id: int) -> str:
        """Return a token as the vocabulary spells it."""
        return str(self._tokenizer.id_to_token(token_id))

    def known(self) -> None:
        """Return None: no word's ids are known in advance."""

    def texts(self, texts: Sequence[str]) -> WordIds:
        """Encode texts with the whole pipeline.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        return WordIds.from_lists(self._encode(texts))

    def words(self, words: Words) -> WordIds:
        """Encode words from the splitter; those that are not separable are dependent."""
        strings = words.strings()
        known = self._learn(set(strings))
        return WordIds.from_lists([known.get(word) for word in strings])

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encode = self._tokenizer.encode_batch_fast
        all_ids: list[list[int]] = []
        for group in _groups(texts):
            "".join(group).encode()  # raises at a lone surrogate, at which `tokenizers` would panic
            all_ids += [encoding.ids for encoding in encode(group, add_special_tokens=False)]
        return all_ids

    def _learn(self, words: set[str]) -> dict[str, list[int]]:
        """Encode the separable ones of some words."""
        assert self.splitter is not None
        remaining = separable = self.splitter.separable(words)
        known: dict[str, list[int]] = {}
        plain = self.splitter.plain
        if plain is not None:
            parts = plain.parts(separable)
            atoms = set(parts.atoms)
            atoms.discard(END)
            pieces = self._pieces(list(atoms), plain.piece)
            word: list[int] = []
            plain_words = iter(parts.words)
            for atom in parts.atoms:
                if atom == END:
                    known[next(plain_words)] = word
                    word = []
                else:
                    word = word + pieces[atom] if word else pieces[atom]
            remaining = separable.difference(known)
        others = list(remaining)
        known.update(zip(others, self._encode(others), strict=True))
        return known

    def _pieces(self, atoms: list[str], piece: Callable[[str], str]) -> dict[str, list[int]]:
        """Encode words that are one piece each with the model, without the pre-tokenizer."""
        model: Any = self._tokenizer.model
        tokenize = model.tokenize
        return {atom: [token.id for token in tokenize(piece(atom))] for atom in atoms}


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
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
