"""Definitions without `model.type`, and models without an unknown token, by every path."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from peer_models import save_model2vec, save_sentence_transformers
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import InvalidTextError, TokenizerInvalidError
from staticemb_runtime.format.tokenizer_check import check_tokenizer, model_type
from staticemb_runtime.tokenization.bert_definition import read_bert
from tokenizer_families import family, family_json

ONE_OF_EACH = {"WordPiece": "bert_uncased", "BPE": "roberta", "Unigram": "t5"}
ONE_OF_EACH["WordLevel"] = "word_level"
TEXTS = ["The quick brown fox", "the dog, the house", "unknown ☃ 𓀀", ""]


def edited(name: str, **changes: object) -> bytes:
    """A family's definition with changes to its model; None removes a member."""
    members: dict[str, Any] = json.loads(family_json(name))
    model = members["model"] | changes
    members["model"] = {key: value for key, value in model.items() if value is not ...}
    return json.dumps(members).encode()


def write_file(path: Path, definition: bytes) -> Path:
    rows = 1 + max(Tokenizer.from_buffer(definition).get_vocab().values())
    table = np.random.default_rng(4).standard_normal((rows, 6)).astype(np.float32)
    write(path, Parts(table, definition), Settings())
    return path


# --- no type ---------------------------------------------------------------------------------

_MEMBERS: dict[str, list[Any]] = {
    "vocab": [{"a": 0, "b": 1}, [["a", -1.0], ["b", -2.0]]],
    "merges": [[]],
    "unk_token": ["a"],
    "unk_id": [0],
    "continuing_subword_prefix": ["##"],
    "max_input_chars_per_word": [100],
    "byte_fallback": [False],
    "dropout": [None],
}


@given(
    st.fixed_dictionaries(
        {}, optional={key: st.sampled_from(values) for key, values in _MEMBERS.items()}
    )
)
def test_a_missing_type_is_what_tokenizers_takes_it_for(model: dict[str, Any]) -> None:
    try:
        library = Tokenizer.from_str(json.dumps({"version": "1.0", "model": model}))
    except Exception:  # noqa: BLE001 - the library has no other
        return
    assert model_type(model) == type(library.model).__name__


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_file_without_the_type_is_read_by_every_path(tmp_path: Path, kind: str) -> None:
    name = ONE_OF_EACH[kind]
    untyped = edited(name, type=...)
    with_type = StaticModel.load(write_file(tmp_path / "with", family_json(name)))
    without = StaticModel.load(write_file(tmp_path / "without", untyped), verify=True)
    expected = with_type.encode(TEXTS)
    assert expected.any()
    assert np.array_equal(without.encode(TEXTS), expected)
    for save in (save_model2vec, save_sentence_transformers):
        folder = tmp_path / save.__name__
        theirs = save(folder, family(name))
        (folder / "tokenizer.json").write_bytes(untyped)
        opened = StaticModel.load(folder, verify=True)
        assert np.allclose(opened.encode(TEXTS), theirs.encode(TEXTS), atol=1e-6)


def test_bert_needs_no_type() -> None:
    bert = read_bert(np.frombuffer(edited("bert_uncased", type=...), np.uint8), 1 << 20)
    assert bert is not None
    oracle = Tokenizer.from_buffer(family_json("bert_uncased"))
    oracle.no_padding()
    oracle.no_truncation()
    expected = oracle.encode("The quick fox", add_special_tokens=False).ids
    assert bert.ids("The quick fox") == expected


# --- no unknown token ------------------------------------------------------------------------

LACKING = {
    "WordPiece": ("bert_uncased", {"unk_token": "[NONE]"}),
    "WordLevel": ("word_level", {"unk_token": "[NONE]"}),
    "Unigram": ("t5", {"unk_id": None}),
    "Unigram, not said": ("t5", {"unk_id": ...}),
}


@pytest.mark.parametrize("name", LACKING)
def test_a_model_without_an_unknown_token_is_refused_when_verified(name: str) -> None:
    family_name, changes = LACKING[name]
    definition = edited(family_name, **changes)
    check_tokenizer(family_json(family_name), 1 << 20, "it")
    with pytest.raises(TokenizerInvalidError, match="expected an unk_"):
        check_tokenizer(definition, 1 << 20, "it")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", LACKING)
def test_a_text_with_something_unknown_is_named(tmp_path: Path, name: str, workers: int) -> None:
    family_name, changes = LACKING[name]
    path = write_file(tmp_path / "lacking", edited(family_name, **changes))
    known = StaticModel.load(write_file(tmp_path / "whole", family_json(family_name)))
    model = StaticModel.load(path)
    texts = ["the quick"] * 25 + ["the ☃"] + ["the fox"] * 3
    with pytest.raises(InvalidTextError, match=r"^text 25: .*(unk|UNK|NONE)"):
        model.encode(texts, batch_size=10, workers=workers)
    assert np.array_equal(model.encode(["the quick"]), known.encode(["the quick"]))


