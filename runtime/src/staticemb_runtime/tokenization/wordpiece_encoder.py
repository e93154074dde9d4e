"""WordPiece models with BERT's rules, without the `tokenizers` library.

A word of ASCII letters and digits needs no normalizer. Many new words of this kind are encoded side
by side: each step looks up one piece of each word that is not yet complete. Other words go through
`bert`, one by one.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from .byte_cut import ByteCut
from .segmenters import SPACES, Dropped
from .word_table import MISSING, WordIds, Words, WordTable, merge, read_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .bert import BertTokenizer
    from .segmenters import Splitter

    Ints = NDArray[np.intp]

# BERT's ASCII punctuation marks: string.punctuation, whose module imports slowly.
MARKS: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_LOWER: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_WIDTH: Final = 2  # units of 8 bytes: words up to 16 bytes are encoded side by side
# Fewer new words than these are encoded faster one by one.
_MANY: Final = 64


class WordPieceEncoder:
    """A `TextEncoder` for BERT's rules; safe to use from several threads.

    Args:
        tokenizer: the rules, the vocabulary and the added tokens.

    Attributes:
        splitter: the rule that cuts texts at ASCII white space; its cut of bytes also isolates
            marks, and lowercases ASCII letters if the normalizer does. This is exact: BERT's
            normalizer treats each character independently of its neighbors, except that it
            reorders combining marks, which follow a character that is not ASCII or stay behind
            their ASCII character. A text that holds an added token is odd. If an added token is
            looked for in normalized text, which bytes do not show, texts are only cut at white
            space. None if an added token holds white space.
        vocab_size: the number of tokens, added ones included.
    """

    splitter: Splitter | None

    def __init__(self, tokenizer: BertTokenizer) -> None:
        self._tokenizer = tokenizer
        self.vocab_size = tokenizer.vocab_size
        lowercase = tokenizer.rules.normalizer.lowercase
        added = tokenizer.added
        spellings = [token.spelling for token in added]
        spaces = [space for space in SPACES if space.isascii() and self._separates(space)]
        self.splitter = Dropped(spaces)
        late = any(token.normalized for token in added)
        if not late:
            self.splitter.byte_cut = ByteCut(
                "".join(spaces), marks=MARKS, fold=lowercase, spellings=spellings
            )
        if any(set(spelling) & set(SPACES) for spelling in spellings):
            self.splitter = None
        letters = _LOWER if lowercase else _LOWER + _LOWER[10:].upper()
        # Whether a byte needs no normalizer; the padding of keys does not.
        self._is_plain = np.zeros(256, np.bool_)
        self._is_plain[list(letters.encode() + b"\0")] = True
        if late or any(set(spelling) <= set(letters) for spelling in spellings):
            self._is_plain[:] = False  # a plain word may hold an added token

    def words(self, words: Words) -> WordIds:
        """Encode words from the splitter; all of them are separable."""
        if len(words.starts) < _MANY:
            return self._one_by_one(words)
        plain = self._plain(words)
        others = ~plain
        side_by_side = self._side_by_side(words.select(plain))
        return merge([(plain, side_by_side), (others, self._one_by_one(words.select(others)))])

    def texts(self, texts: Sequence[str]) -> WordIds:
        """Encode texts.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        "".join(texts).encode()
        return _join(map(self._tokenizer.ids, texts))

    def token(self, token_id: int) -> str:
        """Return a token as the vocabulary spells it."""
        return self._tokenizer.token(token_id)

    def known(self) -> tuple[Words, WordIds]:
        """Return words that are a token, and their ids: WordPiece takes the longest token."""
        words, ids = _words(
            (token.encode(), token_id) for token, token_id in self._tokenizer.vocabulary.items()
        )
        plain = self._plain(words) & (words.lengths <= self._tokenizer.model.longest)
        chosen = np.flatnonzero(plain)
        return words.select(chosen), ids.select(chosen)

    def _separates(self, space: str) -> bool:
        words = self._tokenizer.rules.words
        return words(f"a{space}b") == ["a", "b"]

    def _plain(self, words: Words) -> NDArray[np.bool_]:
        """Return (N,) whether the model gives the ids of each word as it stands."""
        keys = np.stack(read_keys(words, _WIDTH), axis=1).astype("<u8", copy=False)
        plain = self._is_plain.take(keys.view(np.uint8)).all(axis=1)
        plain &= words.lengths <= 8 * _WIDTH
        return plain

    def _one_by_one(self, words: Words) -> WordIds:
        return _join(map(self._tokenizer.ids, words.strings()))

    def _side_by_side(self, words: Words) -> WordIds:
        """Encode plain words: for each, repeatedly take the longest token that begins the rest."""
        buffer, starts, lengths = words
        model = self._tokenizer.model
        is_known = lengths <= model.longest
        pieces: list[tuple[Ints, NDArray[np.int32]]] = []
        at = np.zeros(len(starts), np.intp)
        rest = np.flatnonzero(is_known)
        table = self._beginnings
        while len(rest):
            sizes = lengths.take(rest) - at.take(rest)
            begins = starts.take(rest) + at.take(rest)
            ids = np.full(len(rest), MISSING, np.int32)
            trying = np.arange(len(rest))
            while len(trying):
                tried = Words(buffer, begins.take(trying), sizes.take(trying))
                ids[trying] = table.find(tried)[0]
                trying = trying[ids.take(trying) == MISSING]
                sizes[trying] -= 1
                trying = trying[sizes.take(trying) > 0]
            is_known[rest[ids == MISSING]] = False
            pieces.append((rest, ids))
            at[rest] += sizes
            rest = rest[(ids != MISSING) & (at.take(rest) < lengths.take(rest))]
            table = self._continuations
        unknown = np.flatnonzero(~is_known)
        pieces.append((unknown, np.full(len(unknown), model.unknown, np.int32)))
        places = np.concatenate([place for place, _ in pieces])
        all_ids = np.concatenate([ids for _, ids in pieces])
        # Of an unknown word, the pieces before the failure are dropped.
        valid = is_known.take(places)
        valid[len(places) - len(unknown) :] = True
        places, all_ids = places[valid], all_ids[valid]
        order = np.argsort(places, kind="stable")
        return WordIds(all_ids.take(order), np.bincount(places, minlength=len(starts)))

    @cached_property
    def _beginnings(self) -> WordTable:
        """The tokens that begin a word."""
        return _table(self._tokenizer.vocabulary, "")

    @cached_property
    def _continuations(self) -> WordTable:
        """The tokens inside a word, without their prefix."""
        return _table(self._tokenizer.vocabulary, self._tokenizer.model.prefix)


def _table(vocabulary: Mapping[str, int], prefix: str) -> WordTable:
    """Make a table of the tokens with a prefix, which it leaves out."""
    begin = len(prefix.encode())
    tokens = [
        (token.encode()[begin:], token_id)
        for token, token_id in vocabulary.items()
        if token.startswith(prefix)
    ]
    words, ids = _words(tokens)
    table = WordTable(_WIDTH, len(ids.counts))
    table.add(words, ids)
    return table


def _words(tokens: Iterable[tuple[bytes, int]]) -> tuple[Words, WordIds]:
    """Return tokens that fit into a table, and their ids."""
    fitting = [
        (token, token_id)
        for token, token_id in tokens
        if 0 < len(token) <= 8 * _WIDTH and b"\0" not in token
    ]
    ids = np.array([token_id for _, token_id in fitting], np.int32)
    words = Words.join([token for token, _ in fitting])
    return words, WordIds(ids, np.ones(len(ids), np.intp))


def _join(all_ids: Iterable[list[int]]) -> WordIds:
    ids = list(all_ids)
    counts = np.fromiter(map(len, ids), np.intp, len(ids))
    return WordIds(np.fromiter(chain.from_iterable(ids), np.int32), counts)
