"""Prefix, unit length, precision and similarity against sentence-transformers and by hand."""

import numpy as np
import pytest

from staticemb_runtime.encoding.vectors import normalize, quantize, similarity, truncate
from staticemb_runtime.errors import InvalidDimensionError, InvalidOptionError


@pytest.fixture(scope="module")
def unit() -> np.ndarray:
    return normalize(np.random.default_rng(5).standard_normal((300, 43)))


@pytest.fixture(scope="module")
def peer():
    return pytest.importorskip("sentence_transformers.util")


@pytest.mark.parametrize("precision", ["float32", "binary", "ubinary"])
def test_precision_is_that_of_sentence_transformers(unit, peer, precision):
    expected = peer.quantize_embeddings(unit, precision)
    found = quantize(unit, precision)
    np.testing.assert_array_equal(found, expected, strict=True)
    np.testing.assert_array_equal(quantize(unit[7], precision), expected[7], strict=True)


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_calibrated_precision_is_that_of_sentence_transformers(unit, peer, precision):
    ranges = np.stack([unit[:200].min(axis=0), unit[:200].max(axis=0)])
    ranges[:, 3] = 0.25  # an element that never changed
    expected = peer.quantize_embeddings(unit, precision, ranges=ranges)
    found = quantize(unit, precision, ranges=ranges)
    np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary"])
def test_bytes_depend_on_their_own_vector_alone(unit, precision):
    whole = quantize(unit, precision)
    np.testing.assert_array_equal(quantize(unit[41:42], precision)[0], whole[41])
    assert quantize(unit[:0], precision).shape == (0, whole.shape[1])


def test_int8_keeps_the_cosine():
    vectors = normalize(np.random.default_rng(6).standard_normal((200, 256)))
    error = similarity(quantize(vectors, "int8"), vectors) - similarity(vectors, vectors)
    assert error.std() < 0.0025
    assert abs(error.mean()) < 0.0001


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize(np.ones((1, 2)), "int4"), "expected one of float32, .* found 'int4'"),
        (lambda: quantize(np.ones((1, 2), np.int8), "binary"), "expected floats, found int8"),
        (lambda: quantize(np.array([[0.5, 1.5]]), "int8"), "from -1 to 1, .* found 1.5"),
        (lambda: quantize(np.array([[0.5, np.nan]]), "uint8"), "from -1 to 1, .* found nan"),
        (lambda: quantize(np.ones((1, 2)), "int8", ranges=[[0], [1]]), r"shape \(2, 2\)"),
        (lambda: quantize(np.ones((1, 2)), "int8", ranges=[[1, 1], [0, 2]]), "ranges: .*maxima"),
        (lambda: quantize(np.ones((1, 2)), "binary", ranges=[[0, 0], [1, 1]]), "none with binary"),
        (lambda: similarity(np.ones(2, np.uint8), [1.0, 2.0]), "found uint8"),
        (lambda: normalize(np.ones(2), in_place=True), "found float64"),
    ],
)
def test_what_cannot_be_done_is_refused(call, message):
    with pytest.raises(InvalidOptionError, match=message):
        call()


def test_similarity_is_that_of_sentence_transformers(unit, peer):
    a, b = 3 * unit[:20], unit[20:25]
    np.testing.assert_allclose(similarity(a, b), peer.cos_sim(a, b).numpy(), atol=1e-6)
    np.testing.assert_allclose(similarity(a[0], b[0]), peer.cos_sim(a[0], b[0]).numpy(), atol=1e-6)


def test_similarity_with_nothing_is_zero():
    np.testing.assert_array_equal(similarity([0.0, 0.0], [[1.0, 2.0], [0.0, 0.0]]), [[0, 0]])
    with pytest.raises(InvalidDimensionError, match="found 2 and 3"):
        similarity([1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("size", [1e-44, 1e-30, 1e-10, 1.0, 1e10, 5e37])
def test_every_size_becomes_one(size):
    rows = np.array([[3, 4], [0, 0], [-1, 0]], np.float32) * np.float32(size)
    rows[2] /= rows[2, 0] / np.float32(-size)
    expected = [[0.6, 0.8], [0, 0], [-1, 0]]
    tolerance = 0.1 if size == 1e-44 else 1e-6  # the last numbers before 0 have one digit
    np.testing.assert_allclose(normalize(rows), expected, atol=tolerance)
    assert normalize(rows, in_place=True) is rows
    np.testing.assert_allclose(rows, expected, atol=tolerance)


@pytest.mark.parametrize("wrong", [0, -1, 4, True, 2.0, "2"])
def test_a_prefix_out_of_range_is_refused(wrong):
    with pytest.raises(InvalidDimensionError, match="truncate_dim: expected"):
        truncate(np.ones((2, 3)), wrong)
