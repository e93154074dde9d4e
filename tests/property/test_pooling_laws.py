"""Laws of pooling and of what is done to vectors afterwards."""

from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import strategies
from staticemb_distiller.file import Parts
from staticemb_runtime.encoding.long_texts import Parameters
from staticemb_runtime.encoding.pooling import Pooler, pool
from staticemb_runtime.encoding.table import EmbeddingTable
from staticemb_runtime.encoding.vectors import normalize, quantize, truncate

TOLERANCE = 1e-5


def flat(texts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([token for text in texts for token in text], np.int32)
    return ids, np.array([len(text) for text in texts], np.int64)


def table_of(parts: Parts) -> EmbeddingTable:
    return EmbeddingTable(parts.embeddings, parts.scale, parts.weights, parts.rows)


def exact_rows(parts: Parts, ids: list[int]) -> np.ndarray:
    """SPEC stage 4 in float64."""
    rows = parts.embeddings if parts.rows is None else parts.embeddings[parts.rows]
    out = rows[ids].astype(np.float64)
    if parts.scale is not None:
        out *= parts.scale.astype(np.float64)
    if parts.weights is not None:
        out *= parts.weights[ids].astype(np.float64)[:, None]
    return out


def exact_vector(rows: np.ndarray, beta: float, dims: int) -> tuple[np.ndarray, float]:
    """SPEC stage 5 in float64, and the tolerance of SPEC section 9."""
    mean = rows.mean(axis=0)
    size = float(np.abs(rows).mean(axis=0).max())
    if beta == 0:
        return mean, max(TOLERANCE * size, 1e-30)
    lengths = np.linalg.norm(rows[:, :dims], axis=1)
    length = np.linalg.norm(mean[:dims])
    products = lengths * length
    cosines = np.divide(
        rows[:, :dims] @ mean[:dims], products, out=np.zeros(len(rows)), where=products > 0
    )
    damping = np.exp(-beta * cosines)
    kappa = max(1.0, lengths.mean() / length) if length else np.inf
    vector = (damping[:, None] * rows).sum(axis=0) / damping.sum()
    return vector, max(TOLERANCE * size * (1 + beta * kappa), 1e-30)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Parts, list[list[int]], dict[str, Any]]:
    parts = draw(strategies.parts())
    dim = parts.embeddings.shape[1]
    texts = draw(strategies.batches(parts.n_token_ids))
    request = {
        "pooling": draw(st.sampled_from(["mean", "damped_mean"])),
        "beta": draw(st.sampled_from([0.0, 0.5, 1.0, 2.5])),
        "dims": draw(st.integers(1, dim)),
        "prefix": draw(st.integers(1, dim)),
    }
    return parts, texts, request


@given(cases())
def test_pooling_is_that_of_the_specification(case):
    parts, texts, request = case
    found = pool(table_of(parts), *flat(texts), **request)
    assert found.shape == (len(texts), request["prefix"])
    assert found.dtype == np.float32
    beta = request["beta"] if request["pooling"] == "damped_mean" else 0.0
    for vector, text in zip(found, texts, strict=True):
        if not text:
            assert not vector.any()
            continue
        rows = exact_rows(parts, text)
        if beta and np.any((np.abs(rows) > 0) & (np.abs(rows) < 1e-30)):
            continue
        expected, tolerance = exact_vector(rows, beta, request["dims"])
        if not np.isfinite(tolerance):  # the mean is 0: its rounding decides the cosine
            continue
        np.testing.assert_allclose(vector, expected[: request["prefix"]], rtol=0, atol=tolerance)


@given(cases(), st.randoms())
def test_a_text_does_not_depend_on_its_neighbors(case, random):
    parts, texts, request = case
    table = table_of(parts)
    together = pool(table, *flat(texts), **request)
    order = list(range(len(texts)))
    random.shuffle(order)
    shuffled = pool(table, *flat([texts[i] for i in order]), **request)
    np.testing.assert_array_equal(shuffled, together[order])
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_array_equal(pool(table_of(parts), *flat([text]), **request)[0], vector)


@given(cases(), st.booleans())
def test_a_query_has_the_bits_of_a_batch(case, unit):
    parts, texts, request = case
    beta = request["beta"] if request["pooling"] == "damped_mean" else 0.0
    parameters = Parameters(beta, request["dims"], request["prefix"], unit)
    together = Pooler(table_of(parts), parameters).many(*flat(texts))
    pooler = Pooler(table_of(parts), parameters)
    for _ in range(2):  # the first round computes the lengths of rows
        for text, vector in zip(texts, together, strict=True):
            assert pooler.one(np.array(text, np.int32)).tobytes() == vector.tobytes()


