"""Texts without a token that the model knows: zero vectors that are not silent."""

import itertools
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import warned
from runtime.test_model import DIM, save
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import (
    EmptyTextError,
    EmptyTextWarning,
    InvalidOptionError,
    StaticEmbError,
)

TEXTS = ["w1", "", "nothing known", "w2 w3", " \t\n", "日本語"]
EMPTY = [1, 2, 4, 5]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("model") / "model.staticemb")


@pytest.fixture
def model(path):
    return StaticModel(path)


def messages(call) -> list[str]:
    """What a call warns of."""
    return warned.messages(call, EmptyTextWarning)


def test_the_warning_has_a_category_and_the_error_a_class():
    assert issubclass(EmptyTextWarning, UserWarning)
    assert issubclass(EmptyTextError, StaticEmbError)
    assert issubclass(EmptyTextError, ValueError)


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dim", [1, DIM])
def test_encode_counts_them_and_warns_once(path, precision, workers, dim):
    texts = ["w1 w2"] * 1000 + TEXTS * 100
    model = StaticModel(path)
    options = {"precision": precision, "workers": workers, "truncate_dim": dim}
    (message,) = messages(lambda: model.encode(texts, batch_size=256, **options))
    assert message.startswith(
        "400 of 1,600 texts have no token that the model knows (200 of them empty or blank): "
        "their vectors are zero; the first is text 1001 "
    )
    assert messages(lambda: model.encode(texts, **options)) == []  # it was said
    assert messages(lambda: model.encode("")) == []
    model = StaticModel(path)
    assert messages(lambda: model.encode(texts, on_empty="zero", **options)) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.encode("日本語"),
        lambda model: model.encode(np.array(["日本語"])),
        lambda model: model.encode_query("日本語"),
        lambda model: model.encode_document(["日本語"]),
        lambda model: list(model.encode_stream(["日本語"])),
        lambda model: model.encode_tokens("日本語"),
        lambda model: model.encode_tokens(["日本語"]),
    ],
)
def test_whatever_embeds_a_text_warns(model, call):
    (message,) = messages(lambda: call(model))
    assert message.startswith("1 of 1 texts have no token that the model knows: ")
    assert "the first is text 0 " in message


@pytest.mark.parametrize("workers", [1, 2])
def test_raise_names_the_first_one_and_why(model, workers):
    options = {"on_empty": "raise", "workers": workers, "batch_size": 256}
    texts = ["w1"] * 700
    assert len(model.encode(texts, **options)) == 700
    with pytest.raises(EmptyTextError, match=r"^text 700: expected a token .*, found none$"):
        model.encode([*texts, "日本語", ""], **options)
    with pytest.raises(EmptyTextError, match=r"text 700: .* found an empty or blank text"):
        model.encode([*texts, " ", "日本語"], **options)
    stream = model.encode_stream(itertools.chain(texts, itertools.repeat("")), **options)
    with pytest.raises(EmptyTextError, match="text 700: "):
        sum(map(len, stream))
    for single in (model.encode, model.encode_tokens):
        with pytest.raises(EmptyTextError, match="text 0: "):
            single("nothing known", on_empty="raise")


@given(st.lists(st.sampled_from(TEXTS), max_size=30))
def test_a_text_is_empty_exactly_if_it_has_no_tokens(path, texts):
    model = StaticModel(path)
    empty = [index for index, tokens in enumerate(model.tokenize(texts)) if not tokens]
    vectors = model.encode(texts, on_empty="zero")
    assert np.flatnonzero(~vectors.any(axis=1)).tolist() == empty
    if empty:
        with pytest.raises(EmptyTextError, match=f"text {empty[0]}: "):
            model.encode(texts, on_empty="raise")
    else:
        model.encode(texts, on_empty="raise")


def test_a_prompts_tokens_are_the_texts_own(model):
    assert messages(lambda: model.encode(TEXTS, prompt="w1 ")) == []
    (message,) = messages(lambda: model.encode(TEXTS, prompt="nothing "))
    assert message.startswith("4 of 6 ")


