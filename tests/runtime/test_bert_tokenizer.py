"""BERT's tokenizer without `tokenizers` gives the ids of `tokenizers`."""

import json
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_definitions import (
    CONTENTS,
    added_token,
    bert_normalizer,
    bert_normalizers,
    definition,
    definitions,
    oracle,
    read,
    texts,
)
from growth import check_growth
from staticemb_runtime.tokenization import word_tokenizer, wordpiece_encoder
from staticemb_runtime.tokenization.added_tokens import AddedToken
from staticemb_runtime.tokenization.bert import BertRules
from staticemb_runtime.tokenization.bert_characters import Normalizer
from staticemb_runtime.tokenization.wordpiece_model import WordPiece
from tokenizer_designs import design_texts, designs
from tokenizer_families import SENTENCES, family_json
from word_tokenizers import found, open_tokenizer


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


@given(members=definitions(), data=st.data())
def test_ids_are_those_of_tokenizers(members, data):
    tokenizer = read(members)
    if tokenizer is None:
        return
    library = oracle(members)
    assert tokenizer.vocab_size == library.get_vocab_size()
    for text in data.draw(st.lists(texts, min_size=1, max_size=4)):
        assert tokenizer.ids(text) == ids(library, text)
        cut = tokenizer.rules.split(text)
        if not any(isinstance(piece, int) for piece in cut):
            assert tokenizer.rules.words(text) == cut


@given(members=definitions(), data=st.data(), many=st.sampled_from([0, 16]))
def test_models_give_these_ids_by_every_path(members, data, many):
    if read(members) is None:
        return
    library, content = oracle(members), json.dumps(members).encode()
    drawn = data.draw(st.lists(texts, min_size=1, max_size=5))
    expected = [ids(library, text) for text in drawn]
    with mock.patch.object(wordpiece_encoder, "_MANY", many):
        tokenizer = open_tokenizer(content)
        assert found(tokenizer, drawn) == expected
        assert found(tokenizer, drawn[::-1]) == expected[::-1], "with every word known"
        with mock.patch.object(word_tokenizer, "_BLOCK", 8):
            assert found(open_tokenizer(content), drawn) == expected
            joined = "".join(drawn)
            assert found(open_tokenizer(content), [joined]) == [ids(library, joined)]


@pytest.mark.parametrize("spelling", ["\0", "\0\0", "a\0"])
def test_an_added_token_of_padding_is_found_in_texts_alone(spelling):
    members = definition(["?", "a"], added=[added_token(2, spelling)])
    library, tokenizer = oracle(members), open_tokenizer(json.dumps(members).encode())
    drawn = ["", "a", "a\0", "b\0\0 a"]
    assert found(tokenizer, drawn) == [ids(library, text) for text in drawn]


@given(members=designs(), data=st.data())
def test_other_designs_are_left_to_tokenizers_or_equal(members, data):
    tokenizer = read(members)
    if tokenizer is not None:
        text = data.draw(design_texts(members))
        assert tokenizer.ids(text) == ids(oracle(members), text)


@given(
    normalizer=bert_normalizers,
    contents=st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=3, unique=True),
    flags=st.lists(st.booleans(), min_size=12, max_size=12),
    text=texts,
)
def test_added_tokens_are_found_as_by_tokenizers(normalizer, contents, flags, text):
    names = ("single_word", "lstrip", "rstrip", "normalized")
    added = [
        added_token(1 + at, content, **dict(zip(names, flags[4 * at :], strict=False)))
        for at, content in enumerate(contents)
        if content != "?"
    ]
    members = definition(["?"], added=added, normalizer=normalizer)
    tokenizer = read(members)
    if tokenizer is not None:
        text = text.join(contents)
        assert tokenizer.ids(text) == ids(oracle(members), text)


@pytest.mark.parametrize("name", ["bert_uncased", "bert_cased", "bert_added"])
def test_families_of_real_models(name, multilingual):
    members = json.loads(family_json(name))
    tokenizer, library = read(members), oracle(members)
    lines = multilingual + SENTENCES
    encodings = library.encode_batch(lines, add_special_tokens=False)
    assert [tokenizer.ids(line) for line in lines] == [encoding.ids for encoding in encodings]


@pytest.mark.parametrize(
    "normalizer",
    [
        bert_normalizer(),
        bert_normalizer(lowercase=False),
        bert_normalizer(strip_accents=False),
        bert_normalizer(handle_chinese_chars=False, clean_text=False),
        {"type": "Lowercase"},
        None,
    ],
    ids=str,
)
def test_the_real_tokenizer(minilm, multilingual, normalizer):
    members = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))
    members["normalizer"] = normalizer
    tokenizer, library = read(members, len(members["model"]["vocab"])), oracle(members)
    encodings = library.encode_batch(multilingual, add_special_tokens=False)
    assert [tokenizer.ids(line) for line in multilingual] == [
        encoding.ids for encoding in encodings
    ]


