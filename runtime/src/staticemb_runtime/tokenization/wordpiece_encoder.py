"""WordPiece models with BERT's rules, without the `tokenizers` library.

A word of ASCII letters and digits needs no normalizer. Many new words of this kind are encoded side
by side: each step looks up one piece of each word that is not yet complete. Other words go through
`bert`, one by one.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from .bert_characters import MARKS
from .byte_cut import ByteCut
from .segmenters import SPACES, Dropped
from .word_table import MISSING, WordTable, read_keys
from .words import PADDING, WordIds, Words, merge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .bert import BertTokenizer
    from .segmenters import Splitter

    Ints = NDArray[np.intp]
    Ids = NDArray[np.int32]

_LOWER: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_WIDTH: Final = 2  # units of 8 bytes: words up to 16 bytes are encoded side by side
# Fewer new words than these are encoded faster one by one.
_MANY: Final = 16
_IDEOGRAPHS: Final = "\u4e00-\u9fff"
_NO_IDS: Final = np.empty(0, np.int32)


class WordPieceEncoder:
    """A `TextEncoder` for BERT's rules; safe to use from several threads.

    Args:
        tokenizer: the rules, the vocabulary and the added tokens.

    Attributes:
        splitter: the rule that cuts texts at ASCII white space; its cut of bytes also isolates
            marks, and lowercases ASCII letters if the normalizer does and each added token has a
            mark. This is exact: BERT's normalizer treats each character independently of its
            neighbors, except that it reorders combining marks, which follow a character that is
            not ASCII or stay behind their ASCII character. A text that holds an added token is odd.
            If an added token is looked for in normalized text, which bytes do not show, texts are
            only cut at white space. None if an added token holds white space.
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
        late = any(token.normalized for token in added)
        self.splitter = Dropped(spaces, ends="" if late else _ends(tokenizer))
        if not late:
            # A word in lowercase must not become an added token, which is looked for before.
            fold = lowercase and all(set(spelling) & set(MARKS) for spelling in spellings)
            self.splitter.byte_cut = ByteCut(
                "".join(spaces), marks=MARKS, fold=fold, spellings=spellings
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
        return WordIds.from_lists(list(map(self._tokenizer.ids, texts)))

    def token(self, token_id: int) -> str:
        """Return a token as the vocabulary spells it."""
        return self._tokenizer.token(token_id)

    def known(self) -> tuple[Words, WordIds]:
        """Return words that are a token, and their ids: WordPiece takes the longest token."""
        words, ids = self._vocabulary
        chosen = self._plain(words) & (words.lengths <= self._tokenizer.model.longest)
        return words.select(chosen), WordIds(ids[chosen], np.ones(chosen.sum(), np.intp))

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
        return WordIds.from_lists(list(map(self._tokenizer.ids, words.strings())))

    def _side_by_side(self, words: Words) -> WordIds:
        """Encode plain words: for each, repeatedly take the longest token that begins the rest."""
        buffer, starts, lengths = words
        model = self._tokenizer.model
        is_known = lengths <= model.longest
        places: list[Ints] = []
        pieces: list[Ids] = []
        begins = starts.copy()
        ends = starts + lengths
        rest = is_known.nonzero()[0]
        table = self._beginnings
        while len(rest):
            # Look up each start of each rest, from its first byte to all of it.
            sizes = ends.take(rest) - begins.take(rest)
            last = np.cumsum(sizes)
            owner = np.repeat(np.arange(len(rest)), sizes)
            length = np.arange(1, len(owner) + 1) - np.repeat(last - sizes, sizes)
            tried = Words(buffer, begins.take(rest).take(owner), length)
            ids, _ = table.find(tried)
            hits = (ids != MISSING).nonzero()[0]
            longest = np.full(len(rest), -1)
            longest[owner.take(hits)] = hits  # the last of several assignments counts
            hit = (longest >= 0).nonzero()[0]
            is_known[rest] = longest >= 0
            rest, longest = rest.take(hit), longest.take(hit)
            places.append(rest)
            pieces.append(ids.take(longest))
            begins[rest] += length.take(longest)
            rest = rest[begins.take(rest) < ends.take(rest)]
            table = self._continuations
        unknown = (~is_known).nonzero()[0]
        place, piece = np.concatenate([unknown[:0], *places]), np.concatenate([_NO_IDS, *pieces])
        # Of an unknown word, the pieces before the failure are dropped.
        kept = is_known.take(place).nonzero()[0]
        place = np.concatenate([place.take(kept), unknown])
        piece = np.concatenate([piece.take(kept), np.full(len(unknown), model.unknown, np.int32)])
        order = np.argsort(place, kind="stable")
        return WordIds(piece.take(order), np.bincount(place, minlength=len(starts)))

    @cached_property
    def _vocabulary(self) -> tuple[Words, Ids]:
        """The tokens that could be words or pieces in a table, and their ids."""
        vocabulary = self._tokenizer.vocabulary
        tokens = Words.join(list(map(str.encode, vocabulary)))
        ids = np.fromiter(vocabulary.values(), np.int32, len(vocabulary))
        buffer = np.frombuffer(tokens.buffer, np.uint8)
        zeros = np.searchsorted(tokens.starts, (buffer[: -len(PADDING)] == 0).nonzero()[0], "right")
        usable = tokens.lengths > 0
        usable[zeros - 1] = False
        return tokens.select(usable), ids[usable]

    @cached_property
    def _beginnings(self) -> WordTable:
        """The tokens that begin a word."""
        return _table(*self._vocabulary)

    @cached_property
    def _continuations(self) -> WordTable:
        """The tokens inside a word, without their prefix."""
        (buffer, starts, lengths), ids = self._vocabulary
        prefix = np.frombuffer(self._tokenizer.model.prefix.encode(), np.uint8)
        longer = (lengths > len(prefix)).nonzero()[0]
        at = starts.take(longer)[:, None] + np.arange(len(prefix))
        begins = (np.frombuffer(buffer, np.uint8)[at] == prefix).all(axis=1)
        inside = longer[begins]
        n = len(prefix)
        return _table(Words(buffer, starts[inside] + n, lengths[inside] - n), ids[inside])


def _ends(tokenizer: BertTokenizer) -> str:
    """Return the pattern of characters that end a word and are no part of an added token.

    The context of an added token that must stand alone is what it would be without the text before
    the cut: none of these characters is part of a word there.
    """
    added = tokenizer.added
    used = {character for token in added for character in token.spelling}
    ends = "".join(mark for mark in MARKS if mark != "_" and mark not in used)
    ideographs = ""
    if tokenizer.rules.normalizer.handle_chinese_chars:
        alone = any(token.single_word for token in added)
        if not alone and not any(_IDEOGRAPHS[0] <= c <= _IDEOGRAPHS[-1] for c in used):
            ideographs = _IDEOGRAPHS
    return f"[{re.escape(ends)}{ideographs}]" if ends or ideographs else ""


def _table(words: Words, ids: Ids) -> WordTable:
    fitting = words.lengths <= 8 * _WIDTH
    ids = ids[fitting]
    table = WordTable(_WIDTH, len(ids), slots=4)
    table.add(words.select(fitting), WordIds(ids, np.ones(len(ids), np.intp)))
    return table