def test_a_stream_warns_at_the_first_block_that_has_one(model):
    stream = model.encode_stream(itertools.cycle(["w1"] * 15 + [""]), batch_size=10)
    assert messages(lambda: next(stream)) == []
    assert messages(lambda: next(stream))[0].startswith("1 of 20 texts ")
    assert messages(lambda: [next(stream) for _ in range(5)]) == []


def test_a_warning_may_be_an_error(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error", EmptyTextWarning)
        with pytest.raises(EmptyTextWarning):
            model.encode(TEXTS)


@pytest.mark.parametrize("wrong", ["ignore", "", None, True])
def test_another_choice_is_refused(model, wrong):
    for call in (model.encode, model.encode_stream, model.encode_tokens):
        with pytest.raises(InvalidOptionError, match="on_empty: expected one of warn, zero, raise"):
            call(["w1"], on_empty=wrong)


def test_the_bundled_model_says_that_it_knows_no_japanese():
    (message,) = messages(lambda: StaticModel().encode(["hello", "日本語のテキスト", "🎉🎉"]))
    assert message.startswith("2 of 3 texts have no token that the model knows: ")
    assert "English only; staticemb-model-multilingual reads other languages" in message
    (message,) = messages(lambda: StaticModel().encode_tokens(["日本語"]))
    assert "staticemb-model-multilingual" in message


def test_only_an_english_model_without_a_word_of_a_text_names_the_multilingual_one(model):
    (message,) = messages(lambda: StaticModel().encode(["hello", "", " "]))
    assert "multilingual" not in message
    (message,) = messages(lambda: model.encode("日本語"))  # its file names no languages
    assert "multilingual" not in message


# --- the command ----------------------------------------------------------------------------------


def staticemb(*arguments, **options):
    command = [sys.executable, "-m", "staticemb_runtime", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, **options)


def test_the_command_counts_over_all_blocks_and_names_the_first_row(path, tmp_path):
    out = tmp_path / "out.npy"
    text = ("w1\n" * 9000 + "w1\n\nnothing known\nw2\n \n日本語\n").encode()
    run = staticemb("encode", "-m", path, "-o", out, input=text)
    assert run.returncode == 0
    assert run.stderr.decode() == (
        "staticemb: 4 of 9,006 texts have no token that the model knows (2 of them empty or "
        "blank): their vectors are zero; the first is standard "
        "input, line 9002\n"
    )
    assert len(np.load(out)) == 9006
    assert (
        staticemb("encode", "-m", path, "-o", out, "--on-empty", "zero", input=text).stderr == b""
    )


def test_the_command_ends_with_an_error_where_it_is_told_to(path, tmp_path):
    out = tmp_path / "out.npy"
    text = b"w1\n" * 9000 + b"\n"
    run = staticemb("encode", "-m", path, "-o", out, "--on-empty", "raise", input=text)
    assert run.returncode == 2
    assert run.stderr.decode() == (
        "staticemb: error: standard input, line 9001: expected a token that the model knows, "
        "found none\n"
    )
    assert list(tmp_path.iterdir()) == []
    text = b"w1\n" * 9000
    run = staticemb("encode", "-m", path, "-o", out, "--on-empty", "raise", input=text)
    assert (run.returncode, run.stderr) == (0, b"")


def test_the_similarity_of_nothing_is_not_silent(path):
    run = staticemb("similarity", "-m", path, "w1", "日本語")
    assert (run.returncode, run.stdout) == (0, b"0.0000\n")
    assert b"1 of 2 texts" in run.stderr
    assert b"the first is text 2" in run.stderr


def test_the_commands_name_the_multilingual_model(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("hello\n日本語\n", encoding="utf-8")
    for arguments in (
        ["encode", "-i", file, "-o", tmp_path / "out.npy"],
        ["similarity", "日本語", "a"],
    ):
        done = staticemb(*arguments)
        assert done.returncode == 0, done.stderr
        assert b"staticemb-model-multilingual reads other languages" in done.stderr
