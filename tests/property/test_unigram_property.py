"""Ids from the arrays of `pieces` are those of `tokenizers`, or there are none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_distiller.file.pieces import library_score
from staticemb_runtime.format.pieces_check import equal_pieces, score
from tokenizer_designs import design_texts, designs
from unigram_designs import definition, ids_of, library_ids, mapped, pieces_tensors, unigram_designs

PLAIN = st.text("ab ▁é北🐈", max_size=30)


def compare(tokenizer: bytes, texts: list[str]) -> int:
    """Compare texts, together and each by itself; the number of texts that had ids."""
    ours = mapped(tokenizer)
    if ours is None:
        return 0
    known = 0
    right = library_ids(tokenizer, texts)
    for text, ids in zip(texts, right, strict=True):
        found = ours.encode([text], unknown_token_id=None, max_tokens=None)
        assert found is None or ids_of(found) == [ids], text
        known += found is not None
    again = ours.encode(texts, unknown_token_id=None, max_tokens=None)  # with words known
    assert (again is None) == (known < len(texts))
    assert again is None or ids_of(again) == right
    return known


@st.composite
def drawn(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    tokenizer = draw(unigram_designs())
    texts = st.one_of(PLAIN, design_texts(tokenizer.decode()))
    return tokenizer, draw(st.lists(texts, min_size=1, max_size=6))


@given(drawn())
def test_ids_are_those_of_tokenizers(drawn: tuple[bytes, list[str]]) -> None:
    tokenizer, texts = drawn
    assert mapped(tokenizer) is not None
    compare(tokenizer, texts)


@given(unigram_designs(), st.lists(st.text("ab c.", max_size=20), min_size=1))
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
        st.one_of(PLAIN, st.text(max_size=6)).map(lambda text: text.replace(" ", "")), max_size=6
    ),
)
def test_words_between_blanks_have_their_ids_in_every_text(
    tokenizer: bytes, words: list[str]
) -> None:
    ours = mapped(tokenizer)
    assert ours is not None
    ids, counts = ours.encode_words(words)
    assert len(counts) == len(words)
    assert ids.size == counts[counts > 0].sum()
    flat = ids.tolist()
    proven, joined = [], []
    for word, count in zip(words, counts.tolist(), strict=True):
        if count >= 0:
            proven.append(word)
            joined += flat[:count]
            del flat[:count]
    assert [joined] == library_ids(tokenizer, [" ".join(proven)])


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
