"""The part `head`: classifiers and regressors of a file, and what they predict."""

import copy
import json
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.file.added_heads import with_heads
from staticemb_distiller.file.head import Head, head_parts
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import (
    EmptyTextError,
    InvalidOptionError,
    InvalidTextError,
    MissingHeadError,
    PartError,
)
from staticemb_runtime.format import head_names, read, read_head
from staticemb_runtime.heads.scoring import HeadScorer
from staticemb_runtime.search import Index
from strategies import word_level_tokenizer

D, WORDS = 12, 40
RANDOM = np.random.default_rng(3)
TABLE = RANDOM.normal(size=(WORDS, D)).astype(np.float32)
LABELS = ("billing", "größe", "🐈 other", "a\nb")
TEXTS = [
    " ".join(f"w{i}" for i in RANDOM.integers(0, WORDS, n)) for n in RANDOM.integers(1, 9, 700)
]


def layer(rows, columns, seed=0):
    random = np.random.default_rng([seed, rows, columns])
    return random.normal(size=(rows, columns)).astype(np.float32), random.normal(size=rows).astype(
        np.float32
    )


TOPIC = Head("topic", "softmax", LABELS, *layer(4, D), temperature=0.7)
TAGS = Head("tags", "sigmoid", LABELS, *layer(4, D, 1), thresholds=(0.3, 0.5, 0.9, 0.1))
STARS = Head("stars", "linear", ("stars", "mood"), *layer(2, D, 2), normalize=False)
DEEP = Head("deep", "softmax", LABELS, *layer(4, 9, 3), hidden=layer(9, D, 3))
SHORT = Head("short", "sigmoid", ("yes",), *layer(1, 5, 4), dimension=5, pooling="mean")
PROMPT = Head("prompt", "softmax", LABELS, *layer(4, D, 5), prompt="w3 w4 ")
HEADS = (TOPIC, TAGS, STARS, DEEP, SHORT, PROMPT)


def plain(path, **settings):
    write(path, Parts(TABLE, word_level_tokenizer(WORDS)), Settings(**settings))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    with_heads(plain(folder / "plain.staticemb", damping=(0.8, 6)), HEADS, folder / "m.staticemb")
    return folder / "m.staticemb"


@pytest.fixture(scope="module")
def model(file):
    return StaticModel.load(file, verify=True)


def expected_logits(model, head, texts):
    """The logits by the definition, in float64."""
    vectors = model.encode(
        [(head.prompt or "") + text for text in texts],
        truncate_dim=head.dimension,
        normalize_embeddings=head.normalize,
        pooling=head.pooling,
        on_empty="zero",
    ).astype(np.float64)
    if head.hidden is not None:
        weights, bias = head.hidden
        vectors = np.maximum(vectors @ weights.T.astype(np.float64) + bias, 0)
    return vectors @ head.weights.T.astype(np.float64) + head.bias


def expected_scores(model, head, texts):
    logits = expected_logits(model, head, texts) / head.temperature
    if head.kind == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-logits)) if head.kind == "sigmoid" else logits


# --- prediction -----------------------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_predictions_are_those_of_the_definition(model, head):
    texts = [*TEXTS[:50], ""]
    logits = model.decision_function(texts, head.name, on_empty="zero")
    np.testing.assert_allclose(logits, expected_logits(model, head, texts), atol=2e-5)
    predict = model.predict if head.kind == "linear" else model.predict_proba
    scores = predict(texts, head.name, on_empty="zero")
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected_scores(model, head, texts), atol=1e-5)


def test_the_label_of_softmax_is_the_likeliest_one(model):
    for name in ("topic", "deep", "prompt"):
        best = model.predict_proba(TEXTS, name).argmax(axis=1)
        assert model.classify(TEXTS, name) == [LABELS[i] for i in best]


