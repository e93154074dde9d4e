"""The part `space`: a teacher's vectors in the space of a file, and models made for queries."""

import copy
import json
import os
import pickle
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import PROBE_TEXTS, StaticModel, normalize, quantize
from staticemb_runtime.cli.main import main
from staticemb_runtime.errors import (
    FileChangedError,
    InvalidDimensionError,
    InvalidOptionError,
    InvalidVectorError,
    MissingSpaceError,
    PartError,
    QueryOnlyError,
    SpaceMismatchError,
)
from staticemb_runtime.format import read, read_space
from strategies import word_level_tokenizer

H, D = 12, 8
MEMBERS = {"dimension": str(H), "documents": "table", "revision": "1f", "teacher": "a/b"}
RANDOM = np.random.default_rng(5)
PROJECTION = RANDOM.normal(size=(H, D)).astype(np.float32)
OFFSET = RANDOM.uniform(-0.3, 0.3, H).astype(np.float32)
PROBES = normalize(RANDOM.normal(size=(8, H)))
TENSORS = {"projection": PROJECTION, "offset": OFFSET, "probes": PROBES}
VECTORS = RANDOM.normal(size=(50, H)).astype(np.float32)


def saved(path, tensors=TENSORS, members=MEMBERS, **settings):
    """A file with the part; a tensor of None is left out."""
    table = np.random.default_rng(1).normal(size=(6, D)).astype(np.float32)
    optional = {f"space.{name}": tensor for name, tensor in tensors.items() if tensor is not None}
    key = members if isinstance(members, str) else json.dumps(members, separators=(",", ":"))
    metadata = {} if members is None else {"space": key}
    parts = Parts(table, word_level_tokenizer(6), optional=optional)
    write(path, parts, Settings(optional=metadata, **settings))
    return path


@pytest.fixture
def file(tmp_path):
    return saved(tmp_path / "model.staticemb")


@pytest.fixture
def model(file):
    return StaticModel.load(file)


def by_hand(vectors, *, offset=OFFSET, d=D):
    """The definition, in float64."""
    vectors = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    centered = unit - np.where(lengths > 0, offset, 0)
    return (centered @ PROJECTION.astype(np.float64))[:, :d]


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)


# --- projecting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int16", "int64"])
def test_vectors_of_every_type_are_projected(model, dtype):
    vectors = (VECTORS * 20).astype(dtype)
    found = model.project(vectors)
    assert (found.dtype, found.shape) == (np.float32, (50, D))
    np.testing.assert_allclose(found, unit(by_hand(vectors)), atol=2e-6)


