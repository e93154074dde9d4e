"""SentencePiece's Unigram tokenizers from mapped arrays, without the `tokenizers` library.

`tokenizers` takes a second or more and hundreds of megabytes to read a large multilingual
vocabulary. This encoder needs neither: it normalizes, cuts and encodes texts itself, exactly as
`tokenizers` does. What it cannot prove to be equal, it leaves to `tokenizers`: texts that hold an
added token, and texts whose normalization may depend on the version of Unicode.
`unigram_definition` refuses tokenizers with other components.
"""

from __future__ import annotations

import threading
import unicodedata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..format.pieces import read_pieces
from .cut_rules import joins_before
from .segmenters import OTHER_SPACES, WHITE_SPACE, Dropped, Kept
from .separator_pieces import MARK
from .unigram import Unigram
from .unigram_definition import read_components
from .words import WordIds, merge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..format.pieces import Pieces
    from .library_encoder import LibraryEncoder
    from .segmenters import Splitter
    from .words import Words

# Longer texts would take much memory at once: `tokenizers` encodes them.
_MAX_CHARACTERS: Final = 1 << 20


class UnigramEncoder:
    """A `TextEncoder` over mapped arrays; safe to use from several threads.

    Args:
        pieces: the vocabulary, and the definition without it.
        tokenizer: (N,) the bytes of the whole definition, for texts that are not proven.

    Attributes:
        splitter: the rule that cuts texts at white space. If the tokenizer drops white space, words
            are what stands between any of it; otherwise words stand between single blanks. None if
            a step of the normalizer or an added token spans a blank, or if a blank does not
            separate words.
        vocab_size: the number of tokens, added ones included.

    Raises:
        ValueError: the definition has a component that is not known.
    """

    splitter: Splitter | None

    def __init__(self, pieces: Pieces, tokenizer: NDArray[np.uint8]) -> None:
        self._pieces = pieces
        self._tokenizer = tokenizer
        self._library: LibraryEncoder | None = None
        self._lock = threading.Lock()
        components = self._components = read_components(pieces.definition, len(pieces.ends))
        self._model = Unigram(
            pieces, unknown=components.unknown, byte_fallback=components.byte_fallback
        )
        added = pieces.definition.get("added_tokens") or ()
        contents = list(dict.fromkeys(token["content"] for token in added))
        ids = self._model.ids_of(contents)
        self.vocab_size = len(pieces.ends) + ids.count(-1)
        # Versions of the library spell an added token as it is, or as it is normalized.
        self._respelled = {
            token_id
            for token_id, content in zip(ids, contents, strict=True)
            if components.normalize(content) != content
        }
        self.splitter = self._splitter() if components.separable else None

    def words(self, words: Words) -> WordIds:
        """Encode words from the splitter; those whose ids may depend on neighbors are dependent."""
        return self._encode([self._separable(word) for word in words.strings()])

    def texts(self, texts: Sequence[str]) -> WordIds:
        """Encode texts.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
            InvalidTokenizerError: `tokenizers` is needed, and cannot read the definition.
        """
        "".join(texts).encode()
        cuts = [self._cut(text) for text in texts]
        proven = np.array([cut is not None for cut in cuts], np.bool_)
        encoded = self._encode([cut for cut in cuts if cut is not None])
        rest = [text for text, cut in zip(texts, cuts, strict=True) if cut is None]
        if not rest:
            return encoded
        return merge([(proven, encoded), (~proven, self._open_library().texts(rest))])

    def token(self, token_id: int) -> str:
        """Return a token as the vocabulary spells it."""
        if token_id >= len(self._pieces.ends) or token_id in self._respelled:
            # Such ids come from the library alone.
            return self._open_library().token(token_id)
        ends = self._pieces.ends
        begin = int(ends[token_id - 1]) if token_id else 0
        return self._pieces.text[begin : int(ends[token_id])].tobytes().decode("utf-8", "replace")

    def known(self) -> None:
        """Return None: words are encoded when they occur."""

    def _open_library(self) -> LibraryEncoder:
        with self._lock:
            if self._library is None:
                from .library_encoder import LibraryEncoder  # late: slow to import

                self._library = LibraryEncoder(self._tokenizer.tobytes())
            return self._library

    def _encode(self, cuts: Sequence[list[str] | None]) -> WordIds:
        """Encode words or texts, cut into the model's words; None makes a dependent word."""
        distinct = dict.fromkeys(part for cut in cuts if cut is not None for part in cut)
        parts = list(distinct)
        known = dict(zip(parts, WordIds(*self._model.encode(parts)).split(), strict=True))
        return WordIds.join(
            [
                None if cut is None else b"".join([known[part] or b"" for part in cut])
                for cut in cuts
            ]
        )

    def _splitter(self) -> Splitter | None:
        # These characters always end a grapheme cluster.
        spaces = [space for space in " \t\n\r" if self._separates(space)]
        if " " not in spaces:
            return None
        if self._components.splits or self._components.collapses:
            # The marker that a run of blanks becomes does not always cut, where a blank does.
            runs = [first + second for first in spaces for second in spaces]
            return Dropped(spaces, self._is_separable) if all(map(self._separates, runs)) else None
        others = "".join(spaces).replace(" ", "")
        # A line feed after a carriage return is in its cluster.
        pattern = f"(?<!\r)[ {others}](?=\\S)"
        return Kept(
            pattern, two_forms=False, check=self._is_separable, plain=None, other_spaces=others
        )

    def _separates(self, space: str) -> bool:
        """Tell whether characters between two words separate them."""
        normalized = map(self._components.normalize, ("a", "b", f"a{space}b"))
        a, b, both = [None if each is None else self._parts(each) for each in normalized]
        return bool(a and b) and both == [*(a or ()), *(b or ())]

    def _is_separable(self, word: str) -> bool:
        return self._separable(word) is not None

    def _separable(self, word: str) -> list[str] | None:
        """Cut a word that has the same ids in every text; None for any other word."""
        if not word or not (word.isascii() or _is_apart(word)):
            return None
        normalized = self._normalize(word)
        # A blank that the normalizer leaves at an end would meet the blank beside the word.
        edges = WHITE_SPACE + MARK
        if not normalized or normalized[0] in edges or normalized[-1] in edges:
            return None
        # White space that is stripped from the ends of a text is kept inside another one.
        plain = word.isascii() and word.isprintable()
        if not plain and self._components.normalize(f"x {word} x") != f"x {normalized} x":
            return None
        return self._parts(normalized)

    def _cut(self, text: str) -> list[str] | None:
        """Cut a text into the model's words, each with its marker; None if it is not proven."""
        normalized = self._normalize(text)
        return None if normalized is None else self._parts(normalized)

    def _normalize(self, text: str) -> str | None:
        """Normalize a text; None if the result is not proven, or if it holds an added token."""
        if len(text) > _MAX_CHARACTERS:
            return None
        normalized = self._components.normalize(text)
        if normalized is not None:
            for spelling in self._components.added:
                if spelling in text or spelling in normalized:
                    return None
        return normalized

    def _parts(self, normalized: str) -> list[str] | None:
        """Cut a normalized text at white space and markers; None if this is not proven."""
        marked = _marked_whole if self._components.whole else _marked
        if not self._components.splits:
            return marked(normalized.replace(" ", MARK))
        if any(map(normalized.__contains__, OTHER_SPACES)):
            return None
        words = normalized.split()
        if MARK in normalized:
            return [part for word in words for part in marked(word)]
        return [MARK + word for word in words]


