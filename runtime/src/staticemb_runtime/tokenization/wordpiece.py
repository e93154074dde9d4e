"""The ids of a process's first plain texts, while `tokenizers` is not needed yet.

To import it and to let it read a vocabulary takes longer than all the rest of a start. BERT's
tokenizers do nothing to printable ASCII that takes more than a few lines: letters are made small,
punctuation marks stand alone, and WordPiece takes the longest token first. So the first plain texts
are answered from the definition itself; any other text, any other definition, and whatever comes
after the first few thousand characters is a matter for `words`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..format import strict_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# What BERT's pre-tokenizer isolates in ASCII: string.punctuation, whose module imports slowly.
PUNCTUATION: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
# Characters answered here: beyond them the word cache is faster, and pays for its start.
FIRST_CHARACTERS: Final = 8192

_MODEL: Final = {
    "unk_token": str,
    "continuing_subword_prefix": str,
    "max_input_chars_per_word": int,
    "vocab": dict,
}
_BERT: Final = {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}


class PlainWordPiece:
    """Answers the first plain texts; safe to use from several threads.

    Args:
        vocabulary: token -> id.
        unknown: the id of a word that has no tokens.
        prefix: what a token inside a word begins with.
        longest: words of more characters are unknown.
        lowercase: whether letters are made small.
        added: what no text may hold: the added tokens, in small letters.
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
        self._known: dict[str, list[int]] = {}
        self._left = FIRST_CHARACTERS

    def encode(
        self, texts: Sequence[str], *, unknown_token_id: int | None, max_tokens: int | None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """As `WordTokenizer.encode`; None where a text is not plain, or enough have been."""
        self._left -= sum(map(len, texts))
        if self._left < 0 or not are_plain(texts):
            return None
        found: list[int] = []
        lengths: list[int] = []
        for text in texts:
            small = text.lower()
            if any(token in small for token in self._added):
                return None
            ids = [i for word in self._words(small if self._lowercase else text) for i in word]
            if unknown_token_id is not None:
                ids = [i for i in ids if i != unknown_token_id]
            ids = ids[:max_tokens]
            found += ids
            lengths.append(len(ids))
        return np.array(found, np.int32), np.array(lengths, np.int64)

    def _words(self, text: str) -> list[list[int]]:
        for mark in PUNCTUATION:
            if mark in text:
                text = text.replace(mark, f" {mark} ")
        found = []
        for word in text.split():
            ids = self._known.get(word)
            if ids is None:
                ids = self._known[word] = self._pieces(word)
            found.append(ids)
        return found

    def _pieces(self, word: str) -> list[int]:
        """WordPiece: the longest token that the rest of the word begins with, again and again."""
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
    """Whether texts are of printable ASCII, and few enough to be answered here."""
    few = sum(map(len, texts)) <= FIRST_CHARACTERS
    return few and all(text.isascii() and text.isprintable() for text in texts)


def read_plain(definition: NDArray[np.uint8], n_token_ids: int) -> PlainWordPiece | None:
    """What answers plain texts by a definition's rules, if these are BERT's.

    Args:
        definition: (N,) the bytes of a `tokenizer.json`.
        n_token_ids: what every id must be below.

    Returns:
        None where the definition is anything else, or wrong: then `tokenizers` must see it.
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
    # Files of 2019 and 2020 have no type: these members make a WordPiece model.
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
    "".join(vocabulary).encode()  # raises where a token holds half a surrogate pair
    spellings = []
    for token in added:
        content = token.get("content") if isinstance(token, dict) else None
        # Any other spelling might become plain when it is normalized.
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
    """Whether it makes letters small; None where it may do more than that to printable ASCII."""
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
