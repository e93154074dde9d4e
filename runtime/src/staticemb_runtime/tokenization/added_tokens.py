"""Added tokens, found in a text as `tokenizers` finds them.

The library takes the leftmost match, the longest of those that begin there, and goes on after it,
even after one that `single_word` then rejects.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from .unicode_tables import WHITE_SPACE, WORD_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class AddedToken(NamedTuple):
    """An added token.

    Attributes:
        spelling: what is looked for; it is not empty.
        token_id: its id.
        single_word: whether a match counts only if no word character is adjacent.
        lstrip: whether a match takes the white space before it.
        rstrip: whether a match takes the white space after it.
        normalized: whether it is looked for in the normalized text.
    """

    spelling: str
    token_id: int
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False


class AddedTokens:
    """Splits texts at added tokens.

    Args:
        tokens: added tokens with distinct spellings. If one of them has `rstrip`, none begins with
            white space.

    Example:
        >>> tokens = AddedTokens([AddedToken("[SEP]", 2, rstrip=True), AddedToken("[SEP]]", 3)])
        >>> list(tokens.split("a [SEP]  b [SEP]]"))
        ['a ', 2, 'b ', 3]
    """

    def __init__(self, tokens: Sequence[AddedToken]) -> None:
        self._tokens = {token.spelling: token for token in tokens}
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for spelling in self._tokens:
            lengths[spelling[0]].add(len(spelling))
        # The lengths of the spellings that begin with a character, longest first.
        self._lengths = {first: sorted(sizes, reverse=True) for first, sizes in lengths.items()}
        self._firsts = re.compile(f"[{''.join(map(re.escape, lengths))}]") if lengths else None

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def split(self, text: str) -> Iterator[str | int]:
        """Yield the texts between the added tokens, without empty ones, and the tokens' ids."""
        done = 0
        for begin, end, token in self._matches(text):
            if token.lstrip:
                while begin > done and ord(text[begin - 1]) in WHITE_SPACE:
                    begin -= 1
            if token.rstrip:
                while end < len(text) and ord(text[end]) in WHITE_SPACE:
                    end += 1
            if done < begin:
                yield text[done:begin]
            yield token.token_id
            done = end
        if done < len(text):
            yield text[done:]

    def _matches(self, text: str) -> Iterator[tuple[int, int, AddedToken]]:
        """Yield the start and the end of each added token in a text, and the token."""
        if self._firsts is None:
            return
        end = 0
        while (first := self._firsts.search(text, end)) is not None:
            begin, end = first.span()
            for length in self._lengths[first[0]]:
                token = self._tokens.get(text[begin : begin + length])
                if token is not None:
                    end = begin + len(token.spelling)  # the text may end before `length`
                    if not token.single_word or _is_apart(text, begin, end):
                        yield begin, end, token
                    break


def _is_apart(text: str, begin: int, end: int) -> bool:
    """Tell whether no word character is adjacent to a part of a text."""
    if begin and ord(text[begin - 1]) in WORD_CHARACTERS:
        return False
    return end == len(text) or ord(text[end]) not in WORD_CHARACTERS
