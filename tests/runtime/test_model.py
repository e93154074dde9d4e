"""StaticModel as its users see it."""

import copy
import itertools
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import strategies
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel, normalize, quantize
from staticemb_runtime.encoding import options as request
from staticemb_runtime.errors import (
    InvalidDimensionError,
    InvalidOptionError,
    InvalidTextError,
    ModelNotFoundError,
    TokenIdOutOfRangeError,
    TokenizerInvalidError,
    TokenizerNotJsonError,
)

VOCABULARY = 50
DIM = 24


def save(path: Path, *, damped: bool = True, tokenizer: bytes | None = None, **more) -> Path:
    rng = np.random.default_rng(11)
    rows = rng.integers(-128, 128, (VOCABULARY, DIM)).astype(np.int8)
    parts = Parts(
        embeddings=rows,
        scale=rng.uniform(0.01, 0.1, DIM).astype(np.float32),
        weights=rng.uniform(0.1, 2, VOCABULARY).astype(np.float32),
        tokenizer=tokenizer or strategies.word_level_tokenizer(VOCABULARY),
    )
    settings = {"prefixes": [8], "unknown_token_id": 0, "max_tokens": 300}
    write(path, parts, Settings(damping=(1.0, 6) if damped else None, **settings | more))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("model") / "model.staticemb")


@pytest.fixture
def model(path):
    return StaticModel.load(path)


def make_texts(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 30, count)
    return [" ".join(f"w{i}" for i in rng.integers(0, 60, length)) for length in lengths]


TEXTS = ["w1 w2 w3", "", "w9", "nothing known here", "w4 " * 400]


# --- what comes out -------------------------------------------------------------------------------


def test_vectors_are_those_of_the_specification(model):
    for text, found in zip(TEXTS, model.encode(TEXTS), strict=True):
        rows = model.encode_tokens(text).astype(np.float64)
        if not len(rows):
            assert not found.any()
            continue
        mean = rows[:, :6].mean(axis=0)
        lengths = np.linalg.norm(rows[:, :6], axis=1) * np.linalg.norm(mean)
        damping = np.exp(-(rows[:, :6] @ mean) / lengths)
        vector = (damping[:, None] * rows).sum(axis=0)
        np.testing.assert_allclose(found, vector / np.linalg.norm(vector), atol=2e-6)


def test_one_text_gives_one_vector(model):
    expected = model.encode(["w1 w2"])
    assert expected.shape == (1, DIM)
    for text in ("w1 w2", np.str_("w1 w2")):
        np.testing.assert_array_equal(model.encode(text), expected[0])


@pytest.mark.parametrize(
    "kind",
    [
        tuple,
        iter,
        np.array,
        pd.Series,
        lambda texts: np.array(texts, object),
        lambda texts: pd.Series(texts, index=range(7, 7 + len(texts))),
        lambda texts: (text for text in texts),
        lambda texts: dict(enumerate(texts)).values(),
    ],
)
def test_every_iterable_of_texts_works(model, kind):
    np.testing.assert_array_equal(model.encode(kind(TEXTS)), model.encode(TEXTS), strict=True)