@given(st.integers(-120, 120), st.integers(1, D), st.booleans())
def test_neither_length_nor_neighbors_change_a_result(tmp_path_factory, power, d, normalized):
    model = StaticModel.load(saved(tmp_path_factory.mktemp("space") / "model"))
    options = {"truncate_dim": d, "normalize_embeddings": normalized}
    found = model.project(VECTORS.astype(np.float64) * 2.0**power, **options)
    expected = by_hand(VECTORS, d=d)
    np.testing.assert_allclose(found, unit(expected) if normalized else expected, atol=1e-5)
    one = model.project(VECTORS[3] * np.float32(2.0 ** (power // 2)), **options)
    assert one.shape == (d,)
    np.testing.assert_allclose(one, found[3], atol=1e-5)


def test_extreme_vectors_keep_their_directions(model):
    for factor in (5e-324 / 1e-16, 1e-300, 1e300):
        vectors = VECTORS.astype(np.float64) * factor
        np.testing.assert_allclose(model.project(vectors), unit(by_hand(VECTORS)), atol=2e-6)
    tiny = np.zeros((1, H), np.float32)
    tiny[0, 2] = np.float32(1e-45)
    np.testing.assert_allclose(model.project(tiny), unit(by_hand(tiny > 0)), atol=2e-6)


def test_a_zero_vector_stays_zero(model):
    vectors = VECTORS.copy()
    vectors[[0, 7]] = 0
    found = model.project(vectors)
    assert not found[[0, 7]].any()
    assert found[1:7].any(axis=1).all()
    assert not model.project(np.zeros(H)).any()


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
def test_precisions_and_prefixes_are_those_of_encode(model, precision):
    found = model.project(VECTORS, precision=precision, truncate_dim=5)
    expected = quantize(model.project(VECTORS, truncate_dim=5), precision)
    like = model.encode(["w1"], precision=precision, truncate_dim=5)
    assert (found.dtype, found.shape[1]) == (like.dtype, like.shape[1])
    np.testing.assert_array_equal(found, expected)


def test_a_model_of_shorter_vectors_projects_to_them(file):
    model = StaticModel.load(file, truncate_dim=3)
    assert model.project(VECTORS).shape == (50, 3)
    assert model.project(VECTORS.tolist()).shape == (50, 3)
    assert model.project(np.empty((0, H))).shape == (0, 3)


def test_a_file_without_unit_length_gives_none(tmp_path):
    model = StaticModel.load(saved(tmp_path / "made", normalize=False))
    np.testing.assert_allclose(model.project(VECTORS), by_hand(VECTORS), atol=1e-5)


def test_no_offset_means_zeros(tmp_path):
    tensors = TENSORS | {"offset": None}
    model = StaticModel.load(saved(tmp_path / "made", tensors))
    expected = unit(by_hand(VECTORS, offset=np.zeros(H)))
    np.testing.assert_allclose(model.project(VECTORS), expected, atol=2e-6)


def test_memory_beyond_the_result_is_constant(model, tmp_path):
    def beyond(count):
        path = tmp_path / "vectors.npy"
        np.save(path, np.ones((count, H), np.float32))
        vectors = np.load(path, mmap_mode="r")
        tracemalloc.start()
        result = model.project(vectors)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - result.nbytes

    beyond(1000)
    assert beyond(800_000) < beyond(200_000) + 1_000_000


def test_threads_share_the_first_use(file):
    for _ in range(5):
        model = StaticModel.load(file)
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(model.project, [VECTORS] * 8))
        for result in results:
            np.testing.assert_array_equal(result, results[0])


def test_copies_and_pickles_keep_the_space(model):
    expected = model.project(VECTORS)
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.space == model.space
        np.testing.assert_array_equal(again.project(VECTORS), expected)


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        (np.ones((3, H + 1)), InvalidVectorError, "12 elements, the dimension of 'a/b', found 13"),
        (np.ones((3, D)), InvalidVectorError, "found 8"),
        (np.empty((0, 0)), InvalidVectorError, "found 0"),
        (np.ones((1, 1, H)), InvalidDimensionError, r"\(N, 12\) or \(12,\)"),
        (1.0, InvalidDimensionError, "single number"),
        ([[1.0] * H, [1.0]], InvalidDimensionError, "several lengths"),
        (["a text"], TypeError, "expected numbers"),
        (np.ones((2, H), bool), TypeError, "expected numbers"),
        (np.ones((2, H), complex), TypeError, "expected numbers"),
        (np.ones((2, H), np.uint8), InvalidOptionError, "found uint8"),
    ],
)
def test_other_arguments_than_vectors_are_refused(model, vectors, error, message):
    with pytest.raises(error, match=message):
        model.project(vectors)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 49_999, 70_000])
def test_a_value_that_is_not_finite_is_named_by_its_place(model, value, place):
    vectors = np.ones((70_001, H), np.float32)
    vectors[place, 4] = value
    with pytest.raises(InvalidVectorError, match=f"vector {place}: expected finite .* at 4"):
        model.project(vectors)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"truncate_dim": 0}, InvalidDimensionError),
        ({"truncate_dim": D + 1}, InvalidDimensionError),
        ({"precision": "float64"}, InvalidOptionError),
        ({"precision": "int8", "normalize_embeddings": False}, InvalidOptionError),
        ({"normalize_embeddings": 1}, InvalidOptionError),
    ],
)
def test_parameters_are_checked_as_by_encode(model, options, error):
    with pytest.raises(error):
        model.encode(["w1"], **options)
    with pytest.raises(error):
        model.project(VECTORS, **options)


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("cut", [False, True])
def test_a_file_that_is_written_to_is_refused(file, used, cut):
    model = StaticModel.load(file)
    if used:
        model.project(VECTORS)
    content = file.read_bytes()
    with file.open("r+b") as opened:
        if cut:
            opened.truncate(len(content) - 500)
        else:
            opened.write(content[:-64] + bytes(64))
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10_000_000))
    with pytest.raises(FileChangedError):
        model.project(VECTORS)


