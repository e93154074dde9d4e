"""One text by itself: the same bits, errors and warnings as among many."""

import itertools
import warnings

import numpy as np
import pytest

from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import (
    EmptyTextError,
    EmptyTextWarning,
    InvalidDimensionError,
    InvalidOptionError,
    InvalidTextError,
)
from strategies import word_level_tokenizer

TEXTS = [
    "w1 w2",
    "w3",
    "",
    "w4 w4 w9 w17",
    "unheard of",
    " ".join(f"w{n % 19}" for n in range(3000)),
]


@pytest.fixture(scope="module", params=["float32", "float16", "int8", "weighted int8"])
def model(request, tmp_path_factory):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 24)).astype(np.float32)
    scale = weights = None
    if "int8" in request.param:
        scale = (np.abs(rows).max(axis=0) / 127).astype(np.float32)
        rows = np.rint(rows / scale).astype(np.int8)
    elif request.param == "float16":
        rows = rows.astype(np.float16)
    if "weighted" in request.param:
        weights = rng.uniform(0.1, 2, 20).astype(np.float32)
    path = tmp_path_factory.mktemp("queries") / "model"
    parts = Parts(rows, word_level_tokenizer(20), scale=scale, weights=weights)
    write(path, parts, Settings(unknown_token_id=0, damping=(1.0, 8)))
    return StaticModel.load(path)


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
def test_a_query_has_the_bits_of_a_batch(model, precision):
    options = itertools.product((None, 1, 5, 24), (None, "mean"), (True, False), (None, "w1 "))
    for truncate_dim, pooling, normalize, prompt in options:
        if precision in ("int8", "uint8") and not normalize:
            continue
        request = {
            "truncate_dim": truncate_dim,
            "pooling": pooling,
            "normalize_embeddings": normalize,
            "prompt": prompt,
            "precision": precision,
            "on_empty": "zero",
        }
        together = model.encode(TEXTS, **request)
        for text, vector in zip(TEXTS, together, strict=True):
            for found in (model.encode(text, **request), *model.encode([text], **request)):
                assert found.dtype == vector.dtype
                assert found.tobytes() == vector.tobytes()


def test_a_vector_belongs_to_the_caller(model):
    for texts in ("w1 w2", ["w1 w2"], ""):
        first = model.encode(texts, on_empty="zero")
        expected = first.copy()
        first[:] = 7
        np.testing.assert_array_equal(model.encode(texts, on_empty="zero"), expected)


@pytest.mark.parametrize(
    ("valid", "invalid", "error"),
    [
        ({"truncate_dim": 1}, {"truncate_dim": True}, InvalidDimensionError),
        ({"truncate_dim": 5}, {"truncate_dim": 5.0}, InvalidDimensionError),
        ({"truncate_dim": 5}, {"truncate_dim": [5]}, InvalidDimensionError),
        ({"normalize_embeddings": True}, {"normalize_embeddings": 1}, InvalidOptionError),
        ({"precision": "int8"}, {"precision": ["int8"]}, InvalidOptionError),
        ({"pooling": "mean"}, {"pooling": b"mean"}, InvalidOptionError),
        ({"batch_size": 1}, {"batch_size": True}, InvalidOptionError),
        ({"workers": 1}, {"workers": True}, InvalidOptionError),
        ({"on_empty": "zero"}, {"on_empty": "none"}, InvalidOptionError),
    ],
)
def test_a_valid_call_does_not_make_an_invalid_one_valid(model, valid, invalid, error):
    for texts in ("w1", ["w1"]):
        model.encode(texts, **valid)
        with pytest.raises(error):
            model.encode(texts, **invalid)


def test_a_query_warns_and_raises_as_a_batch(model):
    for texts in ("", [""], ["", "w1"]):
        with pytest.raises(EmptyTextError, match="text 0"):
            model.encode(texts, on_empty="raise")
        copy = StaticModel.load(model._encoder.place)
        with pytest.warns(EmptyTextWarning, match="the first is text 0") as caught:
            copy.encode(texts)
        assert [warning.filename for warning in caught] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # one warning a model
            copy.encode(texts)
    for texts in ("\ud800", ["\ud800"], ["\ud800", "w1"]):
        with pytest.raises(InvalidTextError, match="text 0"):
            model.encode(texts)
