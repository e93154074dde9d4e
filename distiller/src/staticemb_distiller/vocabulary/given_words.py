"""Tokenizers with given words and phrases, instead of the subwords or in addition to them.

An entry that the pre-tokenizer splits is a phrase, an added token.

In `subword` mode an added word is preferred to its pieces as follows:

- WordPiece takes the longest piece at a word's beginning, so no change is needed. A longer word
  that begins with an added word now begins with its token, too. It is unknown if no pieces spell
  the rest.
- Unigram: the word's score is the score of its best path plus 1e-6 per character. So the word
  replaces its pieces wherever they were adjacent, and other boundaries rarely change.
- BPE looks up a whole pre-token before it merges. Other words do not change. If the model does not
  see words (Gemma) or marks their insides or ends (CLIP), added words are matched like phrases.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from ..errors import VocabularyError
from . import tokenizer_json as editor

logger = logging.getLogger(__name__)

_BONUS = 1e-6
_MARKS = (" ", "\u2581")

Built = tuple[editor.Document, dict[str, list[int]]]
"""A tokenizer, and the teacher's ids of each new token."""


def replace(document: editor.Document, texts: Sequence[str]) -> Built:
    """Make a word tokenizer of the given entries, in their order.

    Raises:
        VocabularyError: The teacher cannot spell any entry.
    """
    cutter = editor.load(editor.word_level(document, [], set()))
    names = {entry.token or entry.text: entry for entry in _entries(document, texts, cutter)}
    phrases = {name for name, entry in names.items() if entry.token is None}
    result = editor.word_level(document, list(names), phrases)
    return result, {name: entry.ids for name, entry in names.items()}


def add(document: editor.Document, texts: Sequence[str], kept: AbstractSet[int]) -> Built:
    """Make a tokenizer of the kept subwords and the given entries, words before phrases.

    An entry that is already a token of the teacher is kept as that token.

    Raises:
        VocabularyError: The teacher cannot spell any entry.
    """
    teacher = editor.load(document)
    model = document["model"]
    known = {token: index for index, token in editor.model_tokens(document).items()}
    added_only = model["type"] == "BPE" and not _looks_up(teacher, model)
    limit = model.get("max_input_chars_per_word", math.inf)
    words: dict[str, list[int]] = {}
    phrases: dict[str, list[int]] = {}
    restored: set[int] = set()
    for entry in _entries(document, texts, teacher):
        if len(entry.ids) == 1:
            restored.update(entry.ids)  # a token of the teacher, kept or not
        elif entry.token is None or added_only:
            phrases[entry.text] = entry.ids
        elif len(entry.token) <= limit:
            words[entry.token] = entry.ids
    if model["type"] == "BPE" and words and not model["ignore_merges"]:
        kept = kept - _unmade(teacher, document)
    # A token that the teacher never gives for its word is replaced by the new token.
    kept = kept - {known[word] for word in words if word in known}
    base = editor.cut(document, editor.close(document, kept | restored))
    present = set(editor.model_tokens(base).values())
    new = [word for word in words if word not in present]
    scored = _scores(base["model"], new) if model["type"] == "Unigram" else new
    result = editor.insert(base, scored, phrases)
    if model["type"] == "BPE" and words:
        result = editor.prefer_whole_words(result)
    return result, {**words, **phrases}


def spell(teacher: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return the teacher's ids of each text after a space, without special tokens."""
    spaced = [text if _normalized(teacher, text)[:1] in _MARKS else " " + text for text in texts]
    return [encoding.ids for encoding in teacher.encode_batch(spaced, add_special_tokens=False)]


@dataclass(frozen=True)
class _Entry:
    """A given word or phrase: its text, the pre-token of a word, and the teacher's ids."""

    text: str
    token: str | None
    ids: list[int]


def _entries(document: editor.Document, texts: Sequence[str], cutter: Tokenizer) -> list[_Entry]:
    """Return the entries that the teacher can spell, one for each form after normalization."""
    teacher = editor.load(document)
    special = {added["content"] for added in document["added_tokens"] if added["special"]}
    unknown = editor.unknown_token(document)
    unknown_id = None if unknown is None else teacher.token_to_id(unknown)
    entries: dict[str, _Entry] = {}
    skipped = []
    for text, ids in zip(texts, spell(teacher, texts), strict=True):
        pieces = _pre_tokens(cutter, text)
        if text in special or not pieces or all(index == unknown_id for index in ids):
            skipped.append(text)
            continue
        token = pieces[0] if len(pieces) == 1 else None
        entries.setdefault(token or _normalized(cutter, text), _Entry(text, token, ids))
    if skipped:
        examples = ", ".join(skipped[:10])
        logger.warning("%d entries that the teacher cannot spell: %s", len(skipped), examples)
    if len(entries) + len(skipped) < len(texts):
        duplicates = len(texts) - len(skipped) - len(entries)
        logger.info("%d entries equal others after normalization", duplicates)
    if not entries:
        raise VocabularyError(f"the teacher cannot spell any of {len(texts)} entries")
    return list(entries.values())


def _looks_up(teacher: Tokenizer, model: editor.Document) -> bool:
    """Return whether a BPE model sees the words of a text one by one, without marks."""
    marked = model["continuing_subword_prefix"] or model["end_of_word_suffix"]
    return not marked and len(_pre_tokens(teacher, "a a")) > 1


def _unmade(teacher: Tokenizer, document: editor.Document) -> set[int]:
    """Return the ids of pieces that merging never makes; looking up whole words would use them."""
    added = {token["content"] for token in document["added_tokens"]}
    return {
        index
        for index, token in editor.model_tokens(document).items()
        if len(token) > 1
        and token not in added
        and not (document["model"]["byte_fallback"] and re.fullmatch("<0x[0-9A-F]{2}>", token))
        and [piece.value for piece in teacher.model.tokenize(token)] != [token]
    }


def _scores(model: dict[str, Any], words: list[str]) -> dict[str, float]:
    """Return the scores of new Unigram pieces: the score of the best path plus a small bonus.

    The bonus grows with the characters, so that a long new piece beats all shorter pieces, old or
    new, in its place.
    """
    scores = dict(model["vocab"])
    longest = max(map(len, scores))
    unknown = min(scores.values()) - editor.UNKNOWN_PENALTY
    new = {}
    for word in words:
        best = [0.0]
        for end in range(1, len(word) + 1):
            best.append(
                max(
                    best[start] + score
                    for start in range(max(0, end - longest), end)
                    if (score := scores.get(word[start:end], unknown if start + 1 == end else None))
                    is not None
                )
            )
        new[word] = best[-1] + _BONUS * len(word)
    return new


def _normalized(tokenizer: Tokenizer, text: str) -> str:
    return text if tokenizer.normalizer is None else str(tokenizer.normalizer.normalize_str(text))


def _pre_tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    """Return the pre-tokens of a text after a space."""
    normal = _normalized(tokenizer, text)
    if tokenizer.pre_tokenizer is None:
        return [normal] if normal else []
    spaced = normal if normal[:1] in _MARKS else " " + normal
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(spaced)]