# --- files without the part, and with a malformed one ------------------------------------------

FAULTS = {
    "not_texts": (TENSORS, "teacher"),
    "another_dimension": (TENSORS, MEMBERS | {"dimension": "13"}),
    "no_projection": (TENSORS | {"projection": None}, MEMBERS),
    "float64": (TENSORS | {"projection": PROJECTION.astype(np.float64)}, MEMBERS),
    "nan": (TENSORS | {"projection": np.full((H, D), np.nan, np.float32)}, MEMBERS),
    "large_offset": (TENSORS | {"offset": np.full(H, 2.0, np.float32)}, MEMBERS),
    "long_probes": (TENSORS | {"probes": 2 * PROBES}, MEMBERS),
    "query_only": (TENSORS | {"probes": 2 * PROBES}, MEMBERS | {"documents": "teacher"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_malformed_part_is_refused_and_not_its_file(tmp_path, fault, capsys):
    path = saved(tmp_path / "made.staticemb", *FAULTS[fault])
    model = StaticModel.load(path, verify=True)
    assert model.encode_document(["w1 w2"]).any()
    assert model.space is None
    with pytest.raises(MissingSpaceError, match=r"a malformed one: .*expected .*, found"):
        model.project(VECTORS)
    assert read(path, verify=True).refused == ("space",)
    with pytest.raises(PartError):
        read_space(read(path))
    assert main(["info", str(path), "--verify"]) == 0
    shown = capsys.readouterr().out
    assert "space             refused: " in shown
    assert "refused_parts     space" in shown


def test_a_file_without_the_part_has_no_space(tmp_path):
    path = saved(tmp_path / "made", members=None)
    model = StaticModel.load(path, verify=True)
    assert (model.space, read_space(read(path))) == (None, None)
    with pytest.raises(MissingSpaceError, match="expected the part 'space', found none"):
        model.project(VECTORS)


def test_the_part_is_imported_when_it_is_used(file):
    code = (
        "import sys, staticemb_runtime\n"
        f"model = staticemb_runtime.StaticModel.load({str(file)!r})\n"
        "model.encode_query(['w1'])\n"
        "late = ['format.space', 'encoding.projection', 'encoding.file_space']\n"
        "print([name for name in late if 'staticemb_runtime.' + name in sys.modules])\n"
        "model.project([[1.0] * 12])\n"
        "print([name for name in late if 'staticemb_runtime.' + name not in sys.modules])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n[]\n"


# --- queries alone ------------------------------------------------------------------------------


def test_a_model_made_for_queries_refuses_documents(tmp_path):
    model = StaticModel.load(saved(tmp_path / "made", members=MEMBERS | {"documents": "teacher"}))
    assert model.space == ("a/b", "1f", H, "teacher")
    for documents in ("w1 w2", ["w1 w2"], []):
        with pytest.raises(QueryOnlyError, match=r"'a/b': pass them to project\(\), or pass as_q"):
            model.encode_document(documents)
    expected = model.encode(["w1 w2", "w3"])
    np.testing.assert_array_equal(model.encode_query(["w1 w2", "w3"]), expected)
    np.testing.assert_array_equal(
        model.encode_document(["w1 w2", "w3"], as_query=True, truncate_dim=D), expected
    )


def test_other_models_embed_documents_either_way(model):
    expected = model.encode(["w1 w2"])
    for options in ({}, {"as_query": False}, {"as_query": True}):
        np.testing.assert_array_equal(model.encode_document(["w1 w2"], **options), expected)
    with pytest.raises(InvalidOptionError, match="encode_document takes it"):
        model.encode(["w1 w2"], as_query=True)


# --- the same space -----------------------------------------------------------------------------


def test_the_probe_texts_are_those_of_the_specification(request):
    spec = (request.config.rootpath / "conformance" / "SPEC.md").read_text(encoding="utf-8")
    assert "```text\n" + "\n".join(PROBE_TEXTS) + "\n```" in spec


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("length", [1.0, 1e6])
def test_vectors_of_the_teacher_are_recognized(model, noise, length):
    drift = normalize(np.random.default_rng(2).normal(size=PROBES.shape)) * noise
    model.check_space((PROBES + drift) * length)


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        (np.roll(PROBES, 1, axis=0), SpaceMismatchError, "cosines of at least 0.999"),
        (np.concatenate([PROBES[:7], -PROBES[7:]]), SpaceMismatchError, "found -1.000"),
        (PROBES[:, :-1], SpaceMismatchError, "found 12 and 11"),
        (PROBES[:7], InvalidDimensionError, r"\(8, 12\), found \(7, 12\)"),
        (PROBES[0], InvalidDimensionError, "found"),
        (np.full((8, H), np.nan), InvalidVectorError, "finite"),
        (np.zeros((8, H)), InvalidVectorError, "zero"),
        (["a"] * 8, TypeError, "numbers"),
        (np.ones((8, H), np.uint8), InvalidOptionError, "uint8"),
    ],
)
def test_vectors_of_others_are_refused(model, vectors, error, message):
    with pytest.raises(error, match=message):
        model.check_space(vectors)


def test_models_compare_by_their_projected_probes(model, tmp_path):
    def other(tensors, **settings):
        return StaticModel.load(saved(tmp_path / "other", tensors, **settings))

    model.check_space(model)
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(D, D)))
    model.check_space(other(TENSORS | {"projection": 2 * PROJECTION}, max_tokens=3))
    for changes in (
        {"projection": (PROJECTION @ turned).astype(np.float32)},
        {"projection": -PROJECTION},
        {"offset": -OFFSET},
        {"probes": np.roll(PROBES, 1, axis=0)},
    ):
        with pytest.raises(SpaceMismatchError, match="cosines"):
            model.check_space(other(TENSORS | changes, max_tokens=3))
    # A rotation of the teacher's space that the projection takes back leaves no difference.
    back, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(H, H)))
    same = {
        "projection": (back.T @ PROJECTION).astype(np.float32),
        "offset": (OFFSET @ back).astype(np.float32),
        "probes": (PROBES @ back).astype(np.float32),
    }
    model.check_space(other(same, max_tokens=3))


