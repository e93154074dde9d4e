"""Folders of model2vec and sentence-transformers give the vectors of these libraries."""

import contextlib
import json
import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from peer_models import TEXTS, nest, save_model2vec, save_sentence_transformers, vectors_for
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import (
    DuplicateKeyError,
    FormatError,
    HeaderTooLargeError,
    InvalidConfigError,
    InvalidOptionError,
    ModelNotFoundError,
    NotAModelError,
    RowOutOfRangeError,
    SizeMismatchError,
    StaticEmbError,
    TensorOverlapError,
    TokenIdOutOfRangeError,
    TokenizerInvalidError,
    TokenizerNotJsonError,
    UnsupportedModelError,
    ValueNotFiniteError,
    WrongDtypeError,
    WrongShapeError,
)
from staticemb_runtime.loading.foreign import read_folder
from tokenizer_families import families, family

pytest.importorskip("model2vec")
pytest.importorskip("sentence_transformers")

CLOSE = 1e-5


@pytest.fixture(scope="module")
def wordpiece(minilm) -> Tokenizer:
    return Tokenizer.from_file(str(minilm / "tokenizer.json"))


def difference(ours: StaticModel, theirs: np.ndarray) -> float:
    found = ours.encode(TEXTS)
    assert found.shape == theirs.shape
    return float(np.abs(found - theirs.astype(np.float32)).max())


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8"])
def test_model2vec_of_every_precision(tmp_path, wordpiece, dtype, normalize):
    theirs = save_model2vec(tmp_path, wordpiece, dtype=dtype, normalize=normalize)
    expected = theirs.encode(TEXTS)
    # model2vec rounds the vectors of a float16 table to float16.
    close = {"float16": 1e-3, "int8": 1e-4}.get(dtype, CLOSE)
    assert difference(StaticModel.load(tmp_path), expected) < close


@pytest.mark.parametrize("mapping_dtype", ["int64", "int32"])
@pytest.mark.parametrize("weights_dtype", ["float64", "float32", "float16"])
def test_model2vec_with_merged_rows_and_weights(tmp_path, wordpiece, weights_dtype, mapping_dtype):
    rows = len(vectors_for(wordpiece))
    weights = np.random.default_rng(2).random(rows).astype(weights_dtype)
    theirs = save_model2vec(
        tmp_path, wordpiece, clusters=100, mapping_dtype=mapping_dtype, weights=weights
    )
    assert difference(StaticModel.load(tmp_path), theirs.encode(TEXTS)) < CLOSE


@pytest.mark.parametrize("max_length", [512, 7, None])
@pytest.mark.parametrize("name", families())
def test_model2vec_of_every_tokenizer(tmp_path, name, max_length):
    theirs = save_model2vec(tmp_path, family(name), max_length=max_length, normalize=True)
    assert difference(StaticModel.load(tmp_path), theirs.encode(TEXTS)) < CLOSE


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("name", families())
def test_sentence_transformers_of_every_tokenizer(tmp_path, name, normalize):
    theirs = save_sentence_transformers(tmp_path, family(name), normalize=normalize)
    assert difference(StaticModel.load(tmp_path), theirs.encode(TEXTS)) < CLOSE


@pytest.mark.parametrize("direction", ["left", "right"])
@pytest.mark.parametrize("nested", [False, True])
def test_sentence_transformers_with_a_shorter_length(tmp_path, wordpiece, nested, direction):
    tokenizer = Tokenizer.from_str(wordpiece.to_str())
    tokenizer.enable_truncation(16, direction=direction)
    theirs = save_sentence_transformers(tmp_path, tokenizer, truncate_dim=8)
    if nested:
        nest(tmp_path)
    ours = StaticModel.load(tmp_path)
    assert ours.dim == 8
    assert ours.prefixes == (8, 24)
    assert difference(ours, theirs.encode(TEXTS)) < CLOSE
    whole = StaticModel.load(tmp_path, truncate_dim=24)
    assert difference(whole, theirs.encode(TEXTS, truncate_dim=24)) < CLOSE


