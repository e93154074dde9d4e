"""WordPiece for a process's first plain texts, without the `tokenizers` library.

Importing `tokenizers` and reading a vocabulary with it takes longer than the rest of a start. For
printable ASCII, BERT's tokenizers are a few lines: letters are lowercased, punctuation marks are
isolated, and WordPiece takes the longest token first. So this module encodes the first plain texts
from the definition. `word_tokenizer` encodes all other texts and definitions, and all texts after
the first few thousand characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..format import strict_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# BERT's ASCII punctuation marks: string.punctuation, whose module imports slowly.
PUNCTUATION: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
# Characters encoded here. For more of them the word cache is faster, its start included.
FIRST_CHARACTERS: Final = 8192

_MODEL: Final = {
    "unk_token": str,
    "continuing_subword_prefix": str,
    "max_input_chars_per_word": int,
    "vocab": dict,
}
_BERT: Final = {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}


class PlainWordPiece:
    """Encodes the first plain texts; safe to use from several threads.

    Args:
        vocabulary: token -> id.
        unknown: the id of a word without tokens.
        prefix: the prefix of a token inside a word.
        longest: the character limit of a word; longer words are unknown.
        lowercase: whether letters are lowercased.
        added: the added tokens, lowercased; a text that holds one is not encoded.
    """

    def __init__(
        self,
        vocabulary: dict[str, int],
        *,
        unknown: int,
        prefix: str,
        longest: int,
        lowercase: bool,
        added: list[str],
    ) -> None:
        self._vocabulary = vocabulary
        self._unknown = unknown
        self._prefix = prefix
        self._longest = longest
        self._lowercase = lowercase
        self._added = added
        self._cache: dict[str, list[int]] = {}
        self._remaining = FIRST_CHARACTERS

    def encode(
        self, texts: Sequence[str], *, unknown_token_id: int | None, max_tokens: int | None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """Encode texts as `WordTokenizer.encode` does.

        Returns:
            None if a text is not plain, or if the first characters are used up.
        """
        self._remaining -= sum(map(len, texts))
        if self._remaining < 0 or not are_plain(texts):
            return None
        all_ids: list[int] = []
        lengths: list[int] = []
        for text in texts:
            lowered = text.lower()
            if any(token in lowered for token in self._added):
                return None
            ids = [i for word in self._words(lowered if self._lowercase else text) for i in word]
            if unknown_token_id is not None:
                ids = [i for i in ids if i != unknown_token_id]
            ids = ids[:max_tokens]
            all_ids += ids
            lengths.append(len(ids))
        return np.array(all_ids, np.int32), np.array(lengths, np.int64)

    def _words(self, text: str) -> list[list[int]]:
        for mark in PUNCTUATION:
            if mark in text:
                text = text.replace(mark, f" {mark} ")
        words = []
        for word in text.split():
            ids = self._cache.get(word)
            if ids is None:
                ids = self._cache[word] = self._pieces(word)
            words.append(ids)
        return words

    def _pieces(self, word: str) -> list[int]:
        """Encode a word: repeatedly take the longest token that begins the rest of the word."""
        if len(word) > self._longest:
            return [self._unknown]
        ids: list[int] = []
        begin = 0
        while begin < len(word):
            prefix = self._prefix if begin else ""
            for end in range(len(word), begin, -1):
                token_id = self._vocabulary.get(prefix + word[begin:end])
                if token_id is not None:
                    break
            else:
                return [self._unknown]
            ids.append(token_id)
            begin = end
        return ids


def are_plain(texts: Sequence[str]) -> bool:
    """Tell whether texts are printable ASCII and short enough to be encoded here."""
    short = sum(map(len, texts)) <= FIRST_CHARACTERS
    return short and all(text.isascii() and text.isprintable() for text in texts)


def read_plain(definition: NDArray[np.uint8], n_token_ids: int) -> PlainWordPiece | None:
    """Read a definition with BERT's rules.

    Args:
        definition: (N,) the bytes of a `tokenizer.json`.
        n_token_ids: the number of token ids; every id must be below it.

    Returns:
        None if the definition has other rules or is invalid: `tokenizers` must then read it.
    """
    try:
        members = strict_json.loads(str(definition.data, "utf-8"))
        return _plain(members, n_token_ids)
    except (ValueError, RecursionError):
        return None


def _plain(members: Any, n_token_ids: int) -> PlainWordPiece | None:  # noqa: ANN401 - JSON
    if not isinstance(members, dict) or members.get("version") != "1.0":
        return None
    if members.get("pre_tokenizer") != {"type": "BertPreTokenizer"}:
        return None
    if members.get("post_processor") is not None:
        return None
    lowercase = _lowercase(members.get("normalizer"))
    model, added = members.get("model"), members.get("added_tokens")
    if lowercase is None or not isinstance(model, dict) or not isinstance(added, list):
        return None
    # Files of 2019 and 2020 have no type: these members identify a WordPiece model.
    if model.get("type", "WordPiece") != "WordPiece":
        return None
    if {key: type(value) for key, value in model.items() if key != "type"} != _MODEL:
        return None
    vocabulary = model["vocab"]
    if model["unk_token"] not in vocabulary:
        return None
    ids = vocabulary.values()
    if set(map(type, ids)) != {int} or min(ids) < 0 or max(ids) >= n_token_ids:
        return None
    if model["max_input_chars_per_word"] < 0:
        return None
    "".join(vocabulary).encode()  # raises if a token holds a lone surrogate
    spellings = []
    for token in added:
        content = token.get("content") if isinstance(token, dict) else None
        # The normalizer might turn any other spelling into plain text.
        if not isinstance(content, str) or not content.isascii() or not content.isprintable():
            return None
        if not content or vocabulary.get(content) != token.get("id"):
            return None
        spellings.append(content.lower())
    return PlainWordPiece(
        vocabulary,
        unknown=vocabulary[model["unk_token"]],
        prefix=model["continuing_subword_prefix"],
        longest=model["max_input_chars_per_word"],
        lowercase=lowercase,
        added=spellings,
    )


def _lowercase(normalizer: object) -> bool | None:
    """Tell whether a normalizer lowercases; None if it may change printable ASCII otherwise."""
    if normalizer is None:
        return False
    if normalizer == {"type": "Lowercase"}:
        return True
    if not isinstance(normalizer, dict) or set(normalizer) != _BERT:
        return None
    if normalizer["type"] != "BertNormalizer":
        return None
    strip, lowercase = normalizer["strip_accents"], normalizer["lowercase"]
    flags = (normalizer["clean_text"], normalizer["handle_chinese_chars"], lowercase)
    if set(map(type, flags)) != {bool} or not (strip is None or isinstance(strip, bool)):
        return None
    return bool(lowercase)
