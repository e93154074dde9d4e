"""Edits of a `tokenizer.json`: keep a subset of its tokens, add words, make a word tokenizer.

Every function takes a document, the parsed JSON, and returns a new one; arguments do not change.

`cut` guarantees: *if all pieces of a text are kept, the text gives the same pieces as before.* The
reasons:

- WordLevel looks up each word; a lookup does not depend on other tokens.
- WordPiece takes the longest piece at each position. `cut` only removes candidates that were not
  taken. (An unknown word has no pieces, so it may become known.)
- Unigram takes the path of the best score, the first of equal paths. With fewer pieces other paths
  only get worse if the score of an unknown character stays. That score is the lowest score of all
  pieces minus ten, so `close` keeps one piece of the lowest score.
- BPE merges the pair of the lowest rank, the leftmost of equal pairs, until no pair remains. No
  merge crosses the boundaries of a final piece, so the merges inside are the merges of the piece
  alone. `close` keeps these merges and the shorter pieces that they pass through. The remaining
  merges are a subset in the same order with every merge that was applied, so each step finds the
  same lowest pair.
- Added tokens are searched leftmost first, then longest first. Removing a token that did not match
  changes nothing. (Exception: a token with `single_word` that hid a shorter token inside a longer
  word.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from tokenizers import Tokenizer

from staticemb_runtime.format import missing_unknown

from ..errors import VocabularyError
from .bpe import Merges

Document = dict[str, Any]

MODELS = ("WordPiece", "BPE", "Unigram", "WordLevel")
UNKNOWN_PENALTY = 10.0
"""The lowest score minus this is the score of an unknown character in `tokenizers` (Unigram)."""


def parse(tokenizer: Tokenizer) -> Document:
    """Return a tokenizer's document without the steps that a static model never does.

    The post-processor, truncation, padding and BPE's random dropout are removed.

    Raises:
        VocabularyError: The model is not WordPiece, BPE, Unigram or WordLevel, or it needs an
            unknown token and has none, so that it fails at some texts.
    """
    document: Document = json.loads(tokenizer.to_str())
    kind = document["model"].get("type")
    if kind not in MODELS:
        raise VocabularyError(
            f"the tokenizer's model: expected one of {', '.join(MODELS)}, found {kind!r}"
        )
    missing = missing_unknown(document["model"])
    if missing is not None:
        expected, found = missing
        raise VocabularyError(f"the tokenizer: expected {expected}, found {found}")
    model = {**document["model"], "dropout": None} if kind == "BPE" else document["model"]
    return {**document, "model": model, "truncation": None, "padding": None, "post_processor": None}


def dump(document: Document) -> bytes:
    """Return the UTF-8 bytes of a document; equal documents give equal bytes."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def load(document: Document) -> Tokenizer:
    """Make the tokenizer of a document."""
    tokenizer: Tokenizer = Tokenizer.from_buffer(dump(document))
    return tokenizer


def model_tokens(document: Document) -> dict[int, str]:
    """Return the model's tokens by ascending id, without added tokens outside the model."""
    model = document["model"]
    if model["type"] == "Unigram":
        return {index: piece for index, (piece, _) in enumerate(model["vocab"])}
    return {index: token for token, index in sorted(model["vocab"].items(), key=lambda t: t[1])}


def all_tokens(document: Document) -> dict[int, str]:
    """Return all tokens by ascending id, including added tokens."""
    tokens = model_tokens(document)
    tokens.update({added["id"]: added["content"] for added in document["added_tokens"]})
    return dict(sorted(tokens.items()))


def unknown_token(document: Document) -> str | None:
    """Return the model's unknown token, if it has one."""
    model = document["model"]
    if model["type"] != "Unigram":
        return model.get("unk_token") or None
    index = model["unk_id"]
    return None if index is None else str(model["vocab"][index][0])


def close(document: Document, keep: AbstractSet[int]) -> set[int]:
    """Add to the ids in `keep` the ids that the guarantee of `cut` needs.

    They are the unknown token, a piece of the lowest score (Unigram), and the pieces that the
    merges of a kept piece pass through (BPE).
    """
    model = document["model"]
    closed = set(keep)
    unknown = unknown_token(document)
    if model["type"] == "Unigram":
        scores = [score for _, score in model["vocab"]]
        if model["unk_id"] is not None:
            closed.add(model["unk_id"])
        lowest = min(scores)
        if not any(scores[index] == lowest for index in closed if index < len(scores)):
            closed.add(scores.index(lowest))
        return closed
    ids: dict[str, int] = model["vocab"]
    if unknown in ids:
        closed.add(ids[unknown])
    if model["type"] == "BPE" and len(closed) < len(ids):
        tokens = model_tokens(document)
        merges = Merges.of(model)
        needed = merges.ancestors(tokens[index] for index in closed if index in tokens)
        closed.update(ids[token] for token in needed if token in ids)
    return closed


def cut(document: Document, keep: AbstractSet[int]) -> Document:
    """Keep the tokens whose ids are in `keep` (see `close`), with new ids in the same order.

    Added tokens outside the model's vocabulary come last, as `tokenizers` requires.
    """
    old = document["model"]
    model: Document = dict(old)
    if old["type"] == "Unigram":
        ids = [index for index in range(len(old["vocab"])) if index in keep]
        model["vocab"] = [old["vocab"][index] for index in ids]
        if old["unk_id"] is not None:
            model["unk_id"] = ids.index(old["unk_id"])
    else:
        tokens = [token for index, token in model_tokens(document).items() if index in keep]
        model["vocab"] = {token: index for index, token in enumerate(tokens)}
    if old["type"] == "BPE":
        join = Merges.of(old).join
        vocab = model["vocab"]
        model["merges"] = [
            [left, right]
            for left, right in old["merges"]
            if left in vocab and right in vocab and join(left, right) in vocab
        ]
    added = [token for token in document["added_tokens"] if token["id"] in keep]
    return _numbered({**document, "model": model, "added_tokens": added})


