"""Which definitions are read without `tokenizers`: none that it would read otherwise, or refuse."""

import copy
import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bert_definitions import added_token, bert_normalizer, definition, oracle, read
from staticemb_runtime import format as static_embedding_file
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format.tokenizer_check import check_tokenizer
from staticemb_runtime.loading.installed import DEFAULT_FILE
from staticemb_runtime.tokenization.bert_definition import read_bert
from tokenizer_families import SENTENCES

TEXT = "a ab É [MASK] x 北京 [mask]"
FULL = definition(
    ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "e"],
    added=[
        added_token(0, "[UNK]", special=True),
        added_token(3, "[MASK]", special=True, lstrip=True),
        added_token(7, "new", normalized=True),
    ],
    normalizer=bert_normalizer(),
) | {
    "truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0},
    "padding": {
        "strategy": {"Fixed": 8},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    },
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        ],
        "pair": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 1}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
        ],
        "special_tokens": {
            "[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
            "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]},
        },
    },
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
}


def ids(members, text=TEXT):
    return oracle(members).encode(text, add_special_tokens=False).ids


def changed(**members):
    """The full definition with other members; `model__vocab=` changes a member of the model."""
    made = copy.deepcopy(FULL)
    for key, value in members.items():
        first, _, second = key.partition("__")
        if second:
            made[first][second] = value
        else:
            made[first] = value
    return made


def without(*keys):
    made = copy.deepcopy(FULL)
    for key in keys:
        first, _, second = key.partition("__")
        del (made[first] if second else made)[second or first]
    return made


READ = {
    "full": FULL,
    "2019": without("model__type", "decoder")
    | {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}},
    "2020": changed(truncation={"max_length": 8, "strategy": "OnlyFirst", "stride": 4}),
    "bare": without(
        "truncation", "padding", "added_tokens", "normalizer", "post_processor", "decoder"
    ),
    "padding": changed(padding=FULL["padding"] | {"strategy": "BatchLongest"}),
    "multiple": changed(padding=FULL["padding"] | {"pad_to_multiple_of": 8}),
    "lowercase": changed(normalizer={"type": "Lowercase"}),
    "one step": changed(
        normalizer={"type": "Sequence", "normalizers": [bert_normalizer(lowercase=False)]},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}]},
    ),
    "gap": changed(model__vocab={"[UNK]": 0, "[MASK]": 3, "a": 9}, added_tokens=[])
    | {"post_processor": None},
    "pair of surrogates": changed(
        model__vocab=FULL["model"]["vocab"] | {"🐈": 11}, added_tokens=[]
    ),
}


@pytest.mark.parametrize("members", READ.values(), ids=READ.keys())
def test_definitions_of_real_models_are_read(members):
    for text in (TEXT, "🐈", ""):
        assert read(members).ids(text) == ids(members, text)


@pytest.mark.parametrize("phrases", [[], ["new york", "ab", "É"]])
def test_what_the_distiller_writes_is_read(minilm, phrases):
    from staticemb_distiller.vocabulary import tokenizer_json

    members = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))
    members = tokenizer_json.insert(members, dict.fromkeys(["zyzzyva", "naïve"], 0.0), phrases)
    for text in ("in new york, a zyzzyva", "New York", "ab abs é É", "new yorker"):
        assert read(members).ids(text) == ids(members, text)


def test_the_bundled_model_is_read():
    file = static_embedding_file.read(DEFAULT_FILE)
    tokenizer = read_bert(file.tokenizer_view, file.n_token_ids)
    library = oracle(bytes(file.tokenizer).decode())
    text = " ".join(SENTENCES)
    assert tokenizer.ids(text) == library.encode(text, add_special_tokens=False).ids