@given(cases())
def test_zero_damping_is_the_plain_mean(case):
    parts, texts, request = case
    damped = request | {"pooling": "damped_mean", "beta": 0.0}
    plain = request | {"pooling": "mean"}
    np.testing.assert_array_equal(
        pool(table_of(parts), *flat(texts), **damped), pool(table_of(parts), *flat(texts), **plain)
    )


@given(cases())
def test_concatenated_texts_average_by_length(case):
    parts, texts, _ = case
    assume(any(texts))
    ids, lengths = flat(texts)
    whole = pool(table_of(parts), ids, np.array([len(ids)]))[0]
    pieces = pool(table_of(parts), ids, lengths)
    average = (pieces.astype(np.float64) * lengths[:, None]).sum(axis=0) / len(ids)
    size = np.abs(exact_rows(parts, ids.tolist())).mean(axis=0).max()
    np.testing.assert_allclose(whole, average, rtol=0, atol=2 * TOLERANCE * size)


@given(st.data())
def test_an_int8_table_is_within_half_a_step_of_the_float_table(data):
    elements = strategies.finite_floats(bound=100)
    shape = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
    rows = data.draw(hnp.arrays("float32", shape, elements=elements))
    scale = np.maximum(np.abs(rows).max(axis=0), 1e-3).astype(np.float32) / np.float32(127)
    small = EmbeddingTable(np.rint(rows / scale).astype(np.int8), scale)
    ids, lengths = flat(data.draw(strategies.batches(len(rows))))
    difference = np.abs(pool(small, ids, lengths) - pool(EmbeddingTable(rows), ids, lengths))
    assert (difference <= scale / 2 + TOLERANCE * np.abs(rows).max(initial=0)).all()


@given(cases(), st.randoms())
def test_the_order_of_tokens_does_not_matter(case, random):
    parts, texts, request = case
    text = max(texts, key=len)
    assume(text)
    beta = request["beta"] if request["pooling"] == "damped_mean" else 0.0
    _, tolerance = exact_vector(exact_rows(parts, text), beta, request["dims"])
    assume(tolerance < 1e3)
    forth = pool(table_of(parts), *flat([text]), **request)
    random.shuffle(text)
    back = pool(table_of(parts), *flat([text]), **request)
    np.testing.assert_allclose(forth, back, rtol=0, atol=2 * tolerance)


@given(cases())
def test_a_prefix_is_the_start_of_the_whole(case):
    parts, texts, request = case
    whole = pool(table_of(parts), *flat(texts), **request | {"prefix": None})
    short = pool(table_of(parts), *flat(texts), **request)
    size = np.abs(whole).max(initial=0)
    np.testing.assert_allclose(short, whole[:, : request["prefix"]], rtol=1e-5, atol=1e-5 * size)


vectors = hnp.arrays(
    "float32",
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
    elements=strategies.finite_floats(),
)


@given(vectors, st.data())
def test_prefix_then_normalize_is_normalize_of_the_prefix(array, data):
    dim = data.draw(st.integers(1, array.shape[1]))
    of_view = normalize(truncate(array, dim))
    of_copy = normalize(array[:, :dim].copy())
    np.testing.assert_array_equal(of_view, of_copy)
    lengths = np.linalg.norm(of_view.astype(np.float64), axis=1)
    zero = ~array[:, :dim].any(axis=1)
    np.testing.assert_allclose(lengths[~zero], 1, atol=1e-6)
    assert not of_view[zero].any()


@given(vectors)
def test_normalizing_does_not_depend_on_neighbors(array):
    together = normalize(array)
    for row, expected in zip(array, together, strict=True):
        np.testing.assert_array_equal(normalize(row), expected)
        np.testing.assert_array_equal(normalize(row[None])[0], expected)


@given(vectors)
def test_integer_precision_is_within_half_a_step(array):
    unit = normalize(array)
    signed = quantize(unit, "int8")
    assert signed.dtype == np.int8
    np.testing.assert_allclose(signed / 127, unit, atol=0.5 / 127 + 1e-6)
    unsigned = quantize(unit, "uint8")
    assert unsigned.dtype == np.uint8
    np.testing.assert_array_equal(unsigned.astype(int) - 128, signed)


@given(vectors)
def test_binary_precision_is_the_sign(array):
    packed = quantize(array, "ubinary")
    assert packed.dtype == np.uint8
    bits = np.unpackbits(packed, axis=1)[:, : array.shape[1]]
    np.testing.assert_array_equal(bits, array > 0)
    signed = quantize(array, "binary")
    assert signed.dtype == np.int8
    np.testing.assert_array_equal(signed.astype(int) + 128, packed)