def test_labels_of_sigmoid_are_those_above_their_thresholds(model):
    scores = model.predict_proba(TEXTS, "tags")
    for threshold in (None, 0.0, 0.4, 1.0):
        limits = TAGS.thresholds if threshold is None else [threshold] * 4
        expected = [
            [
                label
                for label, p, limit in zip(LABELS, row, np.float32(limits), strict=True)
                if p > limit
            ]
            for row in scores
        ]
        assert model.classify(TEXTS, "tags", threshold=threshold) == expected
    assert {len(labels) for labels in model.classify(TEXTS, "tags")} == {1, 2, 3, 4}


def test_a_threshold_leaves_unsure_texts_without_a_label(model):
    scores = model.predict_proba(TEXTS, "topic")
    labels = model.classify(TEXTS, "topic", threshold=0.6)
    sure = scores.max(axis=1) > np.float32(0.6)
    assert [label is not None for label in labels] == sure.tolist()
    assert 0 < sure.sum() < len(sure)
    assert model.classify(TEXTS[0], "topic", threshold=1.0) is None


def test_one_text_is_answered_as_it_is_among_others(model):
    for head in HEADS:
        together = model.decision_function(TEXTS, head.name)
        for at in (0, 3, 255, 256, 699):
            alone = model.decision_function(TEXTS[at], head.name)
            assert alone.shape == (len(head.labels),)
            assert np.array_equal(alone, together[at])
            assert np.array_equal(model.decision_function([TEXTS[at]], head.name)[0], alone)
    assert model.classify(TEXTS[5], "topic") == model.classify(TEXTS, "topic")[5]
    assert model.classify(TEXTS[5], "tags") == model.classify(TEXTS, "tags")[5]


@given(first=st.integers(0, 600), count=st.integers(1, 60), size=st.integers(1, 70))
@settings(max_examples=30, deadline=None)
def test_scores_do_not_depend_on_the_other_texts(model, first, count, size):
    texts = TEXTS[first : first + count]
    for name in ("topic", "deep", "tags"):
        whole = model.predict_proba(TEXTS, name)[first : first + count]
        assert np.array_equal(model.predict_proba(texts, name), whole)
        blocks = model.predict_proba_stream(texts, name, batch_size=size)
        assert np.array_equal(np.concatenate(list(blocks)), whole)


def test_a_wide_head_gives_each_text_the_same_scores(tmp_path):
    labels = tuple(f"label {i}" for i in range(3000))
    heads = [Head("wide", "softmax", labels, *layer(3000, D))]
    with_heads(plain(tmp_path / "p.staticemb"), heads, tmp_path / "m.staticemb")
    model = StaticModel(tmp_path / "m.staticemb")
    scores = model.predict_proba(TEXTS, "wide")
    np.testing.assert_allclose(scores, expected_scores(model, heads[0], TEXTS), atol=1e-6)
    assert all(np.array_equal(model.predict_proba(TEXTS[i]), scores[i]) for i in range(0, 700, 99))


def test_threads_and_streams_give_the_same(model):
    texts = TEXTS * 20
    labels = model.classify(texts, "topic")
    assert model.classify(texts, "topic", workers=2) == labels
    assert model.classify(iter(texts), "topic") == labels
    streamed = [label for block in model.classify_stream(texts, "topic", workers=2, batch_size=300)
                for label in block]  # fmt: skip
    assert streamed == labels
    numbers = model.predict(texts, "stars")
    assert np.array_equal(np.concatenate(list(model.predict_stream(texts, "stars"))), numbers)
    assert np.array_equal(model.predict(iter(texts), "stars", workers=2), numbers)
    with ThreadPoolExecutor(4) as pool:
        fresh = StaticModel(model._path)
        assert (
            list(pool.map(lambda _: fresh.classify(TEXTS, "deep"), range(8)))
            == [model.classify(TEXTS, "deep")] * 8
        )


def test_a_stream_reads_no_more_than_a_batch_ahead(model):
    read_ahead = 0

    def texts():
        nonlocal read_ahead
        for text in TEXTS:
            read_ahead += 1
            yield text

    stream = model.classify_stream(texts(), "topic", batch_size=10)
    assert read_ahead == 0
    assert len(next(stream)) == 10
    assert read_ahead <= 20