def test_no_texts_give_no_vectors(model):
    for nothing in ([], (), iter([]), np.array([], "U1"), pd.Series([], dtype=str)):
        assert model.encode(nothing).shape == (0, DIM)
    assert model.encode([], precision="ubinary").shape == (0, DIM // 8)
    assert model.encode([], truncate_dim=5, workers=2).shape == (0, 5)
    assert list(model.encode_stream([])) == []
    assert model.encode_tokens([]) == []


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("dim", [1, 7, 8, DIM])
def test_prefix_and_precision(model, precision, dim):
    whole = model.encode(TEXTS, normalize_embeddings=False)
    expected = quantize(normalize(whole[:, :dim]), precision)
    found = model.encode(TEXTS, truncate_dim=dim, precision=precision)
    assert found.dtype == expected.dtype
    if precision == "float32":
        np.testing.assert_allclose(found, expected, atol=1e-6)
    else:  # a value between two steps may fall on either side
        assert found.shape == expected.shape
        assert np.mean(found != expected) < 0.1
    np.testing.assert_array_equal(
        model.encode(TEXTS[0], truncate_dim=dim, precision=precision), found[0]
    )


def test_the_prefix_of_the_model_is_the_default(path, model):
    short = StaticModel.load(path, truncate_dim=8)
    assert (short.dim, model.dim, short.get_sentence_embedding_dimension()) == (8, DIM, 8)
    assert short.prefixes == model.prefixes == (8, DIM)
    np.testing.assert_array_equal(short.encode(TEXTS), model.encode(TEXTS, truncate_dim=8))
    np.testing.assert_array_equal(short.encode(TEXTS, truncate_dim=DIM), model.encode(TEXTS))
    assert short.encode_tokens("w1").shape == (1, 8)


def test_plain_mean_on_request(tmp_path, model):
    plain = StaticModel.load(save(tmp_path / "plain.staticemb", damped=False))
    expected = plain.encode(TEXTS)
    np.testing.assert_array_equal(model.encode(TEXTS, pooling="mean"), expected)
    np.testing.assert_array_equal(plain.encode(TEXTS, pooling="mean"), expected)
    assert not np.array_equal(model.encode(TEXTS), expected)
    with pytest.raises(InvalidOptionError, match="the file has no damping"):
        plain.encode(TEXTS, pooling="damped_mean")


def test_normalize_is_what_the_file_says_unless_asked(tmp_path, model):
    raw = StaticModel.load(save(tmp_path / "raw.staticemb", normalize=False))
    np.testing.assert_array_equal(
        raw.encode(TEXTS), model.encode(TEXTS, normalize_embeddings=False)
    )
    np.testing.assert_array_equal(raw.encode(TEXTS, normalize_embeddings=True), model.encode(TEXTS))


def test_queries_and_documents_and_prompts(model):
    expected = model.encode(["w1 w2"])
    np.testing.assert_array_equal(model.encode_query(["w1 w2"]), expected)
    np.testing.assert_array_equal(model.encode_document(["w1 w2"]), expected)
    np.testing.assert_array_equal(model.encode(["w2"], prompt="w1 "), expected)
    np.testing.assert_array_equal(model.encode_query("w2", prompt="w1 "), expected[0])
    similarity = model.similarity(expected, model.encode(TEXTS))
    assert similarity.shape == (1, len(TEXTS))


def test_the_prompts_of_a_file_are_put_before_texts_by_name(tmp_path):
    prompts = {"query": "w1 ", "document": "", "mine": "w3 w4 "}
    model = StaticModel.load(save(tmp_path / "m.staticemb", prompts=prompts))
    assert model.metadata.prompts == prompts
    plain = {text: model.encode(text) for text in ("w2", "w1 w2", "w3 w4 w2", "w5 w2")}
    for found, text in (
        (model.encode("w2"), "w2"),
        (model.encode("w2", prompt_name="query"), "w1 w2"),
        (model.encode("w2", prompt_name="document"), "w2"),
        (model.encode(["w2"], prompt_name="mine")[0], "w3 w4 w2"),
        (model.encode("w2", prompt_name="mine", prompt="w5 "), "w5 w2"),
        (model.encode_query("w2"), "w1 w2"),
        (model.encode_query("w2", prompt=""), "w2"),
        (model.encode_query("w2", prompt_name="mine"), "w3 w4 w2"),
        (model.encode_document("w2"), "w2"),
        (model.encode_document("w2", prompt="w5 "), "w5 w2"),
        (model.encode("w2", prompt_name="passage"), "w2"),
    ):
        np.testing.assert_array_equal(found, plain[text])
    with pytest.raises(InvalidOptionError, match=r"'document', 'mine', 'query'\), found 'other'"):
        model.encode("w2", prompt_name="other")


@pytest.mark.parametrize(
    "name", ["query", "document", "passage", "corpus", "classification", "clustering"]
)
def test_usual_names_of_prompts_do_nothing_without_prompts(model, name):
    np.testing.assert_array_equal(model.encode(["w2"], prompt_name=name), model.encode(["w2"]))


def test_calls_written_for_sentence_transformers_work(model):
    found = model.encode(
        ["w1"],
        batch_size=32,
        show_progress_bar=None,
        convert_to_numpy=True,
        device="cpu",
        normalize_embeddings=True,
    )
    assert found.shape == (1, DIM)


def test_tokens(model):
    assert model.tokenize("w1 w70 w2") == ["w1", "w2"]
    assert model.tokenize(["w1", "", "w3 w3"]) == [["w1"], [], ["w3", "w3"]]
    rows = model.encode_tokens(["w1", "", "w3 w3"])
    assert [len(some) for some in rows] == [1, 0, 2]
    np.testing.assert_array_equal(rows[2][0], model.encode_tokens("w3")[0])
    unit = model.encode_tokens("w1 w3", normalize_embeddings=True, truncate_dim=5)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    tokens = model.explain("w1 w3")
    assert [(token.piece, token.id, token.row) for token in tokens] == [("w1", 1, 1), ("w3", 3, 3)]
    for token, row in zip(tokens, model.encode_tokens("w1 w3"), strict=True):
        assert token.norm == pytest.approx(np.linalg.norm(row), rel=1e-5)
        assert token.weight == pytest.approx(
            np.abs(row / model.encode_tokens(token.piece)[0] * token.weight).mean(), rel=1e-5
        )


# --- a text alone decides -------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_batch_size_and_workers_decide_nothing(path, workers):
    texts = make_texts(700)
    alone, model = StaticModel.load(path), StaticModel.load(path)
    expected = np.stack([alone.encode(text) for text in texts])
    for size in (1, 37, 1024):
        some = texts if size > 1 else texts[:60]
        found = model.encode(some, batch_size=size, workers=workers)
        np.testing.assert_array_equal(found, expected[: len(some)])
        stream = list(model.encode_stream(iter(some), batch_size=size, workers=workers))
        assert all(0 < len(block) <= size for block in stream)
        np.testing.assert_array_equal(np.concatenate(stream), expected[: len(some)])
    for options in ({"precision": "binary"}, {"truncate_dim": 5}, {"pooling": "mean"}):
        found = model.encode(iter(texts), batch_size=50, workers=workers, **options)
        np.testing.assert_array_equal(found, model.encode(texts, **options))


def test_threads_share_a_model(model):
    texts = make_texts(300)
    expected = model.encode(texts)
    with ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(model.encode, texts, batch_size=64) for _ in range(10)]
        calls += [threads.submit(model.encode, texts, batch_size=64, workers=2) for _ in range(3)]
    for call in calls:
        np.testing.assert_array_equal(call.result(), expected)