def test_unit_length_and_a_shorter_length_keep_the_direction(tmp_path, wordpiece):
    theirs = save_sentence_transformers(tmp_path, wordpiece, normalize=True, truncate_dim=8)
    expected = theirs.encode(TEXTS, normalize_embeddings=True)
    assert difference(StaticModel.load(tmp_path), expected) < CLOSE


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_sentence_transformers_of_other_precisions(tmp_path, wordpiece, dtype):
    theirs = save_sentence_transformers(tmp_path, wordpiece, dtype=dtype)
    # The rows are those of the peer; its sums are not rounded to the table's precision.
    assert difference(StaticModel.load(tmp_path), theirs.float().encode(TEXTS)) < CLOSE


def test_model2vec_rules_on_the_folders_of_sentence_transformers(tmp_path, wordpiece):
    from model2vec import StaticModel as Model2Vec

    tokenizer = Tokenizer.from_str(wordpiece.to_str())
    tokenizer.no_truncation()
    theirs = save_sentence_transformers(tmp_path, tokenizer)
    for change in (lambda: None, lambda: nest(tmp_path)):
        change()
        assert difference(StaticModel.load(tmp_path), theirs.encode(TEXTS)) < CLOSE
        ours = StaticModel.from_parts(read_folder(tmp_path, rules="model2vec"))
        expected = Model2Vec.from_pretrained(tmp_path).encode(TEXTS)
        assert difference(ours, expected) < CLOSE
    (tmp_path / "modules.json").unlink()  # now only model2vec can read it
    assert difference(StaticModel.load(tmp_path), expected) < CLOSE


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model2vec")
    save_model2vec(folder, family("word_level"), normalize=True)
    return folder