def test_bpe_leaves_out_what_it_has_no_unknown_token_for(tmp_path: Path) -> None:
    definition = edited("llama2", unk_token=None, byte_fallback=False)
    model = StaticModel.load(write_file(tmp_path / "bpe", definition), verify=True)
    assert np.array_equal(model.encode(["the fox 𓀀"]), model.encode(["the fox "]))


def test_a_normalizer_that_panics_is_an_error_that_names_the_text(tmp_path: Path) -> None:
    members = json.loads(family_json("word_level"))
    members["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="}
    model = StaticModel.load(write_file(tmp_path / "broken", json.dumps(members).encode()))
    with pytest.raises(InvalidTextError, match="text 0"):
        model.encode(["é"])


@pytest.mark.timeout(60, method="thread")
@pytest.mark.parametrize(("empty", "other"), [("\r", "a b"), ("x", "é"), ("x", "the fox")])
def test_added_tokens_that_tokenizers_searches_for_ever_are_refused(
    tmp_path: Path, empty: str, other: str
) -> None:
    # `tokenizers` never returns from a text that has the beginning of `other` without its end.
    tokens = [
        {"id": 202 + i, "content": content, "normalized": True, "special": False}
        | dict.fromkeys(["single_word", "lstrip", "rstrip"], False)
        for i, content in enumerate([empty, other])
    ]
    steps = [
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Replace", "pattern": {"String": "x"}, "content": ""},
    ]
    normalizer = {"type": "Sequence", "normalizers": steps}
    members = json.loads(family_json("word_level"))
    members |= {"added_tokens": members["added_tokens"] + tokens, "normalizer": normalizer}
    path = tmp_path / "endless"
    table = np.ones((204, 2), np.float32)
    write(path, Parts(table, json.dumps(members).encode()), Settings())
    named = f"added token {re.escape(repr(empty))}"
    with pytest.raises(TokenizerInvalidError, match=named):
        StaticModel.load(path, verify=True)
    with pytest.raises(TokenizerInvalidError, match=named):
        StaticModel.load(path).encode(["a the ê"])


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{"normalize": None}, {"max_length": None}, {}])
def test_a_setting_that_is_null_is_read_as_model2vec_reads_it(
    tmp_path: Path, config: dict[str, None]
) -> None:
    theirs = pytest.importorskip("model2vec").StaticModel
    save_model2vec(tmp_path, family("bert_uncased"), normalize=True, max_length=4)
    (tmp_path / "config.json").write_text(json.dumps(config))
    texts = [*TEXTS[:3], "the quick brown fox " * 300]
    expected = theirs.from_pretrained(tmp_path).encode(texts)
    assert np.allclose(StaticModel.load(tmp_path).encode(texts), expected, atol=1e-5)


# --- what only the library finds -------------------------------------------------------------

UNREADABLE = {
    "WordPiece without a longest word": ("bert_uncased", {"max_input_chars_per_word": ...}),
    "WordPiece with a negative one": ("bert_uncased", {"max_input_chars_per_word": -1}),
    "BPE without merges": ("roberta", {"merges": ...}),
    "a merge out of the vocabulary": ("roberta", {"merges": ["absent alike"]}),
    "Unigram with a fallback of 3": ("t5", {"byte_fallback": 3}),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_tokenizers_cannot_read_is_refused_when_verified(tmp_path: Path, name: str) -> None:
    family_name, changes = UNREADABLE[name]
    definition = edited(family_name, **changes)
    with pytest.raises(Exception):  # noqa: B017 - the library has no other
        Tokenizer.from_buffer(definition)
    path, rows = tmp_path / "unreadable", family(family_name).get_vocab_size(True)
    write(path, Parts(np.ones((rows, 6), np.float32), definition), Settings())
    with pytest.raises(TokenizerInvalidError, match="that `tokenizers` can read"):
        StaticModel.load(path, verify=True)
    with pytest.raises(TokenizerInvalidError, match="that `tokenizers` can read"):
        StaticModel.load(path).encode(["the fox \u2603"])


WITHOUT_TOKENIZERS = """
import sys

sys.modules["tokenizers"] = None  # as if it were not installed
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import MissingPackageError

model = StaticModel.load("minilm-en-small", verify=True)
texts = ["a card, declined", "Größe und Maß", "北京 市", "Ёлка стоит", "x\\0y [MASK]"] * 500
assert model.encode(texts, on_empty="zero")[:2].any(axis=1).all()
assert model.tokenize("unaffable") == ["una", "##ffa", "##ble"]
assert model.explain("a card")
try:
    StaticModel.load(sys.argv[1]).encode("a")
except MissingPackageError as error:
    print(error)
"""


def test_a_wordpiece_model_needs_numpy_alone(tmp_path):
    bpe = write_file(tmp_path / "bpe.staticemb", family_json("gpt2"))
    command = [sys.executable, "-c", WITHOUT_TOKENIZERS, str(bpe)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out == (
        "this model's tokenizer needs the package `tokenizers`: pip install tokenizers\n"
    )