def test_two_streams_with_workers_at_once(model):
    texts = make_texts(300)
    streams = [model.encode_stream(texts, batch_size=20, workers=2) for _ in range(2)]
    blocks = list(itertools.chain.from_iterable(zip(*streams, strict=True)))
    np.testing.assert_array_equal(np.concatenate(blocks[::2]), model.encode(texts))
    np.testing.assert_array_equal(np.concatenate(blocks[1::2]), model.encode(texts))


def test_a_stream_may_be_left_early(model):
    for workers in (1, 2):
        stream = model.encode_stream(itertools.repeat("w1"), batch_size=10, workers=workers)
        assert len(next(stream)) == 10
        stream.close()
    assert model.encode(["w1"], workers=2).shape == (1, DIM)


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_the_result_and_a_constant(model, monkeypatch, workers):
    monkeypatch.setattr(request, "cores", lambda: 2)
    options = {"precision": "ubinary", "workers": workers}

    def peak(count: int) -> int:
        tracemalloc.start()
        found = model.encode((f"w{i % 60} w{i % 7}" for i in range(count)), **options)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(found) == count
        return most - found.nbytes

    peak(100)
    # A list of the texts would be 9 MB more. Two workers read 32,768 texts ahead.
    # How many of the threads' blocks are in memory at the same moment differs from run to run.
    assert peak(180_000) < peak(50_000) + 5_000_000


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (["w1", None], "text 1: expected a string, found NoneType"),
        (["w1"] * 30 + [float("nan")], "text 30: expected a string, found float"),
        (pd.Series(["w1", 7]), "text 1: expected a string, found int"),
        ([b"w1"], "text 0: expected a string, found bytes"),
        ([["w1"]], "text 0: expected a string, found list"),
        (np.array([["w1"]]), r"sentences: .* found an array of shape \(1, 1\)"),
        (b"w1", "sentences: .* found bytes"),
        ({"w1": 2}, "sentences: .* found dict"),
        (None, "sentences: .* found NoneType"),
        (5, "sentences: .* found int"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_text_is_refused(model, sentences, message, workers):
    with pytest.raises(TypeError, match=message):
        model.encode(sentences, batch_size=20, workers=workers)
    with pytest.raises(TypeError, match=message):
        list(model.encode_stream(sentences, batch_size=20, workers=workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_surrogate_is_refused_by_its_index(model, workers):
    texts = ["w1"] * 35 + ["w2 \ud800 w3"]
    with pytest.raises(InvalidTextError, match=r"text 35: .*U\+D800 at position 3"):
        model.encode(texts, batch_size=10, workers=workers)
    with pytest.raises(InvalidTextError, match="text 0"):
        model.encode("\udfff")
    with pytest.raises(InvalidTextError):
        model.tokenize("\udfff")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "float64"}, "precision: expected one of"),
        ({"precision": "int8", "normalize_embeddings": False}, "expected normalized"),
        ({"pooling": "max"}, "pooling: expected mean or damped_mean, found 'max'"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, found 0"),
        ({"workers": 0}, "workers: .* found 0"),
        ({"workers": 1.5}, "workers: .* found 1.5"),
        ({"convert_to_tensor": True}, "torch.from_numpy"),
        ({"convert_to_numpy": False}, "torch.from_numpy"),
        ({"output_value": "token_embeddings"}, r"encode_tokens\(\)"),
        ({"prompt_name": "quary"}, r"prompt_name: .*\(none in this file\), found 'quary'"),
        ({"prompt_name": 3}, "prompt_name: .* found 3"),
        ({"device": "cuda"}, "device: expected 'cpu' or None, found 'cuda'"),
    ],
)
def test_an_impossible_option_is_refused(model, options, message):
    with pytest.raises(InvalidOptionError, match=message):
        model.encode(["w1"], **options)