@pytest.fixture
def own(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def test_a_folder_does_what_a_file_does(folder, capsys):
    from staticemb_runtime.cli.main import main

    model = StaticModel.load(folder, verify=True)
    texts = TEXTS * 400
    assert np.array_equal(model.encode(texts, workers=2), model.encode(texts))
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.encode(TEXTS), model.encode(TEXTS))
    ids = [token.id for token in model.explain(TEXTS[0])]
    assert len(ids) == len(model.tokenize(TEXTS[0])) == len(model.encode_tokens(TEXTS[0]))
    assert main(["info", str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rules"] == "model2vec"
    assert facts["bytes"] > (folder / "model.safetensors").stat().st_size


def table_bytes(**tensors: np.ndarray) -> bytes:
    from safetensors.numpy import save

    return save(tensors)


def with_header(header: bytes, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def entry(dtype="F32", shape=(2, 2), offsets=(0, 16)) -> bytes:
    value = {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}
    return json.dumps({"embeddings": value}).encode()


def two(first: tuple[int, int], second: tuple[int, int]) -> bytes:
    value = {"dtype": "F32", "shape": [2, 2]}
    names = {"embeddings": first, "x": second}
    return json.dumps({k: {**value, "data_offsets": v} for k, v in names.items()}).encode()


ONES = np.ones((2, 2), np.float32)
TABLES = {
    "empty": (b"", FormatError),
    "huge_header": ((1 << 63).to_bytes(8, "little") + b"{}", HeaderTooLargeError),
    "deep": (with_header(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"), FormatError),
    "twice": (with_header(b'{"embeddings":{},"embeddings":{}}'), DuplicateKeyError),
    "short": (with_header(entry(shape=(3, 2)), b"\0" * 16), SizeMismatchError),
    "overflow": (with_header(entry(shape=(2**53 - 1,) * 9), b"\0" * 16), SizeMismatchError),
    "many_axes": (with_header(entry(shape=(2**53 - 1,) * 50_000), b"\0" * 16), SizeMismatchError),
    "overlap": (with_header(two((0, 16), (8, 24)), b"\0" * 24), TensorOverlapError),
    "integers": (table_bytes(embeddings=np.ones((2, 2), np.int32)), WrongDtypeError),
    "unknown_dtype": (with_header(entry(dtype="F4"), b"\0" * 16), WrongDtypeError),
    "one_axis": (table_bytes(embeddings=ONES[0]), WrongShapeError),
    "no_rows": (table_bytes(embeddings=ONES[:0]), WrongShapeError),
    "no_table": (table_bytes(head=ONES), NotAModelError),
    "weights_short": (table_bytes(embeddings=ONES, weights=ONES[0, :1]), WrongShapeError),
    "weights_nan": (table_bytes(embeddings=ONES, weights=ONES[0] * np.nan), ValueNotFiniteError),
    "mapping_high": (table_bytes(embeddings=ONES, mapping=np.array([0, 2])), RowOutOfRangeError),
    "mapping_low": (table_bytes(embeddings=ONES, mapping=np.array([0, -1])), RowOutOfRangeError),
    "mapping_float": (table_bytes(embeddings=ONES, mapping=ONES[0]), WrongDtypeError),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_is_refused_when_it_is_opened(own, name):
    content, error = TABLES[name]
    (own / "model.safetensors").write_bytes(content)
    with pytest.raises(error):
        StaticModel.load(own)


def test_a_table_that_lies_askew_is_read_all_the_same(own):
    table = np.arange(len(vectors_for(family("word_level"))) * 3, dtype=np.float32).reshape(-1, 3)
    header = entry(shape=table.shape, offsets=(0, table.nbytes))
    header += b" " * (-len(header) % 8 + 3)
    (own / "model.safetensors").write_bytes(with_header(header, table.tobytes()))
    model = StaticModel.load(own, verify=True)
    ids = [token.id for token in model.explain(TEXTS[0])]
    assert np.array_equal(model.encode_tokens(TEXTS[0]), table[ids])


SETTINGS = {
    "not_json": ("config.json", "{", InvalidConfigError),
    "no_object": ("config.json", "[]", InvalidConfigError),
    "deep": ("config.json", "[" * 100_000, InvalidConfigError),
    "large": ("config.json", " " * (1 << 20) + "{}", InvalidConfigError),
    "normalize": ("config.json", '{"normalize": "yes"}', InvalidConfigError),
    "max_length": ("config.json", '{"max_length": -1}', InvalidConfigError),
    "max_length_true": ("config.json", '{"max_length": true}', InvalidConfigError),
    "modules": ("modules.json", "{}", InvalidConfigError),
    "outside": (
        "modules.json",
        '[{"type": "sentence_transformers.models.StaticEmbedding", "path": "../other"}]',
        InvalidConfigError,
    ),
    "absolute": (
        "modules.json",
        '[{"type": "sentence_transformers.models.StaticEmbedding", "path": "/"}]',
        InvalidConfigError,
    ),
    "transformer": (
        "modules.json",
        '[{"type": "sentence_transformers.models.Transformer", "path": ""}]',
        UnsupportedModelError,
    ),
    "tokenizer": ("tokenizer.json", "[]", TokenizerNotJsonError),
    "tokenizer_empty": ("tokenizer.json", "", TokenizerNotJsonError),
    "tokenizer_other": ("tokenizer.json", '{"model": {"type": "Bytes"}}', TokenizerInvalidError),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_hostile_settings_are_refused_when_they_are_opened(own, name):
    file, content, error = SETTINGS[name]
    (own / file).write_text(content)
    with pytest.raises(error, match=file):
        StaticModel.load(own)


@pytest.mark.parametrize("kind", ["sentence_transformers.models.Dense", "other.Normalize"])
def test_a_model_that_does_more_is_refused(tmp_path, kind):
    save_sentence_transformers(tmp_path, family("word_level"), normalize=True)
    modules = tmp_path / "modules.json"
    listed = json.loads(modules.read_text())
    listed[1]["type"] = kind
    modules.write_text(json.dumps(listed))
    with pytest.raises(UnsupportedModelError, match=kind.rpartition(".")[2]):
        StaticModel.load(tmp_path)


@pytest.mark.parametrize("prompts", ["query: ", {"query": 3}, {"query": ["query: "]}])
def test_malformed_prompts_are_refused(tmp_path, prompts):
    save_sentence_transformers(tmp_path, family("word_level"))
    config = tmp_path / "config_sentence_transformers.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"prompts": prompts}))
    with pytest.raises(InvalidConfigError, match="prompts"):
        StaticModel.load(tmp_path)


def test_a_prompt_before_every_text_is_refused(tmp_path):
    save_sentence_transformers(tmp_path, family("word_level"))
    config = tmp_path / "config_sentence_transformers.json"
    values = json.loads(config.read_text())
    values |= {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    config.write_text(json.dumps(values))
    with pytest.raises(UnsupportedModelError, match="query: "):
        StaticModel.load(tmp_path)


PROMPTS = {
    "query": "query: ",
    "passage": "passage: ",
    "mine": "the cats' ",
    "empty": "",
    "off": None,
}


@pytest.mark.parametrize("prompts", [PROMPTS, {}, {**PROMPTS, "document": "title: none | text: "}])
def test_prompts_do_what_they_do_in_sentence_transformers(tmp_path, wordpiece, prompts):
    from sentence_transformers import SentenceTransformer

    from staticemb_distiller.interop.convert import convert_folder
    from staticemb_distiller.interop.export import export

    save_sentence_transformers(tmp_path / "folder", wordpiece, normalize=True)
    config = tmp_path / "folder" / "config_sentence_transformers.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"prompts": prompts}))
    theirs = SentenceTransformer(str(tmp_path / "folder"), device="cpu")
    file = tmp_path / "converted.staticemb"
    convert_folder(tmp_path / "folder", file)
    export(file, tmp_path / "back", "sentence-transformers")
    again = SentenceTransformer(str(tmp_path / "back"), device="cpu")
    for ours in (StaticModel.load(tmp_path / "folder"), StaticModel.load(file)):
        for name in [*prompts, "query", "document"]:
            if prompts.get(name, "") is not None:
                expected = theirs.encode(TEXTS, prompt_name=name)
                assert np.abs(ours.encode(TEXTS, prompt_name=name) - expected).max() < CLOSE
                assert np.abs(again.encode(TEXTS, prompt_name=name) - expected).max() < CLOSE
        for method in ("encode", "encode_query", "encode_document"):
            expected = getattr(theirs, method)(TEXTS)
            assert np.abs(getattr(ours, method)(TEXTS) - expected).max() < CLOSE
        with pytest.raises(ValueError, match="other"):
            theirs.encode(TEXTS, prompt_name="other")
        with pytest.raises(InvalidOptionError, match="other"):
            ours.encode(TEXTS, prompt_name="other")


def test_a_pickle_is_refused(own):
    (own / "model.safetensors").rename(own / "pytorch_model.bin")
    with pytest.raises(UnsupportedModelError, match="pickle"):
        StaticModel.load(own)


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json", "config.json"])
def test_what_is_missing_is_named(own, missing):
    (own / missing).unlink()
    with pytest.raises(NotAModelError, match=missing):
        StaticModel.load(own)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelNotFoundError):
        read_folder(tmp_path / "none")


def test_verification_finds_what_opening_does_not_look_at(own):
    rows = len(vectors_for(family("word_level")))
    table = np.ones((rows, 2), np.float32)
    table[3, 1] = np.nan
    (own / "model.safetensors").write_bytes(table_bytes(embeddings=table))
    StaticModel.load(own)
    with pytest.raises(ValueNotFiniteError):
        StaticModel.load(own, verify=True)
    (own / "model.safetensors").write_bytes(table_bytes(embeddings=np.ones((2, 2), np.float32)))
    model = StaticModel.load(own)
    with pytest.raises(TokenIdOutOfRangeError):
        model.encode(TEXTS)
    with pytest.raises(TokenIdOutOfRangeError):
        StaticModel.load(own, verify=True)


@given(
    name=st.sampled_from(["model.safetensors", "tokenizer.json", "config.json"]),
    data=st.data(),
)
def test_damaged_bytes_are_an_error_of_ours_or_numbers(folder, name, data):
    content = (folder / name).read_bytes()
    # Where the structure is: the first bytes, most often.
    at = data.draw(st.integers(0, min(len(content), 400) - 1))
    piece = data.draw(st.binary(max_size=9))
    damaged = content[:at] + piece + content[at + data.draw(st.integers(0, 9)) :]
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(folder, Path(place) / "model"))
        (copy / name).write_bytes(damaged)
        with contextlib.suppress(StaticEmbError):
            StaticModel.load(copy, verify=True).encode(["a text of words"])
