"""Plain texts' ids without `tokenizers` are those that it gives."""

import json
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_runtime.tokenization import wordpiece_encoder
from staticemb_runtime.tokenization.bert_definition import read_bert
from word_tokenizers import found, open_tokenizer

LETTERS = "abAB1"
MARKS = "-.['\"\\~"
NORMALIZERS = [
    None,
    {"type": "Lowercase"},
    *(
        {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": strip,
            "lowercase": lowercase,
        }
        for strip in (None, True, False)
        for lowercase in (True, False)
    ),
]


def definition(normalizer=None, tokens=(), added=(), longest=100, **changes):
    """A tokenizer.json of BERT's kind."""
    vocabulary = {token: at for at, token in enumerate(dict.fromkeys(["[UNK]", *added, *tokens]))}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocabulary[content],
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": bool(at % 2),
                "special": not at % 2,
            }
            for at, content in enumerate(added)
        ],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": longest,
            "vocab": vocabulary,
        },
    } | changes


def read(members, n_token_ids=100_000):
    return read_bert(np.frombuffer(json.dumps(members).encode(), np.uint8), n_token_ids)


words = st.text(LETTERS, min_size=1, max_size=4)
tokens = st.lists(
    st.one_of(words, words.map("##{}".format), st.sampled_from(MARKS)), max_size=30, unique=True
)
texts = st.lists(
    st.one_of(
        st.text(LETTERS + MARKS + " ", max_size=12),
        st.text(st.characters(codec="ascii"), max_size=8),
        st.sampled_from(["[MASK]", "[mask]", "x[UNK]y", "é", "\u0130", "\u212a", "\x7f", ""]),
    ),
    max_size=6,
)


@given(
    normalizer=st.sampled_from(NORMALIZERS),
    tokens=tokens,
    added=st.lists(st.sampled_from(["[MASK]", "ab", "B-a", "."]), max_size=3, unique=True),
    longest=st.sampled_from([0, 3, 100]),
    texts=texts,
    drop=st.booleans(),
    most=st.sampled_from([None, 1, 3]),
    many=st.sampled_from([0, 64]),
)
@example(  # a word becomes an added token once it is in lowercase, too late
    normalizer={"type": "Lowercase"},
    tokens=[],
    added=["ab"],
    longest=0,
    texts=["AB"],
    drop=False,
    most=None,
    many=0,
)
def test_ids_are_those_of_tokenizers(normalizer, tokens, added, longest, texts, drop, most, many):
    members = definition(normalizer, tokens, added, longest)
    assert read(members) is not None
    content, oracle = json.dumps(members), Tokenizer.from_str(json.dumps(members))
    unknown = 0 if drop else None
    tokenizer = open_tokenizer(content.encode(), unknown_token_id=unknown, max_tokens=most)
    expected = [oracle.encode(text, add_special_tokens=False).ids for text in texts]
    expected = [[i for i in ids if i or not drop][:most] for ids in expected]
    with mock.patch.object(wordpiece_encoder, "_MANY", many):
        assert found(tokenizer, texts) == expected
        assert found(tokenizer, texts[::-1]) == expected[::-1], "with every word known"


ANOTHER = {
    "version": {"version": "2.0"},
    "normalizer": {"normalizer": {"type": "NFC"}},
    "flag": {"normalizer": NORMALIZERS[2] | {"lowercase": 1}},
    "sequence": {"normalizer": {"type": "Sequence", "normalizers": []}},
    "pre_tokenizer": {"pre_tokenizer": {"type": "Whitespace"}},
    "no pre_tokenizer": {"pre_tokenizer": None},
    "post_processor": {"post_processor": {"type": "RobertaProcessing"}},
    "added": {"added_tokens": [{"id": 7, "content": "x"}]},
}


@pytest.mark.parametrize("changes", ANOTHER.values(), ids=ANOTHER.keys())
def test_another_definition_is_left_to_tokenizers(changes):
    assert read(definition(tokens=["é"]) | changes) is None


@pytest.mark.parametrize(
    "change",
    [
        {"type": "BPE"},
        {"vocab": {"[UNK]": 0, "a": 1.0}},
        {"vocab": {"[UNK]": 0, "a": True}},
        {"vocab": {"[UNK]": 0, "a": -1}},
        {"vocab": {"[UNK]": 0, "a": 100_000}},
        {"vocab": {"[UNK]": 0, "\ud800": 1}},
        {"vocab": {"a": 0}},
        {"vocab": {}},
        {"vocab": []},
        {"max_input_chars_per_word": -1},
        {"max_input_chars_per_word": None},
        {"unknown": 1},
    ],
    ids=str,
)
def test_another_model_is_left_to_tokenizers(change):
    members = definition()
    members["model"] |= change
    assert read(members) is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"NaN", b"[" * 100_000])
def test_what_is_no_definition_is_left_to_tokenizers(content):
    assert read_bert(np.frombuffer(content, np.uint8), 10) is None
