"""What `WordTokenizer` asks of a tokenizer: the ids of new words, and of whole texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .segmenters import Splitter
    from .words import WordIds, Words


class TextEncoder(Protocol):
    """A tokenizer without a memory of words.

    Attributes:
        splitter: the rule that cuts texts into words; None if no rule is exact.
        vocab_size: the number of tokens, added ones included.
    """

    splitter: Splitter | None
    vocab_size: int

    def words(self, words: Words) -> WordIds:
        """Encode words from the splitter; those that are not separable are dependent."""

    def texts(self, texts: Sequence[str]) -> WordIds:
        """Encode texts.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
        """

    def token(self, token_id: int) -> str:
        """Return a token as the vocabulary spells it."""

    def known(self) -> tuple[Words, WordIds] | None:
        """Return words of at most 16 bytes with their ids, to be stored in advance, or None."""