def test_models_of_other_lengths_do_not_compare(model, file):
    short = StaticModel.load(file, truncate_dim=4)
    short.check_space(StaticModel.load(file, truncate_dim=4))
    for pair in ((model, short), (short, model)):
        with pytest.raises(SpaceMismatchError, match="expected vectors of one length"):
            pair[0].check_space(pair[1])


def test_what_cannot_be_known_is_refused(model, tmp_path):
    silent = StaticModel.load(saved(tmp_path / "a", TENSORS | {"probes": None}, max_tokens=3))
    nothing = StaticModel.load(saved(tmp_path / "b", members=None, max_tokens=4))
    for other in (silent, nothing):
        with pytest.raises(MissingSpaceError):
            model.check_space(other)
        with pytest.raises(MissingSpaceError):
            other.check_space(PROBES)
    # Files that give the same vectors compare, whatever else they hold.
    nothing.check_space(StaticModel.load(saved(tmp_path / "c", max_tokens=4)))


# --- the command --------------------------------------------------------------------------------


def test_info_shows_the_space_in_one_line(file, tmp_path, capsys):
    assert main(["info", str(file)]) == 0
    shown = capsys.readouterr().out
    expected = "space             a/b, 12 dimensions; documents by the table or the teacher"
    assert expected in shown.splitlines()
    path = saved(tmp_path / "queries", members=MEMBERS | {"documents": "teacher"})
    assert main(["info", str(path)]) == 0
    assert "12 dimensions; documents by the teacher\n" in capsys.readouterr().out
    assert main(["info", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["space"] == {
        "teacher": "a/b",
        "revision": "1f",
        "dimension": H,
        "documents": "teacher",
    }