LEFT = {
    "version": changed(version="2.0"),
    "no version": without("version"),
    "member": changed(other=None),
    "normalizer": changed(normalizer={"type": "NFC"}),
    "no step": changed(normalizer={"type": "Sequence", "normalizers": []}),
    "two steps": changed(
        normalizer={"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 2}
    ),
    "flag": changed(normalizer=bert_normalizer(lowercase=1)),
    "pre_tokenizer": changed(pre_tokenizer={"type": "Whitespace"}),
    "no pre_tokenizer": changed(pre_tokenizer=None),
    "null added": changed(added_tokens=None),
    "added id": changed(added_tokens=[added_token(8, "new")]),
    "added id of another": changed(added_tokens=[added_token(4, "[MASK]")]),
    "added twice": changed(added_tokens=[added_token(7, "new"), added_token(7, "new")]),
    "added empty": changed(added_tokens=[added_token(7, "")]),
    "added flags": changed(added_tokens=[{"id": 7, "content": "new"}]),
    "added to nothing": changed(added_tokens=[added_token(7, "\u0301", normalized=True)]),
    "added alike": changed(
        added_tokens=[added_token(7, "é", normalized=True), added_token(8, "È", normalized=True)]
    ),
    "added id twice": changed(
        model__vocab={"[UNK]": 0, "z": 2}, added_tokens=[added_token(2, "y"), added_token(2, "z")]
    ),
    "id too high": changed(model__vocab=FULL["model"]["vocab"] | {"z": 1_000_000}),
    "id negative": changed(model__vocab=FULL["model"]["vocab"] | {"z": -1}),
    "id twice": changed(model__vocab=FULL["model"]["vocab"] | {"z": 4}),
    "id float": changed(model__vocab=FULL["model"]["vocab"] | {"z": 7.0}),
    "id bool": changed(model__vocab=FULL["model"]["vocab"] | {"z": True}),
    "surrogate": changed(model__vocab=FULL["model"]["vocab"] | {"\ud800": 9}),
    "surrogate in a member": changed(decoder=FULL["decoder"] | {"prefix": "\ude00"}),
    "no vocab": without("model__vocab"),
    "list": changed(model__vocab=[]),
    "no unk": changed(model__unk_token="?"),
    "model": changed(model={"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}),
    "null type": changed(model__type=None),
    "limit": changed(model__max_input_chars_per_word=-1),
    "big limit": changed(model__max_input_chars_per_word=1 << 64),
    "stride": changed(truncation=FULL["truncation"] | {"stride": 8}),
    "template": changed(post_processor=FULL["post_processor"] | {"single": []}),
}


@pytest.mark.parametrize("members", LEFT.values(), ids=LEFT.keys())
def test_other_definitions_are_left_to_tokenizers(members):
    assert read(members) is None


@pytest.mark.parametrize(
    "edit",
    [
        ('"version"', '"version": "1.0", "version"'),
        ('"unk_token"', '"unk_token": "[UNK]", "unk_token"'),
        ('"vocab"', '"vocab": {"[UNK]": 0}, "vocab"'),
        ('"model"', '"model": null, "model"'),
        ('"lstrip"', '"lstrip": false, "lstrip"'),
        ('"a": 4', '"a": -0'),
        ('"stride": 0', '"stride": -0'),
        ('"a": 4', '"a": 4e0'),
        ('"a": 4', '"a": NaN'),
        ('"a": 4', '"a\n": 4'),
        ('{"version"', '\ufeff{"version"'),
    ],
    ids=str,
)
def test_json_that_the_library_refuses_is_left_to_it(edit):
    text = json.dumps(FULL)
    assert text.count(edit[0]) >= 1
    assert read(text.replace(*edit, 1)) is None


def test_the_last_of_equal_tokens_counts():
    text = json.dumps(FULL).replace('"a": 4', '"a": 1, "a": 4')
    assert read(text).ids("a ab") == ids(text, "a ab") == [4, 4, 5]


def test_tokens_may_be_spelled_like_members_and_numbers():
    members = definition(["[UNK]", '"vocab":{', "vocab", "-0", ":-0", "null"])
    members = {"decoder": {"type": "WordPiece", "prefix": '"vocab": {', "cleanup": False}} | members
    for text in (json.dumps(members), json.dumps({"model": members["model"]} | members, indent=1)):
        assert read(text).ids("vocab null x") == ids(text, "vocab null x") == [2, 5, 0]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"NaN", b"[" * 100_000, b'{"vocab":{}}', b'"vocab":{}']
)
def test_other_bytes_are_left_to_tokenizers(content):
    assert read_bert(np.frombuffer(content, np.uint8), 10) is None


# --- any change ----------------------------------------------------------------------------------

VALUES = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2**31, 2**32, 2**64, 0.0, 1.5, "", "a", "[UNK]"]),
    st.sampled_from(["Left", "Right", "OnlyFirst", "BatchLongest", "A", "B", "Sequence", "ab"]),
    st.sampled_from(
        [[], {}, [0], [None], ["a"], {"id": "A", "type_id": 0}, {"Fixed": 1}, ["a", 1]]
    ),
)
KEYS = st.sampled_from(
    ["type", "id", "ids", "vocab", "direction", "strip_accents", "add_prefix_space", "x", "special"]
)


def places(node, path=()):
    """The path of each member and element."""
    found = [path] if path else []
    pairs = enumerate(node) if isinstance(node, list) else node.items()
    for key, value in pairs:
        found += places(value, (*path, key)) if isinstance(value, (list, dict)) else [(*path, key)]
    return found


@given(data=st.data())
def test_no_changed_definition_is_read_otherwise_than_by_tokenizers(data):
    members = copy.deepcopy(data.draw(st.sampled_from([*READ.values()])))
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from(places(members)))
        node = members
        for key in path:
            node = node[key]
        action = data.draw(st.sampled_from(["replace", "replace", "remove", "add", "repeat"]))
        if action == "replace":
            node[last] = copy.deepcopy(data.draw(VALUES))
        elif action == "remove":
            del node[last]
        elif isinstance(node, list):
            node.append(copy.deepcopy(node[last]))
        else:
            node[data.draw(KEYS)] = copy.deepcopy(node[last])
        assume(members)
    tokenizer = read(members)
    if tokenizer is not None:
        assert tokenizer.ids(TEXT) == ids(members)
        try:
            check_tokenizer(json.dumps(members).encode(), 1_000_000, "test")
        except StaticEmbError as error:
            pytest.fail(f"SPEC section 7 refuses what was read: {error}")