def insert(
    document: Document, words: Mapping[str, float] | Sequence[str], phrases: Iterable[str] = ()
) -> Document:
    """Append words to the model's vocabulary and phrases to the added tokens.

    Args:
        document: The document; it is not changed.
        words: The words as pre-tokens; for Unigram, scores by word.
        phrases: Texts that are matched if no word character is adjacent to their ends.
    """
    model = dict(document["model"])
    if model["type"] == "Unigram":
        assert isinstance(words, Mapping)
        model["vocab"] = [*model["vocab"], *([word, score] for word, score in words.items())]
    else:
        first = len(model["vocab"])
        model["vocab"] = {**model["vocab"], **{w: first + i for i, w in enumerate(words)}}
    added = [*document["added_tokens"], *_phrases(document, phrases)]
    return _numbered({**document, "model": model, "added_tokens": added})


def prefer_whole_words(document: Document) -> Document:
    """Let a BPE tokenizer look up a whole pre-token before it merges (`ignore_merges`)."""
    return {**document, "model": {**document["model"], "ignore_merges": True}}


def word_level(document: Document, tokens: Sequence[str], phrases: AbstractSet[str]) -> Document:
    """Make a word tokenizer: it splits text at white space and punctuation, and looks up words.

    The normalizer stays, without the marks of word beginnings.

    Args:
        document: The document; it is not changed.
        tokens: Words and phrases in the order of their ids.
        phrases: The phrases in `tokens`, which the pre-tokenizer would split.
    """
    vocab = {token: index for index, token in enumerate([*tokens, WORD_UNKNOWN])}
    plain = {
        **document,
        "normalizer": _unmarked(document["normalizer"]),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": WORD_UNKNOWN},
        "added_tokens": [],
    }
    added = _phrases(plain, (token for token in tokens if token in phrases))
    return _numbered({**plain, "added_tokens": added})


WORD_UNKNOWN = "[UNK]"
"""The unknown token of `word_level`; its pre-tokenizer splits brackets off: no word equals it."""


def with_prefix_space(document: Document) -> Document:
    """Let byte-level tokenizers treat a text's first word like other words.

    This applies only if the byte-level step sees the whole text: after another split it would put
    a space before every piece.
    """
    pre = document["pre_tokenizer"]
    if pre is None:
        return document
    if pre["type"] == "Sequence":
        first, *rest = pre["pretokenizers"] or [{"type": ""}]
        if first["type"] != "ByteLevel":
            return document
        pre = {**pre, "pretokenizers": [{**first, "add_prefix_space": True}, *rest]}
    elif pre["type"] == "ByteLevel":
        pre = {**pre, "add_prefix_space": True}
    return {**document, "pre_tokenizer": pre}


def _numbered(document: Document) -> Document:
    """Give added tokens the ids that `tokenizers` assigns when it reads the document."""
    known = {token: index for index, token in model_tokens(document).items()}
    free = len(known)
    numbered = []
    for added in document["added_tokens"]:
        index = known.get(added["content"])
        if index is None:
            index, free = free, free + 1
        numbered.append({**added, "id": index})
    return {**document, "added_tokens": sorted(numbered, key=lambda added: int(added["id"]))}


def _phrases(document: Document, phrases: Iterable[str]) -> list[Document]:
    # A space next to a phrase would become a separate piece. So the phrase takes the space before
    # it. The space after it marks the next word, unless the normalizer adds a mark there anyway.
    # A normalizer that turns spaces into marks would hide them, so then the phrase is matched in
    # the text before normalization.
    marks = _marks(document["normalizer"])
    return [
        {
            "id": -1,
            "content": phrase,
            "single_word": True,
            "lstrip": True,
            "rstrip": "Prepend" in marks,
            "normalized": not marks,
            "special": False,
        }
        for phrase in phrases
    ]


def _marks(normalizer: Document | None) -> set[str]:
    """Return the types of a normalizer's steps that mark the beginnings of words."""
    if normalizer is None:
        return set()
    kind = normalizer["type"]
    if kind == "Sequence":
        return set().union(*map(_marks, normalizer["normalizers"]))
    if kind == "Prepend" or (kind == "Replace" and normalizer["pattern"] == {"String": " "}):
        return {kind}
    return set()


def _unmarked(normalizer: Document | None) -> Document | None:
    """Remove from a normalizer the marks (U+2581) of spaces and the byte-level alphabet."""
    if normalizer is None or normalizer["type"] in ("Prepend", "ByteLevel"):
        return None
    if normalizer["type"] == "Replace" and normalizer["content"] == "\u2581":
        blank = normalizer["pattern"] == {"String": " "}
        return None if blank else {**normalizer, "content": " "}
    if normalizer["type"] == "Sequence":
        steps = [step for old in normalizer["normalizers"] if (step := _unmarked(old)) is not None]
        return {**normalizer, "normalizers": steps} if steps else None
    return normalizer
