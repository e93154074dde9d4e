"""Explanations: shares that add up to the cosine, and tokens found in their texts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
from growth import check_growth
from staticemb_distiller.file import Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import InvalidOptionError
from staticemb_runtime.search import explain


@pytest.fixture(scope="module")
def model():
    return StaticModel()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("explained")


def spelled(ids):
    return " ".join(f"w{token}" for token in ids)


@st.composite
def explained(draw):
    """A file, two texts of its tokens, and a request."""
    parts = draw(strategies.parts())
    dim = parts.embeddings.shape[1]
    damping = draw(st.none() | st.tuples(st.sampled_from([0.5, 1.0, 2.5]), st.integers(1, dim)))
    unknown = draw(st.none() | st.just(0))
    chosen = Settings(
        damping=damping, unknown_token_id=unknown, max_tokens=draw(st.none() | st.just(5))
    )
    token = st.integers(0, parts.n_token_ids - 1)
    texts = [spelled(draw(st.lists(token, max_size=12))) for _ in range(2)]
    prefix = draw(st.none() | st.integers(1, dim))
    return (
        parts,
        chosen,
        texts,
        {"truncate_dim": prefix, "pooling": draw(st.sampled_from([None, "mean"]))},
    )


@given(explained())
def test_all_shares_add_up_to_the_cosine(folder, case):
    parts, chosen, texts, request = case
    write(folder / "model", parts, chosen)
    model = StaticModel.load(folder / "model", mmap=False)
    found = explain(model, *texts, **request)
    # Large parts may cancel each other, so the rounding is relative to their size.
    size = 1e-12 + 1e-12 * np.abs(found.matrix()).sum()
    assert abs(found.matrix().sum() - found.similarity) <= size
    for row, tokens in zip((1, 0), (found.a, found.b), strict=True):
        shares = np.array([token.share for token in tokens])
        assert found.matrix().sum(axis=row) == pytest.approx(shares, abs=size)
    pairs = found.pairs(1000)
    assert sum(pair.share for pair in pairs) == pytest.approx(found.similarity, abs=size)
    assert sum(pair.repeats for pair in pairs) == found.matrix().size
    sizes = [abs(pair.share) for pair in pairs]
    assert sizes == sorted(sizes, reverse=True)
    for text, tokens in zip(texts, (found.a, found.b), strict=True):
        assert [text[t.start : t.stop] for t in tokens] == [t.piece for t in tokens]


@settings(max_examples=50)
@given(strategies.texts(), strategies.texts())
def test_the_cosine_is_the_models(model, a, b):
    found = explain(model, a, b)
    vectors = model.encode([a, b], on_empty="zero")
    assert found.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=2e-6)
    assert [token.piece for token in found.a] == model.tokenize(a)
    assert all(0 <= t.start <= t.stop <= len(a) for t in found.a)


def test_explanations_in_many_languages(model, multilingual):
    lines = multilingual[:: max(1, len(multilingual) // 150)]
    for a, b in itertools.pairwise(lines):
        found = explain(model, a, b)
        vectors = model.encode([a, b], on_empty="zero")
        assert found.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=2e-6)
        for token in found.a:
            assert 0 <= token.start < token.stop <= len(a)


def test_equal_words_of_two_texts_are_the_largest_pairs(model):
    found = explain(model, "Paris in spring, Paris in autumn", "the streets of paris")
    (best, *_) = found.pairs(3)
    assert best[:2] == ("paris", "paris")
    assert best.repeats == 2
    assert found.a[0].start == 0
    assert found.a[0].share == pytest.approx(found.a[4].share)
    assert found.matrix().shape == (7, 4)


def test_texts_without_tokens_have_no_shares(model):
    found = explain(model, "", "a text")
    assert found.similarity == 0
    assert found.a == ()
    assert found.pairs() == []
    assert found.matrix().shape == (0, 2)


def test_tokens_of_a_prompt_lie_before_the_text(folder):
    rng = np.random.default_rng(0)
    parts = strategies.Parts(
        rng.normal(size=(6, 4)).astype(np.float32), strategies.word_level_tokenizer(6)
    )
    write(folder / "prompted", parts, Settings(prompts={"query": "w5 "}))
    model = StaticModel.load(folder / "prompted")
    found = explain(model, "w1 w2", "w2 w3", prompt_names=("query", "document"))
    assert [(t.piece, t.start) for t in found.a] == [("w5", -3), ("w1", 0), ("w2", 3)]
    cosine = model.encode_query("w1 w2") @ model.encode_document("w2 w3")
    assert found.similarity == pytest.approx(float(cosine), abs=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
def test_spans_of_texts_that_a_tokenizer_cuts(minilm, tmp_path, side):
    """A tokenizer of another library may keep the first or the last tokens."""
    import json
    import shutil

    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    definition = json.loads((minilm / "tokenizer.json").read_text("utf-8"))
    definition["truncation"] = {
        "direction": "Right" if side == "right" else "Left",
        "max_length": 3,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    folder = tmp_path / "0_StaticEmbedding"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(definition), "utf-8")
    rows = np.random.default_rng(0).normal(size=(30522, 4)).astype(np.float32)
    save_file({"embedding.weight": rows}, folder / "model.safetensors")
    kind = "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": folder.name, "type": kind}]
    (tmp_path / "modules.json").write_text(json.dumps(modules), "utf-8")
    model = StaticModel.load(tmp_path)
    text = "one two three four five six"
    found = explain(model, text, text)
    assert [text[t.start : t.stop] for t in found.a] == [t.piece for t in found.a]
    assert [t.piece for t in found.a] == model.tokenize(text)
    spans = model.contributions("one one one one one").spans
    assert spans == ([(8, 11), (12, 15), (16, 19)] if side == "left" else [(0, 3), (4, 7), (8, 11)])
    shutil.rmtree(folder)


@pytest.mark.serial
def test_the_time_grows_with_the_length_of_a_text(model):
    def explained(text):
        explain(model, text, "a red house by the sea").pairs(5)

    check_growth(explained, lambda size: "houses by the river, " * (size // 21), ())


def test_a_wrong_limit_is_refused(model):
    with pytest.raises(InvalidOptionError, match="limit"):
        explain(model, "a", "b").pairs(0)


def test_pairs_of_long_texts_are_found_in_blocks(model, monkeypatch):
    a, b = "one red apple and a pear " * 50, "some green pears, apples and plums"
    whole = explain(model, a, b).pairs(8)
    monkeypatch.setattr("staticemb_runtime.search.explanation._PAIRS", 10)
    for found, expected in zip(explain(model, a, b).pairs(8), whole, strict=True):
        assert (found.a, found.b, found.repeats) == (expected.a, expected.b, expected.repeats)
        assert found.share == pytest.approx(expected.share, rel=1e-9)
