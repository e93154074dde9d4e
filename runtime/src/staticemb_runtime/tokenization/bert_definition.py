"""The definitions, `tokenizer.json`, of which `bert` gives the ids of `tokenizers`.

The rules are a whitelist: a definition with any other member or value is left to the library. It is
also left to it where the library would refuse the definition, as then it also writes the message.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ..format import strict_json
from .added_tokens import AddedToken
from .bert import BertRules, BertTokenizer
from .bert_characters import Normalizer
from .wordpiece_model import WordPiece

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

# The library reads sizes as unsigned integers of the machine, and ids as these.
_LIMIT: Final = 1 << 32

_MEMBERS: Final = {
    *("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer"),
    *("post_processor", "decoder", "model"),
}
_WORDPIECE: Final = {
    "unk_token": str,
    "continuing_subword_prefix": str,
    "max_input_chars_per_word": int,
    "vocab": dict,
}
_ADDED: Final = {
    "id": int,
    "content": str,
    "single_word": bool,
    "lstrip": bool,
    "rstrip": bool,
    "normalized": bool,
    "special": bool,
}
_NORMALIZER: Final = {
    "type": str,
    "clean_text": bool,
    "handle_chinese_chars": bool,
    "lowercase": bool,
}
_DECODER: Final = {"type": str, "prefix": str, "cleanup": bool}
_TRUNCATION: Final = {"max_length": int, "strategy": str, "stride": int}
_PADDING: Final = {
    "direction": str,
    "pad_id": int,
    "pad_type_id": int,
    "pad_token": str,
}
_PIECE: Final = {"id": str, "type_id": int}
_SPECIAL: Final = {"id": str, "ids": list, "tokens": list}
_DIRECTIONS: Final = ("Left", "Right")
_STRATEGIES: Final = ("LongestFirst", "OnlyFirst", "OnlySecond")

_VOCABULARY: Final = re.compile(r'"vocab"[ \t\n\r]*:[ \t\n\r]*(?=\{)')


class _OtherError(ValueError):
    """The definition is not on the whitelist."""


def read_bert(definition: NDArray[np.uint8], n_token_ids: int) -> BertTokenizer | None:
    """Read a definition with BERT's rules.

    Args:
        definition: (N,) the bytes of a `tokenizer.json`.
        n_token_ids: the number of token ids; every id must be below it.

    Returns:
        None if the definition has other rules or is invalid: `tokenizers` must then read it.
    """
    try:
        return _tokenizer(_parse(str(definition.data, "utf-8")), n_token_ids)
    except (ValueError, RecursionError):
        return None


def _parse(text: str) -> dict[str, Any]:
    """Parse a definition.

    The vocabulary is parsed apart from the other members: the last of two equal tokens counts, as
    in the library, and a check of each token would take half as long again as the parser. No
    other object may have two equal keys.

    Raises:
        ValueError: the text is no definition that the library accepts.
    """
    match = _VOCABULARY.search(text)
    _require(match is not None)
    assert match is not None
    # Only this number is an integer in Python and none in the library.
    integer = _integer if "-0" in text else None
    vocabulary, end = strict_json.loads_at(text, match.end(), integer=integer)
    rest = f"{text[: match.end()]}null{text[end:]}"
    members = strict_json.loads(rest, members=_distinct, integer=integer)
    _require(isinstance(members, dict) and isinstance(members.get("model"), dict))
    model: dict[str, Any] = members["model"]
    # The text that was taken out was the member `vocab` of the model, and no other.
    _require("vocab" in model and model["vocab"] is None)
    json.dumps(members, ensure_ascii=False).encode()  # raises if it holds a lone surrogate
    "".join(vocabulary).encode()
    model["vocab"] = vocabulary
    return dict(members)


def _tokenizer(members: dict[str, Any], n_token_ids: int) -> BertTokenizer:
    _require(members.keys() <= _MEMBERS and members.get("version") == "1.0")
    pre_tokenizer = _only_step(members.get("pre_tokenizer"), "pretokenizers")
    _require(pre_tokenizer == {"type": "BertPreTokenizer"})
    normalizer = _normalizer(_only_step(members.get("normalizer"), "normalizers"))
    _check_unused(members)
    model = dict(members["model"])
    # Files of 2019 and 2020 have no type: these members identify a WordPiece model.
    _require(model.pop("type", "WordPiece") == "WordPiece")
    _require_types(model, _WORDPIECE)
    vocabulary: dict[str, int] = model["vocab"]
    _require(model["unk_token"] in vocabulary)
    _require(0 <= model["max_input_chars_per_word"] < _LIMIT)
    ids = vocabulary.values()
    _require(set(map(type, ids)) == {int})
    _require(min(ids) >= 0 and max(ids) < min(n_token_ids, _LIMIT))
    _require(len(set(ids)) == len(vocabulary))
    added = _added(members.get("added_tokens", []), vocabulary)
    _require(all(token.token_id < n_token_ids for token in added))
    wordpiece = WordPiece(
        vocabulary,
        unknown=vocabulary[model["unk_token"]],
        prefix=model["continuing_subword_prefix"],
        longest=model["max_input_chars_per_word"],
    )
    return BertTokenizer(BertRules(normalizer, added), wordpiece, vocabulary, added)


def _only_step(state: object, key: str) -> object:
    """Return the step of a sequence that has one step; any other state as it is."""
    if isinstance(state, dict) and state.get("type") == "Sequence":
        _require_types(state, {"type": str, key: list})
        _require(len(state[key]) == 1)
        (state,) = state[key]
        _require(isinstance(state, dict) and state.get("type") != "Sequence")
    return state


def _normalizer(state: object) -> Normalizer:
    if state is None:
        return Normalizer()
    if state == {"type": "Lowercase"}:
        return Normalizer(lowercase=True)
    _require(isinstance(state, dict) and "strip_accents" in state)
    assert isinstance(state, dict)
    steps = dict(state)
    strip = steps.pop("strip_accents")
    _require_types(steps, _NORMALIZER)
    _require(steps["type"] == "BertNormalizer" and (strip is None or type(strip) is bool))
    return Normalizer(
        clean_text=steps["clean_text"],
        handle_chinese_chars=steps["handle_chinese_chars"],
        strip_accents=steps["lowercase"] if strip is None else strip,
        lowercase=steps["lowercase"],
    )


def _added(tokens: object, vocabulary: Mapping[str, int]) -> list[AddedToken]:
    """Read the added tokens; each must have the id that the library gives it."""
    _require(isinstance(tokens, list))
    assert isinstance(tokens, list)
    added: list[AddedToken] = []
    contents: set[str] = set()
    free = len(vocabulary)
    for token in tokens:
        _require_types(token, _ADDED)
        content: str = token["content"]
        _require(content not in contents and bool(content))
        contents.add(content)
        expected = vocabulary.get(content, free)
        free = max(free, expected + 1)
        _require(token["id"] == expected)
        added.append(
            AddedToken(
                content,
                expected,
                single_word=token["single_word"],
                lstrip=token["lstrip"],
                rstrip=token["rstrip"],
                normalized=token["normalized"],
            )
        )
    _require(len({token.token_id for token in added}) == len(added))
    return added


def _check_unused(members: Mapping[str, Any]) -> None:
    """Check the members without effect (SPEC section 7): the library reads them all the same."""
    decoder = members.get("decoder")
    if decoder is not None:
        _require_types(decoder, _DECODER)
        _require(decoder["type"] == "WordPiece")
    truncation = members.get("truncation")
    if truncation is not None:
        _require(isinstance(truncation, dict))
        truncation = dict(truncation)
        _require(truncation.pop("direction", "Right") in _DIRECTIONS)
        _require_types(truncation, _TRUNCATION)
        _require(truncation["strategy"] in _STRATEGIES)
        _require(0 <= truncation["stride"] < truncation["max_length"] < _LIMIT)
    padding = members.get("padding")
    if padding is not None:
        _require(isinstance(padding, dict))
        padding = dict(padding)
        strategy, multiple = padding.pop("strategy", None), padding.pop("pad_to_multiple_of", None)
        _require(multiple is None or _is_size(multiple))
        if strategy != "BatchLongest":
            _require(isinstance(strategy, dict) and list(strategy) == ["Fixed"])
            _require(_is_size(strategy["Fixed"]))
        _require_types(padding, _PADDING)
        _require(padding["direction"] in _DIRECTIONS)
        _require(_is_size(padding["pad_id"]) and _is_size(padding["pad_type_id"]))
    post = members.get("post_processor")
    if post is not None:
        _check_post_processor(post)


def _check_post_processor(state: object) -> None:
    """Check a post-processor; one that drops or repeats the ids of a text is refused."""
    _require(isinstance(state, dict))
    assert isinstance(state, dict)
    if state.get("type") == "BertProcessing":
        _require_types(state, {"type": str, "sep": list, "cls": list})
        for pair in (state["sep"], state["cls"]):
            _require(len(pair) == 2 and isinstance(pair[0], str) and _is_size(pair[1]))
        return
    _require(state.get("type") == "TemplateProcessing")
    _require_types(state, {"type": str, "single": list, "pair": list, "special_tokens": dict})
    for name, token in state["special_tokens"].items():
        _require_types(token, _SPECIAL)
        _require(token["id"] == name and len(token["ids"]) == len(token["tokens"]))
        _require(all(map(_is_size, token["ids"])))
        _require(all(isinstance(each, str) for each in token["tokens"]))
    for template, sequences in (("single", ["A"]), ("pair", ["A", "B"])):
        names = []
        for piece in state[template]:
            _require(isinstance(piece, dict) and len(piece) == 1)
            ((kind, value),) = piece.items()
            _require_types(value, _PIECE)
            _require(_is_size(value["type_id"]))
            if kind == "Sequence":
                names.append(value["id"])
            else:
                _require(kind == "SpecialToken" and value["id"] in state["special_tokens"])
        _require(sorted(names) == sequences)


def _require(condition: bool) -> None:
    if not condition:
        raise _OtherError


def _require_types(state: object, types: Mapping[str, type]) -> None:
    """Require an object with exactly these members, of these types."""
    _require(isinstance(state, dict) and {k: type(v) for k, v in state.items()} == types)


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < _LIMIT


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    _require(len(members) == len(pairs))
    return members


def _integer(text: str) -> int:
    _require(text != "-0")
    return int(text)
