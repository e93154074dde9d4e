"""Edit a `tokenizer.json`: cut it to some of its tokens, add words, make it a word tokenizer.

Every function takes a document, the parsed JSON, and returns another; none changes its argument.

What the cut guarantees: *a text whose pieces are all kept yields the same pieces as before.* The
reasons:

- WordLevel: a word's token is looked up, and no lookup depends on another token.
- WordPiece takes the longest piece at each place. Dropping others only takes away longer or shorter
  candidates that were not taken. (A word that was unknown has no pieces: it may become known.)
- Unigram takes the path of the best score, the first of equals. Fewer pieces only make other paths
  worse, as long as the score of an unknown character stays, and it is the lowest score of all
  pieces less ten: so `close` keeps one piece of the lowest score.
- BPE merges the pair of the lowest rank, the leftmost of equals, until no pair is left. Inside the
  span of a final piece no merge crosses the borders, so the merges there are those of the piece
  alone: `close` keeps them, and with them the shorter pieces that they pass through. What remains
  of the merges is a subset in the same order that holds every merge that fired, so each step finds
  the same lowest pair.
- Added tokens are searched leftmost first, the longest of equals; taking away one that did not
  match changes nothing. (Not so for one with `single_word` that hid a shorter one inside a longer
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
"""What `tokenizers` takes off the lowest score to get an unknown character's (Unigram)."""


def parse(tokenizer: Tokenizer) -> Document:
    """A tokenizer as a document without what a static model never does.

    Special tokens, truncation and padding go, and so does BPE's dropout, which is random.

    Raises:
        VocabularyError: its model is none of WordPiece, BPE, Unigram and WordLevel, or
            needs an unknown token and has none, so that it fails at some texts.
    """
    document: Document = json.loads(tokenizer.to_str())
    kind = document["model"].get("type")
    if kind not in MODELS:
        raise VocabularyError(
            f"the tokenizer's model is {kind!r}; expected one of {', '.join(MODELS)}"
        )
    missing = missing_unknown(document["model"])
    if missing is not None:
        expected, found = missing
        raise VocabularyError(f"the tokenizer: expected {expected}, found {found}")
    model = {**document["model"], "dropout": None} if kind == "BPE" else document["model"]
    return {**document, "model": model, "truncation": None, "padding": None, "post_processor": None}


def dump(document: Document) -> bytes:
    """The UTF-8 bytes of a document, the same for the same document."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def load(document: Document) -> Tokenizer:
    """The tokenizer that a document describes."""
    tokenizer: Tokenizer = Tokenizer.from_buffer(dump(document))
    return tokenizer


def model_tokens(document: Document) -> dict[int, str]:
    """The model's own tokens by id, ascending, without added tokens outside the model."""
    model = document["model"]
    if model["type"] == "Unigram":
        return {index: piece for index, (piece, _) in enumerate(model["vocab"])}
    return {index: token for token, index in sorted(model["vocab"].items(), key=lambda t: t[1])}


def all_tokens(document: Document) -> dict[int, str]:
    """Every token by id, ascending, added ones included."""
    tokens = model_tokens(document)
    tokens.update({added["id"]: added["content"] for added in document["added_tokens"]})
    return dict(sorted(tokens.items()))


def unknown_token(document: Document) -> str | None:
    """The token that stands for what the model cannot spell, if it has one."""
    model = document["model"]
    if model["type"] != "Unigram":
        return model.get("unk_token") or None
    index = model["unk_id"]
    return None if index is None else str(model["vocab"][index][0])


def close(document: Document, keep: AbstractSet[int]) -> set[int]:
    """Add to the ids in `keep` those that `cut` needs to keep its promise.

    They are the unknown token, a lowest-scored piece (Unigram), and the pieces that a kept piece
    is merged from (BPE).
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
    """Keep the tokens whose ids are in `keep` (see `close`), numbered anew in their old order.

    Added tokens that are not in the model's vocabulary come last, as `tokenizers` wants it.
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
        document: not changed.
        words: what the model sees after the pre-tokenizer; for Unigram with their scores.
        phrases: texts; one is matched where no word character touches its ends.
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
    """A BPE tokenizer that looks a whole pre-token up before it merges (`ignore_merges`)."""
    return {**document, "model": {**document["model"], "ignore_merges": True}}


def word_level(document: Document, tokens: Sequence[str], phrases: AbstractSet[str]) -> Document:
    """A word tokenizer: text is cut at white space and around punctuation, each word looked up.

    The normalizer stays, less what marks word beginnings for the old model.

    Args:
        document: not changed.
        tokens: words and phrases in the order of their ids.
        phrases: those of them that the cut would separate.
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
"""The unknown token of `word_level`: no word of its cut can be spelled like this."""


def with_prefix_space(document: Document) -> Document:
    """Let byte-level tokenizers treat a text's first word like every other word.

    Only where the byte-level step sees the whole text: behind another split it would put a blank
    before every piece.
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
    """Give added tokens the ids that `tokenizers` gives them when it reads the document."""
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
    # Blanks around a phrase would become pieces of their own. The one before it belongs to it; the
    # one after it marks the next word, unless the normalizer will put a mark there anyway. A
    # normalizer that turns blanks into marks hides them, so there the phrase is found in the text
    # as it is.
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
    """The kinds of a normalizer's steps that mark the beginnings of words."""
    if normalizer is None:
        return set()
    kind = normalizer["type"]
    if kind == "Sequence":
        return set().union(*map(_marks, normalizer["normalizers"]))
    if kind == "Prepend" or (kind == "Replace" and normalizer["pattern"] == {"String": " "}):
        return {kind}
    return set()


def _unmarked(normalizer: Document | None) -> Document | None:
    """A normalizer without marks (U+2581) for blanks and without the bytes' alphabet."""
    if normalizer is None or normalizer["type"] in ("Prepend", "ByteLevel"):
        return None
    if normalizer["type"] == "Replace" and normalizer["content"] == "\u2581":
        blank = normalizer["pattern"] == {"String": " "}
        return None if blank else {**normalizer, "content": " "}
    if normalizer["type"] == "Sequence":
        steps = [step for old in normalizer["normalizers"] if (step := _unmarked(old)) is not None]
        return {**normalizer, "normalizers": steps} if steps else None
    return normalizer