def test_no_texts(model):
    assert model.classify([], "topic") == []
    assert model.predict_proba([], "topic").shape == (0, 4)
    assert list(model.classify_stream([], "topic")) == []


def test_copies_predict_the_same(model):
    labels = model.classify(TEXTS, "deep")
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.heads == model.heads
        assert other.classify(TEXTS, "deep") == labels


def test_the_length_of_the_model_s_vectors_has_no_effect(file, model):
    short = StaticModel(file, truncate_dim=3)
    assert np.array_equal(short.predict_proba(TEXTS, "topic"), model.predict_proba(TEXTS, "topic"))


# --- laws -----------------------------------------------------------------------------------------


def names(count):
    label = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
    return st.lists(label, min_size=count, max_size=count, unique=True).map(tuple)


def matrices(shape, bound=100.0):
    return st.integers(0, 2**32 - 1).map(
        lambda seed: (np.random.default_rng(seed).normal(size=shape) * bound).astype(np.float32)
    )


@st.composite
def heads(draw, dim=D):
    kind = draw(st.sampled_from(["softmax", "sigmoid", "linear"]))
    count = draw(st.integers(2 if kind == "softmax" else 1, 6))
    columns = draw(st.integers(1, dim))
    hidden, width = None, columns
    if draw(st.booleans()):
        width = draw(st.integers(1, 7))
        hidden = (draw(matrices((width, columns))), draw(matrices(width)))
    thresholds = None
    if kind == "sigmoid" and draw(st.booleans()):
        levels = st.lists(st.floats(0, 1, width=32), min_size=count, max_size=count)
        thresholds = tuple(draw(levels))
    return Head(
        draw(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(
            lambda name: not name.startswith("x-"))),
        kind, draw(names(count)), draw(matrices((count, width))), draw(matrices(count)),
        hidden, 1.0 if kind == "linear" else draw(st.sampled_from([1.0, 0.5, 3.75, 1e-6, 1e6])),
        thresholds, columns, draw(st.booleans()), draw(st.sampled_from([None, "mean"])),
        draw(st.sampled_from([None, "q: ", 'say "ä"\n'])),
    )  # fmt: skip


def stored(head, precision="float32"):
    """A head as the reader reads it from the parts that the writer writes."""
    tensors, metadata = head_parts(head, D, precision=precision)
    file = read_file(tensors, metadata)
    return read_head(file, head.name)


def read_file(tensors, metadata):
    from staticemb_runtime.format import Metadata, ModelParts

    values = Metadata("1.0", (), D, (D,), True, "mean", "", "", {}, dict(metadata))
    table = np.zeros((1, D), np.float32)
    octets = np.zeros(1, np.uint8)
    return ModelParts("f", values, table, None, None, None, octets, optional=tensors)


@given(head=heads())
@settings(deadline=None)
def test_a_head_is_read_as_it_was_written(head):
    found = stored(head)
    assert found.name == head.name
    assert (found.kind, found.labels) == (head.kind, head.labels)
    assert (found.temperature, found.normalize) == (head.temperature, head.normalize)
    assert (found.pooling, found.prompt) == (head.pooling, head.prompt)
    assert found.dimension == head.dimension
    assert np.array_equal(found.output.weights, head.weights)
    assert np.array_equal(found.output.bias, head.bias)
    assert (found.hidden is None) == (head.hidden is None)
    if head.kind == "sigmoid":
        limits = head.thresholds or [0.5] * len(head.labels)
        assert np.array_equal(found.thresholds, np.float32(limits))


@given(head=heads(), vectors=matrices((9, D), 1.0))
@settings(deadline=None)
def test_int8_weights_are_close_and_smaller(head, vectors):
    float32, int8 = stored(head), stored(head, "int8")
    assert int8.output.weights.dtype == np.int8
    steps = np.abs(float32.output.weights).max(axis=1) / 127
    dense = int8.output.weights * int8.output.scale[:, None]
    assert (np.abs(dense - float32.output.weights) <= steps[:, None] * 0.51).all()
    if head.hidden is None:
        unit = vectors[:, : head.dimension]
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        a, b = HeadScorer(float32).logits(unit), HeadScorer(int8).logits(unit)
        assert (np.abs(a - b) <= steps * 0.51 * np.sqrt(head.dimension) + 1e-3).all()


