"""Ids from the arrays of `pieces` are those of `tokenizers`, or there are none."""

import json
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_distiller.file.pieces import library_score
from staticemb_runtime.format.pieces_check import equal_pieces, score
from staticemb_runtime.tokenization import word_tokenizer
from staticemb_runtime.tokenization.word_tokenizer import WordTokenizer
from staticemb_runtime.tokenization.words import Words
from tokenizer_designs import design_texts, designs
from unigram_designs import (
    XLMR_UNSPLIT,
    definition,
    library_ids,
    opened,
    pieces_tensors,
    proven_ids,
    unigram_designs,
)
from word_tokenizers import found

PLAIN = st.text("ab ▁é北🐈", max_size=30)


def compare(tokenizer: bytes, texts: list[str]) -> int:
    """Compare texts; the number of texts whose ids are proven without the library."""
    encoder = opened(tokenizer)
    if encoder is None:
        return 0
    right = library_ids(tokenizer, texts)
    ours = proven_ids(encoder, texts)
    for text, mine, ids in zip(texts, ours, right, strict=True):
        assert mine is None or mine == ids, text
    if None not in right:  # by words, from the dictionary and from the table
        words = WordTokenizer(encoder)
        assert found(words, texts) == right
        assert found(words, texts) == right
        with mock.patch.object(word_tokenizer, "_BLOCK", 8):
            assert found(WordTokenizer(encoder), texts) == right
    return len(texts) - ours.count(None)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    tokenizer = draw(unigram_designs())
    texts = st.one_of(PLAIN, design_texts(tokenizer.decode()))
    return tokenizer, draw(st.lists(texts, min_size=1, max_size=6))


@given(drawn())
def test_ids_are_those_of_tokenizers(drawn: tuple[bytes, list[str]]) -> None:
    tokenizer, texts = drawn
    assert opened(tokenizer) is not None
    compare(tokenizer, texts)


def runs_become_markers(content: str) -> bytes:
    """Words are cut at blanks alone, and the normalizer replaces runs of them."""
    runs = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": content}
    strip = {"type": "Strip", "strip_left": False, "strip_right": True}
    vocabulary = [("<unk>", 0.0), ("▁a", -1.0), ("a▁a", -0.5), ("a", -2.0)]
    return definition(
        vocabulary,
        normalizer={"type": "Sequence", "normalizers": [strip, runs]},
        pre_tokenizer=XLMR_UNSPLIT,
    )


@given(unigram_designs(), st.lists(st.text("ab c.", max_size=20), min_size=1))
@example(runs_become_markers("▁"), ["a  a", "a a", "  a   a "])
@example(runs_become_markers(" "), ["a  a", "a a", "  a   a "])
def test_plain_texts_have_ids(tokenizer: bytes, texts: list[str]) -> None:
    members = json.loads(tokenizer) | {"added_tokens": []}
    assert compare(json.dumps(members).encode(), texts) == len(texts)


@st.composite
def drawn_of_any_kind(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A tokenizer of any design around a Unigram model, and texts."""
    members = json.loads(draw(designs()))
    members["model"] = json.loads(draw(unigram_designs()))["model"]
    members["post_processor"] = None
    for at, token in enumerate(members["added_tokens"]):
        token["id"] = len(members["model"]["vocab"]) + at
    tokenizer = json.dumps(members)
    return tokenizer.encode(), draw(st.lists(design_texts(tokenizer), max_size=4))


@given(drawn_of_any_kind())
def test_a_design_of_another_kind_is_refused_or_exact(drawn: tuple[bytes, list[str]]) -> None:
    compare(*drawn)


@given(
    unigram_designs(),
    st.lists(
        st.one_of(PLAIN, st.text(max_size=6), st.text("a\r\n\t\u3000▁", max_size=3)).map(
            lambda text: text.replace(" ", "")
        ),
        max_size=6,
    ),
)
def test_words_between_blanks_have_their_ids_in_every_text(
    tokenizer: bytes, words: list[str]
) -> None:
    encoder = opened(tokenizer)
    assert encoder is not None
    ids, counts = encoder.words(Words.join([word.encode() for word in words]))
    assert len(counts) == len(words)
    assert ids.size == counts[counts > 0].sum()
    if encoder.splitter is None:
        return
    flat = ids.tolist()
    proven, joined = [], []
    for word, count in zip(words, counts.tolist(), strict=True):
        if count >= 0:
            proven.append(word)
            joined += flat[:count]
            del flat[:count]
    assert [joined] == library_ids(tokenizer, [" ".join(proven)])


@given(unigram_designs())
def test_tokens_are_spelled_as_the_library_spells_them(tokenizer: bytes) -> None:
    encoder = opened(tokenizer)
    assert encoder is not None
    oracle = Tokenizer.from_buffer(tokenizer)
    members = json.loads(tokenizer)
    pieces = [piece for piece, _ in members["model"]["vocab"]]
    if len(set(pieces)) == len(pieces):  # versions of the library count equal pieces differently
        assert encoder.vocab_size == oracle.get_vocab_size()
    for token_id in range(len(members["model"]["vocab"]) + len(members["added_tokens"])):
        # An added token that is a piece has that piece's id, whatever its own is.
        assert oracle.id_to_token(token_id) in (None, encoder.token(token_id))


@given(unigram_designs())
def test_the_writer_and_the_reader_agree_on_the_part(tokenizer: bytes) -> None:
    tensors = pieces_tensors(tokenizer, least=1)
    assert equal_pieces(tensors, tokenizer, 1 << 24)


_DIGITS = st.text("0123456789", min_size=1, max_size=24)


@given(
    st.sampled_from(["", "-"]),
    _DIGITS.map(lambda digits: digits.lstrip("0") or "0"),
    st.none() | _DIGITS,
    st.none() | st.integers(-330, 280),
)
@pytest.mark.parametrize("implementation", [score, library_score])
def test_scores_are_those_that_the_library_reads(
    implementation: object, sign: str, whole: str, fraction: str | None, exponent: int | None
) -> None:
    spelling = sign + whole
    spelling += "" if fraction is None else f".{fraction}"
    spelling += "" if exponent is None else f"e{exponent}"
    text = definition([("<unk>", 0.5)]).decode().replace("0.5", spelling)
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception:  # noqa: BLE001 - the library's own class; the number is out of range
        assert abs(implementation(spelling)) == float("inf")  # type: ignore[operator]
        return
    read = json.loads(tokenizer.to_str())["model"]["vocab"][0][1]
    assert implementation(spelling) == read  # type: ignore[operator]