def test_arguments_of_another_type_are_named(model):
    for call in (
        lambda: model.encode(["w1"], prompt=3),
        lambda: model.encode_stream(["w1"], prompt=3),
        lambda: model.encode_stream(3),
        lambda: model.similarity("w1", "w2"),
        lambda: model.similarity(model.encode(["w1"]), None),
    ):
        with pytest.raises(TypeError, match=r"(prompt|sentences|vectors to compare): expected"):
            call()


@pytest.mark.parametrize("wrong", [0, -1, DIM + 1, "8", 8.0])
def test_an_impossible_length_is_refused(path, model, wrong):
    for call in (
        lambda: model.encode(["w1"], truncate_dim=wrong),
        lambda: model.encode_tokens(["w1"], truncate_dim=wrong),
        lambda: StaticModel.load(path, truncate_dim=wrong),
    ):
        with pytest.raises(InvalidDimensionError, match="truncate_dim: expected"):
            call()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelNotFoundError):
        StaticModel.load(tmp_path / "nothing.staticemb")


@pytest.mark.parametrize(
    ("good", "bad", "error"),
    [
        (b'"w49": 49', b'"w49": 99', TokenIdOutOfRangeError),
        (b'"WordLevel"', b'"LordWevel"', TokenizerInvalidError),
        (b'"model": {', b'"model": [', TokenizerNotJsonError),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused_with_the_first_text(tmp_path, good, bad, error):
    spoiled = save(tmp_path / "spoiled.staticemb")
    spoiled.write_bytes(spoiled.read_bytes().replace(good, bad))
    model = StaticModel.load(spoiled)
    for call in (model.encode, model.tokenize, model.encode_tokens, model.explain):
        with pytest.raises(error):
            call("w49")


# --- copies, places, progress ---------------------------------------------------------------------


def test_a_model_can_be_sent_to_another_process(path, model):
    copy = pickle.loads(pickle.dumps(StaticModel.load(path, truncate_dim=8)))
    np.testing.assert_array_equal(copy.encode(TEXTS), model.encode(TEXTS, truncate_dim=8))


def test_a_relative_path_stays_that_of_the_folder_it_was_loaded_in(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "m.staticemb")
    model = StaticModel.load("m.staticemb")
    assert "'m.staticemb'" in repr(model)
    expected = model.encode(TEXTS * 2)
    pickled = pickle.dumps(model)
    monkeypatch.chdir("elsewhere")
    save(tmp_path / "elsewhere" / "m.staticemb", damped=False)
    for again in (pickle.loads(pickled), copy.copy(model), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.encode(TEXTS * 2), expected)
    np.testing.assert_array_equal(model.encode(TEXTS * 2), expected)


def test_a_copy_does_not_need_the_path_any_more(tmp_path):
    model = StaticModel.load(save(tmp_path / "m.staticemb"), truncate_dim=4)
    (tmp_path / "m.staticemb").rename(tmp_path / "other.staticemb")
    for again in (copy.copy(model), copy.deepcopy({"model": model})["model"]):
        np.testing.assert_array_equal(again.encode(TEXTS), model.encode(TEXTS))


def test_progress_goes_to_standard_error(model, capfd):
    model.encode(["w1"] * 2500, show_progress_bar=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("2,500 of 2,500 (100 %) texts, ")
    model.encode(["w1"] * 2500)
    assert capfd.readouterr().err == ""


def test_a_folder_is_the_file_of_a_model_in_it(path, model, tmp_path, monkeypatch):
    assert path.name == "model.staticemb"
    expected = model.encode(["w1 w2", "w3"])
    for name in (path.parent, str(path.parent)):
        np.testing.assert_array_equal(StaticModel(name).encode(["w1 w2", "w3"]), expected)
    opened = StaticModel.from_pretrained(path.parent)
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickle.dumps(opened))
    np.testing.assert_array_equal(again.encode(["w1 w2", "w3"]), expected)
    texts = [f"w{i % 40}" for i in range(60)]
    shared = np.concatenate([*again.encode_stream(texts, batch_size=5, workers=2)])
    np.testing.assert_array_equal(shared, model.encode(texts))


def test_a_stream_takes_a_prompt_by_name(path, tmp_path):
    model = StaticModel(save(tmp_path / "named", prompts={"query": "w5 "}))
    texts = ["w1", "w2 w3"]
    expected = model.encode(texts, prompt="w5 ")
    assert not np.array_equal(expected, model.encode(texts))
    for options in ({"prompt_name": "query"}, {"prompt_name": "passage", "prompt": "w5 "}):
        (found,) = model.encode_stream(texts, **options)
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(InvalidOptionError, match="expected one of the file's prompts"):
        model.encode_stream(texts, prompt_name="unheard")


class _Named(StaticModel):
    """A class of a program's own."""


def test_a_copy_can_be_sent_and_stays_what_it_was(path, tmp_path, monkeypatch):
    monkeypatch.chdir(path.parent)
    model = _Named(path.name, truncate_dim=8)
    model.note = "of the program's own"
    monkeypatch.chdir(tmp_path)
    expected = model.encode(["w1 w2"])
    for copied in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for again in (copied, pickle.loads(pickle.dumps(copied)), copy.copy(copied)):
            assert type(again) is _Named
            assert again.note == model.note
            np.testing.assert_array_equal(again.encode(["w1 w2"]), expected)