@given(head=heads(), vectors=matrices((5, D), 1.0), data=st.data())
@settings(deadline=None)
def test_laws_of_scores(head, vectors, data):
    unit = np.ascontiguousarray(vectors[:, : head.dimension])
    scorer = HeadScorer(stored(head))
    scores = scorer.scores(unit)
    assert np.isfinite(scores).all()
    if head.kind == "softmax":
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    if head.kind != "linear":
        assert ((scores >= 0) & (scores <= 1)).all()
    order = data.draw(st.permutations(range(len(head.labels))))
    permuted = head._replace(
        labels=tuple(head.labels[i] for i in order),
        weights=head.weights[order],
        bias=head.bias[order],
        thresholds=head.thresholds and tuple(head.thresholds[i] for i in order),
    )
    logits, other = scorer.logits(unit), HeadScorer(stored(permuted)).logits(unit)
    scale = 1e-5 * max(1.0, float(np.abs(logits).max()))
    np.testing.assert_allclose(other, logits[:, order], atol=scale)


# --- names and options ----------------------------------------------------------------------------


def test_the_names_and_the_form_of_heads(model):
    assert model.heads == ("deep", "prompt", "short", "stars", "tags", "topic")
    assert model.head("topic").labels == LABELS
    assert model.head("short").dimension == 5
    with pytest.raises(MissingHeadError, match=r"one of the file's heads .*'stars'.*found None"):
        model.classify(TEXTS)
    with pytest.raises(MissingHeadError, match=r"'deep'.*found 'weather'"):
        model.classify(TEXTS, "weather")
    for name in (5, ["topic"], b"topic"):
        with pytest.raises(MissingHeadError, match="head: expected one of"):
            model.classify(TEXTS, name)


def test_the_only_head_needs_no_name(tmp_path):
    with_heads(plain(tmp_path / "p.staticemb"), [TOPIC], tmp_path / "m.staticemb")
    model = StaticModel(tmp_path / "m.staticemb")
    assert model.classify(TEXTS) == model.classify(TEXTS, "topic")
    assert model.head().name == "topic"


def test_a_file_without_heads(tmp_path):
    model = StaticModel(plain(tmp_path / "p.staticemb"))
    assert model.heads == ()
    with pytest.raises(MissingHeadError, match=r"p\.staticemb: expected a file with a head"):
        model.classify(TEXTS)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), "0.5", True])
def test_a_threshold_is_a_probability(model, threshold):
    with pytest.raises(InvalidOptionError, match="threshold: expected 0 to 1 or None, found"):
        model.classify(TEXTS, "topic", threshold=threshold)


def test_numbers_and_labels_are_not_mixed_up(model):
    for call in (model.classify, model.predict_proba, model.classify_stream):
        with pytest.raises(InvalidOptionError, match=r"'stars', which gives numbers; predict\(\)"):
            call(TEXTS, "stars")
    for call in (model.predict, model.predict_stream):
        with pytest.raises(InvalidOptionError, match=r"'tags', which gives labels; classify\(\)"):
            call(TEXTS, "tags")


def test_bad_texts(model):
    with pytest.raises(TypeError, match="text 1: expected a string, found NoneType"):
        model.classify(["w1", None], "topic")
    with pytest.raises(InvalidTextError, match="text 0"):
        model.classify(["\ud800"], "topic")
    with pytest.raises(EmptyTextError):
        model.predict_proba(["w1", ""], "topic", on_empty="raise")
    with pytest.raises(TypeError, match="expected an iterable of strings, found a string"):
        model.classify_stream("w1", "topic")
    with pytest.raises(InvalidOptionError, match="batch_size"):
        model.classify(TEXTS, "topic", batch_size=0)