def open_unigram(
    tensors: Mapping[str, NDArray[Any]], tokenizer: NDArray[np.uint8], n_token_ids: int
) -> UnigramEncoder | None:
    """Open the tokenizer in a file's optional tensors.

    Args:
        tensors: the optional tensors.
        tokenizer: (N,) the bytes of the tokenizer's definition.
        n_token_ids: the number of token ids.

    Returns:
        None if there is none, if it is malformed, or if a component of it is not known.
    """
    pieces = read_pieces(tensors, n_token_ids)
    if pieces is None:
        return None
    try:
        return UnigramEncoder(pieces, tokenizer)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _marked(text: str) -> list[str]:
    """Put the marker before a text, unless it is there, and cut before each marker."""
    if not text:
        return []
    text = text[1:] if text[0] == MARK else text
    return [MARK + part for part in text.split(MARK)]


def _marked_whole(text: str) -> list[str]:
    """Put the marker before a text, unless it is there."""
    if not text:
        return []
    return [text if text[0] == MARK else MARK + text]


def _is_apart(word: str) -> bool:
    """Tell whether no character at a word's ends can join the blank beside it."""
    last = word[-1]
    category = unicodedata.category(last)
    leads = category in {"Cf", "Cn"} or last == "\u0d4e"
    leads = leads or (category == "Lo" and 0x11000 <= ord(last) < 0x12000)
    return not (leads or joins_before(word[0]))
