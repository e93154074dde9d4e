"""BERT's tokenizer for all of Unicode, without the `tokenizers` library.

A text goes through five steps: the added tokens that are looked for as they are, the normalizer,
the added tokens that are looked for in normalized text, the pre-tokenizer, and WordPiece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .added_tokens import AddedToken, AddedTokens
from .bert_characters import Characters, Normalizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .wordpiece_model import WordPiece


class BertRules:
    """Cuts texts into words and added tokens; safe to use from several threads.

    Args:
        normalizer: the steps of the normalizer.
        added: the added tokens, as the definition spells them.

    Raises:
        ValueError: the rules cannot reproduce what `tokenizers` does with the added tokens.

    Example:
        >>> rules = BertRules(
        ...     Normalizer(clean_text=True, strip_accents=True, lowercase=True),
        ...     [AddedToken("[MASK]", 4)],
        ... )
        >>> rules.split("Née [MASK], 1.5")
        ['nee', 4, ',', '1', '.', '5']
    """

    def __init__(self, normalizer: Normalizer, added: Sequence[AddedToken] = ()) -> None:
        self.normalizer = normalizer
        self._words = Characters(normalizer, split=True)
        self._normal = Characters(normalizer, split=False)
        self._pre_tokenizer = Characters(Normalizer(), split=True)
        self._raw = _added([token for token in added if not token.normalized])
        self._late = _added(
            [
                token._replace(spelling=self._normal.apply(token.spelling))
                for token in added
                if token.normalized
            ]
        )

    def words(self, text: str) -> list[str]:
        """Return the normalized words of a text that holds no added token.

        Args:
            text: a text without lone surrogates.
        """
        return [word for word in self._words.apply(text).split(" ") if word]

    def split(self, text: str) -> list[str | int]:
        """Return the normalized words of a text, and the ids of its added tokens, in order.

        Args:
            text: a text without lone surrogates.
        """
        parts: list[str | int] = []
        for piece in self._raw.split(text):
            if isinstance(piece, int):
                parts.append(piece)
            elif not self._late:
                parts += self.words(piece)
            else:
                for part in self._late.split(self._normal.apply(piece)):
                    if isinstance(part, int):
                        parts.append(part)
                    else:
                        cut = self._pre_tokenizer.apply(part)
                        parts += [word for word in cut.split(" ") if word]
        return parts


class BertTokenizer:
    """Encodes texts; safe to use from several threads.

    Args:
        rules: the rules that cut a text.
        model: the model that encodes a word.
        vocabulary: the model's tokens -> ids.
        added: the added tokens, whose ids are those of the vocabulary where it has them.
    """

    def __init__(
        self,
        rules: BertRules,
        model: WordPiece,
        vocabulary: dict[str, int],
        added: Sequence[AddedToken] = (),
    ) -> None:
        self.rules = rules
        self.model = model
        self.vocabulary = vocabulary
        self.added = list(added)
        self._spellings: dict[int, str] = {}

    @property
    def vocab_size(self) -> int:
        """The number of tokens, added ones included."""
        return len(self.vocabulary) + sum(t.spelling not in self.vocabulary for t in self.added)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text without lone surrogates; no special tokens are put around it."""
        ids: list[int] = []
        for piece in self.rules.split(text):
            if isinstance(piece, int):
                ids.append(piece)
            else:
                ids += self.model.encode(piece)
        return ids

    def token(self, token_id: int) -> str:
        """Return the token with an id.

        Raises:
            KeyError: no token has the id.
        """
        if not self._spellings:
            spellings = {number: token for token, number in self.vocabulary.items()}
            self._spellings = spellings | {t.token_id: t.spelling for t in self.added}
        return self._spellings[token_id]


def _added(tokens: Iterable[AddedToken]) -> AddedTokens:
    """Check the added tokens of one pass."""
    tokens = list(tokens)
    spellings = {token.spelling for token in tokens}
    if len(spellings) < len(tokens):
        # `tokenizers` then finds either of them, by chance.
        raise ValueError("two added tokens have one spelling")
    if "" in spellings:
        raise ValueError("an added token has no spelling")
    if any(token.rstrip for token in tokens) and any(s[0].isspace() for s in spellings):
        # A match may then begin inside the match before it.
        raise ValueError("an added token begins with white space")
    return AddedTokens(tokens)