# --- explanation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_an_explanation_adds_up_to_the_logit(model, head):
    text = "w1  w7 w7 w12 unknown w30"
    logits = model.decision_function(text, head.name)
    for label, logit in zip(head.labels, logits, strict=True):
        explanation = model.explain_prediction(text, head.name, label=label)
        assert explanation.label == label
        assert explanation.shares.sum() + explanation.bias == explanation.logit
        assert explanation.logit == pytest.approx(logit, abs=2e-5)
        tokens = [text[a:b] for a, b in explanation.spans if a >= 0]
        assert tokens == text.split()
        assert len(explanation.pieces) == len(explanation.shares) == len(explanation.spans)
    assert model.explain_prediction(text, head.name).label == head.labels[logits.argmax()]


def test_equal_tokens_have_equal_shares(model):
    shares = model.explain_prediction("w1 w2 w1", "topic").shares
    assert shares[0] == shares[2] != shares[1]


def test_a_token_s_share_is_that_of_its_row(tmp_path):
    """Without damping and unit length, a share is the row's product over the number of tokens."""
    head = Head("n", "linear", ("n",), *layer(1, D), normalize=False)
    with_heads(plain(tmp_path / "p.staticemb"), [head], tmp_path / "m.staticemb")
    shares = StaticModel(tmp_path / "m.staticemb").explain_prediction("w5 w6").shares
    np.testing.assert_allclose(shares, TABLE[[5, 6]] @ head.weights[0] / 2, atol=1e-6)


def test_an_empty_text_is_explained_by_the_bias(model):
    explanation = model.explain_prediction("", "topic", label=LABELS[1])
    assert (explanation.pieces, explanation.logit) == ([], float(TOPIC.bias[1]))


def test_an_unknown_label(model):
    with pytest.raises(InvalidOptionError, match=r"label of 'topic' .*'billing'.*found 'weather'"):
        model.explain_prediction("w1", "topic", label="weather")


# --- files ----------------------------------------------------------------------------------------


def test_vectors_and_their_digest_stay(tmp_path, file):
    before, after = read(file.with_name("plain.staticemb")), read(file, verify=True)
    assert after.metadata.vectors_digest == before.metadata.vectors_digest
    assert after.metadata.digest != before.metadata.digest
    vectors = StaticModel(before.path).encode(TEXTS)
    assert np.array_equal(StaticModel(file).encode(TEXTS), vectors)


def test_an_index_accepts_the_model_with_a_head(tmp_path, file):
    path = tmp_path / "i.db"
    with Index.create(path, StaticModel(file.with_name("plain.staticemb"))) as index:
        index.add(["w1 w2", "w3"])
    with Index.open(path, StaticModel(file)) as index:
        assert [hit.text for hit in index.search("w3", 1)] == ["w3"]


def test_a_second_head_joins_the_first(tmp_path):
    path = plain(tmp_path / "m.staticemb")
    with_heads(path, [TOPIC], path)
    with_heads(path, [TAGS], path, precision="int8")
    model = StaticModel(path, verify=True)
    assert model.heads == ("tags", "topic")
    assert np.array_equal(model.head("topic").output.weights, TOPIC.weights)


def test_a_name_is_taken_unless_it_is_replaced(tmp_path):
    from staticemb_distiller.errors import OutputError

    path = plain(tmp_path / "m.staticemb")
    with_heads(path, [DEEP._replace(name="topic"), TAGS], path)
    content = path.read_bytes()
    with pytest.raises(OutputError, match="expected no head 'topic', found one"):
        with_heads(path, [TOPIC], path)
    with pytest.raises(OutputError, match="'tags' twice"):
        with_heads(path, [TAGS, TAGS], tmp_path / "n.staticemb", replace=True)
    assert path.read_bytes() == content
    assert not (tmp_path / "n.staticemb").exists()
    with_heads(path, [TOPIC], path, replace=True)
    found = read(path, verify=True)
    assert head_names(found.metadata) == ("tags", "topic")
    assert "head.topic.hidden-weights" not in found.optional


