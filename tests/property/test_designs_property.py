"""Ids are always exactly those of `tokenizers`, whatever a tokenizer is made of."""

import json
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_runtime.errors import InvalidTextError
from staticemb_runtime.format.tokenizer_library import is_failure
from staticemb_runtime.tokenization import word_tokenizer as words
from staticemb_runtime.tokenization.word_tokenizer import WordTokenizer
from tokenizer_designs import design_texts, designs
from word_tokenizers import found, open_tokenizer


def expected(oracle: Tokenizer, text: str) -> list[int] | None:
    """The ids of a text; None where `tokenizers` itself fails."""
    try:
        ids: list[int] = oracle.encode(text, add_special_tokens=False).ids
    except BaseException as error:
        if not is_failure(error):
            raise
        return None
    return ids


def compare(tokenizer: WordTokenizer, oracle: Tokenizer, texts: list[str]) -> None:
    right = [expected(oracle, text) for text in texts]
    if None not in right:
        assert found(tokenizer, texts) == right
        return
    try:
        ours = found(tokenizer, texts)
    except InvalidTextError as error:
        named = re.match(r"text (\d+): ", str(error))
        assert named is not None and right[int(named[1])] is None  # noqa: PT018
    else:  # its words have ids where the text has none
        assert all(ids is None or ids == mine for ids, mine in zip(right, ours, strict=True))


@st.composite
def drawn(draw: st.DrawFn) -> tuple[str, list[str]]:
    definition = draw(designs())
    return definition, draw(st.lists(design_texts(definition), min_size=1, max_size=6))


@given(drawn())
def test_ids_are_those_of_tokenizers_by_every_path(drawn: tuple[str, list[str]]) -> None:
    definition, texts = drawn
    oracle = Tokenizer.from_str(definition)
    tokenizer = open_tokenizer(definition.encode())
    compare(tokenizer, oracle, texts)
    compare(tokenizer, oracle, texts)  # with every word known
    tokenizer = open_tokenizer(definition.encode())
    for text in texts:  # one after the other, so that each learns a few words
        compare(tokenizer, oracle, [text])
    tokenizer = open_tokenizer(definition.encode())
    with mock.patch.object(words, "_BLOCK", 8):
        compare(tokenizer, oracle, ["".join(texts)])
        compare(tokenizer, oracle, texts)


_WORDS = {
    word: index for index, word in enumerate(["<unk>", "a", "b", "▁a", "▁b", "▁", "Ġa", "Ġb"])
}
_METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
_BERT = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_SPLIT = {
    "type": "Split",
    "pattern": {
        "Regex": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    },
    "behavior": "Isolated",
    "invert": False,
}
_COLLAPSE = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Strip", "strip_left": False, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
    ],
}


def design(
    added: list[tuple[str, bool]], model: dict[str, Any] | None = None, **members: object
) -> dict[str, object]:
    """A definition; `added` are contents and whether they are looked for in the normalized text."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": 50 + index,
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": normalized,
                "special": False,
            }
            for index, (content, normalized) in enumerate(added)
        ],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": model or {"type": "WordLevel", "vocab": _WORDS, "unk_token": "<unk>"},
        **members,
    }


def _cut_wrongly_once() -> Iterator[tuple[str, dict[str, object], list[str]]]:
    """Designs that were cut where they must not be, and a text that shows it."""
    for content, text in (("\n", "a\nb"), ("\t", "a\tb"), ("\r", "a\rb"), ("\n\n", "a\n\nb")):
        made = design([(content, False)], normalizer=_BERT, pre_tokenizer=_METASPACE)
        yield f"metaspace {content!a}", made, [text, "a b"]
    made = design([("  ", True)], normalizer=_BERT, pre_tokenizer=_METASPACE)
    yield "blanks that the normalizer makes", made, ["a \tb", "a\u3000 b", "a b"]
    first = {**_METASPACE, "prepend_scheme": "first"}
    made = design([], normalizer=_BERT, pre_tokenizer=first)
    yield "first, and what stood there is removed", made, ["\0a b", "b \0a", "\0a"]
    for content, text in (("▁", "a  b"), ("▁c", "a  c"), ("a▁b", "a  b")):
        made = design([(content, True)], normalizer=_COLLAPSE, pre_tokenizer=_METASPACE)
        yield f"a run that is turned into {content}", made, [text, "a b", "b"]
    for normalized in (False, True):
        made = design([("\nb", normalized)], normalizer={"type": "NFC"}, pre_tokenizer=_BYTES)
        yield f"byte level, a token over a line's end, {normalized}", made, ["a\nb", "a b"]
    prefix = {**_BYTES, "add_prefix_space": True}
    made = design([(" ▁", True)], normalizer={"type": "NFC"}, pre_tokenizer=prefix)
    yield "byte level, a blank and a marker", made, ["a ▁", " ▁", "a b"]
    prefixed = {**_BYTES, "add_prefix_space": True, "use_regex": False}
    pre = {"type": "Sequence", "pretokenizers": [_SPLIT, prefixed]}
    vocab = {**_WORDS, "Ġ'": 8, "'": 9, "s": 10, "Ġ!": 11, "!": 12}
    model = {"type": "BPE", "vocab": vocab, "merges": [["Ġ", "!"]], "unk_token": "<unk>"}
    model["vocab"]["Ġ"] = 13
    yield "a blank before every match", design([], model, pre_tokenizer=pre), ["a!", "a's!"]
    vocab = {"<unk>": 0, "▁": 1, "a": 2, "▁▁": 3}
    model = {"type": "BPE", "vocab": vocab, "merges": [["▁", "▁"]], "unk_token": None}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    yield "a word that vanishes", design([], model, normalizer=replace), [" \u2060 a", "x y a"]


_WRONG = {name: (made, texts) for name, made, texts in _cut_wrongly_once()}


@pytest.mark.parametrize("name", _WRONG)
def test_what_was_cut_wrongly_once(name: str) -> None:
    made, texts = _WRONG[name]
    definition = json.dumps(made)
    oracle = Tokenizer.from_str(definition)
    tokenizer = open_tokenizer(definition.encode())
    right = [oracle.encode(text, add_special_tokens=False).ids for text in texts]
    assert found(tokenizer, texts) == right
    assert found(tokenizer, texts) == right, "with every word known"
    assert found(tokenizer, texts[::-1]) == right[::-1]
