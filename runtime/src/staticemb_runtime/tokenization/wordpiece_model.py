"""WordPiece: the longest token that begins a word, then the longest that begins the rest."""

from __future__ import annotations

from functools import cached_property


class WordPiece:
    """Encodes words; safe to use from several threads.

    Args:
        vocabulary: token -> id.
        unknown: the id of a word that has no tokens.
        prefix: the prefix of a token inside a word.
        longest: the character limit of a word; longer words are unknown.

    Attributes:
        unknown: the argument.
        prefix: the argument.
        longest: the argument.

    Example:
        >>> model = WordPiece({"[UNK]": 0, "a": 1, "##b": 2, "##bc": 3}, unknown=0)
        >>> model.encode("abcb"), model.encode("abd")
        ([1, 3, 2], [0])
    """

    def __init__(
        self, vocabulary: dict[str, int], *, unknown: int, prefix: str = "##", longest: int = 100
    ) -> None:
        self._vocabulary = vocabulary
        self.unknown = unknown
        self.prefix = prefix
        self.longest = longest

    @cached_property
    def _most(self) -> int:
        """A number of characters of a word that no token exceeds."""
        return max(map(len, self._vocabulary), default=0)

    def encode(self, word: str) -> list[int]:
        """Encode one word.

        Args:
            word: at least one character.

        Returns:
            At least one id.
        """
        token_id = self._vocabulary.get(word)
        size = len(word)
        if size > self.longest:
            return [self.unknown]
        if token_id is not None:
            return [token_id]
        find, prefix, most = self._vocabulary.get, "", self._most
        ids: list[int] = []
        begin = 0
        while begin < size:
            for end in range(min(size, begin + most), begin, -1):
                token_id = find(prefix + word[begin:end])
                if token_id is not None:
                    break
            else:
                return [self.unknown]
            ids.append(token_id)
            begin, prefix = end, self.prefix
        return ids