def test_other_parts_and_settings_stay(tmp_path):
    space = {"space.projection": np.ones((3, D), np.float32), "pieces.x": np.ones(3, np.uint8)}
    key = '{"dimension":"3","documents":"table","teacher":"a/b"}'
    parts = Parts(TABLE, word_level_tokenizer(WORDS), optional=space)
    more = {"prompts": {"query": "q: "}, "provenance": {"license": "MIT", "x-note": "ä"}}
    write(tmp_path / "p.staticemb", parts, Settings(optional={"space": key}, **more))
    with_heads(tmp_path / "p.staticemb", [TOPIC], tmp_path / "m.staticemb")
    before, after = read(tmp_path / "p.staticemb"), read(tmp_path / "m.staticemb", verify=True)
    assert after.metadata.prompts == before.metadata.prompts
    extra = {k: v for k, v in after.metadata.extra.items() if k != "head.topic"}
    assert extra == before.metadata.extra
    assert set(space) < set(after.optional)
    assert after.refused == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "x-a"}, "names of 1 to 64 letters"),
        ({"name": "a.b"}, "names of 1 to 64 letters"),
        ({"kind": "tree"}, "kind: expected softmax or sigmoid or linear, found 'tree'"),
        ({"labels": LABELS[:3]}, "labels: expected 4, one per row of weights, found 3"),
        ({"labels": ("a", "b", "c", "a")}, "labels: expected labels that differ, found 'a' twice"),
        ({"labels": ("a", "b", "c", "")}, "labels: expected 1 to 1,024 bytes each, found ''"),
        ({"labels": ("a", "b", "c", "d" * 1025)}, "labels: expected 1 to 1,024 bytes each"),
        ({"labels": ("a", "b", "c", "\ud800")}, "labels: expected valid Unicode"),
        ({"labels": ("a", "b", "c", 4)}, "labels: expected text, found 4"),
        ({"weights": layer(4, D + 1)[0]}, r"weights: expected the shape \(4, 12\)"),
        ({"dimension": D + 1}, "dimension: expected 1 to 12, the file's dimension, found 13"),
        ({"dimension": 3}, r"weights: expected the shape \(4, 3\), found \(4, 12\)"),
        ({"bias": np.array([0, 0, np.nan, 0])}, "bias: expected magnitudes of at most 2\\^30"),
        ({"bias": np.array([0, 0, np.inf, 0])}, "bias: expected magnitudes of at most 2\\^30"),
        ({"temperature": 0.0}, "temperature: expected 0.000001 to 1000000"),
        ({"temperature": float("nan")}, "temperature: expected 0.000001 to 1000000"),
        ({"thresholds": (0.5,) * 4}, "thresholds: expected none, found some with softmax"),
        ({"kind": "sigmoid", "thresholds": (0.5,) * 3}, "thresholds: expected 4, found 3"),
        ({"kind": "sigmoid", "thresholds": (0.5, 1.5, 0, 0)}, "thresholds: expected values from 0"),
        ({"pooling": "max"}, "pooling: expected mean or damped_mean, found 'max'"),
        ({"prompt": "a" * 16_385}, "prompt: expected at most 16,384 bytes, found 16385"),
        ({"hidden": layer(5, D)}, r"weights: expected the shape \(4, 5\), found \(4, 12\)"),
    ],
)  # fmt: skip
def test_an_invalid_head_is_not_written(tmp_path, changes, message):
    from staticemb_distiller.errors import OutputError

    path = plain(tmp_path / "p.staticemb")
    with pytest.raises(OutputError, match=message):
        with_heads(path, [TOPIC._replace(**changes)], tmp_path / "m.staticemb")
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.staticemb"]


def test_a_damped_head_of_a_file_without_damping_is_not_written(tmp_path):
    from staticemb_distiller.errors import OutputError

    path = plain(tmp_path / "p.staticemb")
    with pytest.raises(OutputError, match="expected a valid head 'topic', found a fault"):
        with_heads(path, [TOPIC._replace(pooling="damped_mean")], tmp_path / "m.staticemb")
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.staticemb"]


# --- hostile files --------------------------------------------------------------------------------