def test_tokens_are_spelled_as_in_the_definition():
    added = [added_token(0, "[UNK]", special=True), added_token(2, "Á b", normalized=True)]
    members = definition(["[UNK]", "a"], added=added, normalizer=bert_normalizer())
    tokenizer = read(members)
    assert [tokenizer.token(i) for i in tokenizer.ids("a á b c")] == ["a", "Á b", "[UNK]"]
    with pytest.raises(KeyError):
        tokenizer.token(3)


@pytest.mark.parametrize("longest", [0, 1, 2, 3])
def test_the_limit_of_a_word_counts_characters(longest):
    members = definition(["?", "🐈", "##é"], longest=longest)
    for text in ("🐈", "🐈é", "🐈éé", "🐈ééé"):
        assert read(members).ids(text) == ids(oracle(members), text)


@pytest.mark.parametrize(
    ("tokens", "why"),
    [
        ([AddedToken("a", 1), AddedToken("a", 2)], "one spelling"),
        (
            [AddedToken("A", 1, normalized=True), AddedToken("a", 2, normalized=True)],
            "one spelling",
        ),
        ([AddedToken("\u0301", 1, normalized=True)], "no spelling"),
        ([AddedToken("", 1)], "no spelling"),
        ([AddedToken("a", 1, rstrip=True), AddedToken(" a", 2)], "white space"),
    ],
)
def test_added_tokens_that_cannot_be_reproduced_are_refused(tokens, why):
    with pytest.raises(ValueError, match=why):
        BertRules(Normalizer(strip_accents=True, lowercase=True), tokens)


def test_equal_spellings_in_two_passes_are_two_tokens():
    added = [AddedToken("a", 1), AddedToken("A", 2, normalized=True)]
    assert BertRules(Normalizer(lowercase=True), added).split("aA b") == [1, 2, "b"]


# --- growth -------------------------------------------------------------------------------------

RULES = BertRules(
    Normalizer(*[True] * 4),
    [
        AddedToken("[MASK]", 1, lstrip=True, rstrip=True),
        AddedToken("ab", 2, single_word=True, lstrip=True, normalized=True),
    ],
)
MODEL = WordPiece({"?": 0, "a": 1, "##a": 2, "##aaaa": 3}, unknown=0, longest=1 << 40)
TEXTS = {
    "words": lambda n: "word " * (n // 5),
    "one_word": lambda n: "x" * n,
    "one_word_of_accents": lambda n: "é" * n,
    "marks": lambda n: "." * n,
    "blanks": lambda n: " " * n,
    "blanks_and_tokens": lambda n: "[MASK]" + " " * n + "[MASK]",
    "tokens": lambda n: "[MASK]" * (n // 6),
    "rejected_tokens": lambda n: "xab" * (n // 3),
    "begun_tokens": lambda n: "[MAS" * (n // 4),
    "combining": lambda n: "a" + "\u0301" * n,
    "reordered": lambda n: "a" + "\U0001d165\U0001d16d" * (n // 2),
    "reordered_and_stripped": lambda n: "\u302e\u0301" * (n // 2),
    "ideographs": lambda n: "北" * n,
    "controls": lambda n: "\0\x01" * (n // 2),
}


@pytest.mark.serial
@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_is_cut_in_linear_time(make):
    check_growth(RULES.split, make, ())


@pytest.mark.serial
def test_a_long_word_is_encoded_in_linear_time():
    check_growth(MODEL.encode, "a".__mul__, ())
    assert MODEL.encode("a" * 9) == [1, 3, 3]


def test_a_word_of_ten_million_characters_is_unknown():
    members = definition(["?", "a", "##a"], normalizer=bert_normalizer())
    assert read(members).ids("a" * 10_000_000) == [0]


def test_pieces_longer_than_any_token_are_not_looked_up():
    class Counting(dict):
        looked_up = 0

        def get(self, key):
            Counting.looked_up += 1
            return super().get(key)

    # Base64 in an e-mail: words of up to a hundred characters in short tokens.
    vocabulary = Counting({"?": 0, "a": 1, "##a": 2, "##aaa": 3})
    assert WordPiece(vocabulary, unknown=0).encode("a" * 100) == [1, *[3] * 33]
    assert Counting.looked_up < 200