def test_a_malformed_head_costs_the_head_alone(tmp_path):
    tensors, metadata = head_parts(TOPIC, D)
    tensors["head.topic.weights"] = np.full((4, D), np.inf, np.float32)
    more, keys = head_parts(TAGS, D)
    parts = Parts(TABLE, word_level_tokenizer(WORDS), optional=tensors | more)
    write(tmp_path / "m.staticemb", parts, Settings(optional=metadata | keys))
    model = StaticModel(tmp_path / "m.staticemb", verify=True)
    assert model.encode("w1").shape == (D,)
    assert model.classify("w1", "tags") is not None
    with pytest.raises(
        MissingHeadError, match=r"head\.topic: weights: .* at most 2\^30, found inf"
    ):
        model.classify("w1", "topic")
    assert read(tmp_path / "m.staticemb", verify=True).refused == ("head.topic",)


def test_huge_labels_are_refused_before_they_are_read():
    tensors, metadata = head_parts(TOPIC, D)
    huge = np.broadcast_to(np.uint8(97), (1 << 30,))
    tensors["head.topic.labels"] = huge
    tensors["head.topic.label-ends"] = np.array([1, 2, 3, 1 << 30], np.uint32)
    tracemalloc.start()
    with pytest.raises(PartError, match="labels of 1 to 1,024 bytes, found 1073741821"):
        read_head(read_file(tensors, metadata), "topic")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    tensors["head.topic.label-ends"] = np.array([1, 2, 3, 4], np.uint32)
    with pytest.raises(
        PartError, match=r"labels: expected the shape \(4,\), found \(1073741824,\)"
    ):
        read_head(read_file(tensors, metadata), "topic")


def test_ten_thousand_labels_work(tmp_path):
    labels = tuple(f"label {i}" for i in range(10_000))
    head = Head("many", "softmax", labels, *layer(10_000, D))
    path = plain(tmp_path / "m.staticemb")
    with_heads(path, [head], path, precision="int8")
    best = StaticModel(path).predict_proba(TEXTS[:20]).argmax(axis=1)
    assert StaticModel(path).classify(TEXTS[:20]) == [labels[i] for i in best]


def test_logits_that_float32_cannot_hold_are_no_answer(tmp_path):
    table = np.full((WORDS, 2), 3e38, np.float32)
    write(tmp_path / "p.staticemb", Parts(table, word_level_tokenizer(WORDS)), Settings())
    weights = np.full((2, 2), 2.0**30, np.float32)
    head = Head("h", "softmax", ("a", "b"), weights, np.zeros(2), normalize=False)
    with_heads(tmp_path / "p.staticemb", [head], tmp_path / "m.staticemb")
    with np.errstate(over="ignore"), pytest.raises(PartError, match="logits that float32 holds"):
        StaticModel(tmp_path / "m.staticemb").classify("w1")


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_any_change_of_a_part_is_refused_or_harmless(data):
    """Random dtypes, shapes, values and members: a PartError, or a head that predicts."""
    head = data.draw(heads())
    tensors, metadata = head_parts(head, D)
    name = data.draw(st.sampled_from(sorted(tensors)))
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    dtype = data.draw(st.sampled_from(["float32", "int8", "uint8", "uint32", "float64"]))
    raw = data.draw(st.binary(min_size=512, max_size=512))
    count = int(np.prod(shape))
    tensors[name] = np.frombuffer(raw * 4, dtype, count).reshape(shape)
    if data.draw(st.booleans()):
        members = json.loads(metadata[f"head.{head.name}"])
        key = data.draw(st.sampled_from(["kind", "normalize", "pooling", "temperature", "prompt"]))
        members[key] = data.draw(st.sampled_from(["", "linear", "true", "0", "1e3", "mean", "9"]))
        spelled = json.dumps(members, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        metadata[f"head.{head.name}"] = spelled
    try:
        found = read_head(read_file(tensors, metadata), head.name)
    except PartError:
        return
    vectors = np.full((3, found.dimension), 0.1, np.float32)
    assert np.isfinite(HeadScorer(found).scores(vectors)).all()
