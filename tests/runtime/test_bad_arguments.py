"""Bad paths and bad arrays: each is a documented error in one line, whatever the system says."""

import itertools
import os
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from runtime.test_model import save
from staticemb_runtime import (
    StaticEmbError,
    StaticModel,
    normalize,
    quantize,
    similarity,
    similarity_pairwise,
    truncate,
)
from staticemb_runtime.errors import (
    InvalidDimensionError,
    InvalidOptionError,
    ModelNotFoundError,
    NotAModelError,
)
from staticemb_runtime.format.reader import read

# --- paths ----------------------------------------------------------------------------------------


class BytesPath:
    def __fspath__(self):
        return b"model.staticemb"


OPENING = {
    "StaticModel": StaticModel,
    "load": StaticModel.load,
    "from_pretrained": StaticModel.from_pretrained,
}
opens = pytest.mark.parametrize("opening", OPENING.values(), ids=OPENING)


@opens
@pytest.mark.parametrize("value", [3, True, 1.5, b"m", bytearray(b"m"), BytesPath(), ["m"], object])
def test_what_is_no_path_is_refused(opening, value):
    with pytest.raises(TypeError, match=r"^model: expected a path as a string, found \w+"):
        opening(value)


def test_an_open_files_number_is_not_the_file(tmp_path):
    with save(tmp_path / "model.staticemb").open("rb") as file, pytest.raises(TypeError):
        StaticModel(file.fileno())


@opens
@pytest.mark.parametrize("value", ["", "a\0b", "\ud800", "a/\0", "\udcff\ud800"])
def test_a_path_that_no_file_can_have(opening, value):
    with pytest.raises(ModelNotFoundError) as caught:
        opening(value)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def node(folder, name):
    """Something of the file system that is no model."""
    path = folder / name
    if name == "below a file":
        (folder / "file").write_bytes(b"0123456789")
        return folder / "file" / "model.staticemb"
    if name == "name too long":
        return folder / ("a" * 300)
    if name == "path too long":
        return folder / "/".join(["a" * 200] * 30)
    if name == "loop":
        path.symlink_to(path)
    elif name == "dangling":
        path.symlink_to(folder / "nothing")
    elif name == "FIFO":
        os.mkfifo(path)
    elif name == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif name == "device":
        try:
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
        except OSError:
            pytest.skip("no device may be made here")
    elif name.startswith("folder"):
        path.mkdir()
        if name == "folder with a folder":
            (path / "model.safetensors").mkdir()
        if name == "folder with a FIFO":
            os.mkfifo(path / "model.safetensors")
        if name == "folder with a loop":
            (path / "modules.json").symlink_to(path / "modules.json")
    return path


NODES = {
    "below a file": ModelNotFoundError,
    "name too long": ModelNotFoundError,
    "path too long": ModelNotFoundError,
    "dangling": ModelNotFoundError,
    "loop": NotAModelError,
    "FIFO": NotAModelError,
    "socket": NotAModelError,
    "device": NotAModelError,
    "folder": NotAModelError,
    "folder with a folder": NotAModelError,
    "folder with a FIFO": NotAModelError,
    "folder with a loop": NotAModelError,
}


@pytest.mark.skipif(os.name == "nt", reason="nodes of POSIX")
@pytest.mark.parametrize(("name", "error"), NODES.items())
def test_a_path_that_leads_to_no_file_is_one_line(tmp_path, monkeypatch, name, error):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path = node(tmp_path, name)
    for opening in (StaticModel, StaticModel.load):
        with pytest.raises(error) as caught:
            opening(path)
        assert "\n" not in str(caught.value)
    with pytest.raises((ModelNotFoundError, NotAModelError)):
        StaticModel.from_pretrained(path)
    with pytest.raises((ModelNotFoundError, NotAModelError)):
        read(path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_path_that_may_not_be_read(tmp_path, mode):
    folder = tmp_path / "closed"
    folder.mkdir()
    save(folder / "model.staticemb")
    (folder / "model.staticemb").chmod(0)
    for path in (folder / "model.staticemb", folder):
        folder.chmod(mode)
        try:
            with pytest.raises(StaticEmbError):
                StaticModel(path)
        finally:
            folder.chmod(0o700)


def test_an_id_of_the_hub_is_sent_to_from_pretrained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"StaticModel.from_pretrained\('org/name'\)"):
        StaticModel("org/name")
    (tmp_path / "org").mkdir()
    save(tmp_path / "org" / "name")
    assert StaticModel("org/name").dim  # a file of that name comes first


# --- arrays ---------------------------------------------------------------------------------------

GOOD = np.eye(3, 4, dtype=np.float32)

FUNCTIONS = {
    "normalize": normalize,
    "truncate": lambda values: truncate(values, 1),
    "quantize": lambda values: quantize(values, "int8"),
    "quantize to bits": lambda values: quantize(values, "ubinary"),
    "quantize with ranges": lambda values: quantize(values, "int8", ranges=[[-1] * 4, [1] * 4]),
    "similarity": lambda values: similarity(values, GOOD),
    "similarity, other side": lambda values: similarity(GOOD, values),
    "similarity_pairwise": lambda values: similarity_pairwise(values, GOOD),
}
takes_vectors = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


SAME = {
    "lists": np.ndarray.tolist,
    "tuple of arrays": tuple,
    "Fortran order": np.asfortranarray,
    "every second": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
    "backwards": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": frozen,
    "big-endian": lambda array: array.astype(">f4"),
    "float64": lambda array: array.astype(np.float64),
    "float16": lambda array: array.astype(np.float16),
    "unaligned": lambda array: (
        np.frombuffer(b" " + array.tobytes(), np.uint8)[1:].view("<f4").reshape(array.shape)
    ),
}


@takes_vectors
@pytest.mark.parametrize("make", SAME.values(), ids=SAME)
def test_how_an_array_is_stored_decides_nothing(function, make):
    np.testing.assert_array_equal(function(make(GOOD)), function(GOOD))


WRONG = {
    "one number": (5.0, InvalidDimensionError),
    "no axis": (np.float32(5), InvalidDimensionError),
    "ragged": ([[1.0, 2.0], [3.0]], InvalidDimensionError),
    "ragged arrays": ([np.ones(4), np.ones(3)], InvalidDimensionError),
    "objects": (np.array([[1.0] * 4], object), TypeError),
    "complex": (np.ones((3, 4), complex), TypeError),
    "bool": (np.ones((3, 4), bool), TypeError),
    "strings": ([["1"] * 4], TypeError),
    "texts": ("w1", TypeError),
    "times": (np.zeros((3, 4), "M8[s]"), TypeError),
    "None": (None, TypeError),
    "dict": ({"a": 1}, TypeError),
    "set": ({1.0}, TypeError),
    "generator": ((x for x in [1.0]), TypeError),
}


@takes_vectors
@pytest.mark.parametrize(("value", "error"), WRONG.values(), ids=WRONG)
def test_what_is_no_vector_is_refused(function, value, error):
    with pytest.raises(error, match=r"^vectors to \w+: expected "):
        function(value)


@pytest.mark.parametrize("function", [similarity, similarity_pairwise])
def test_what_cannot_be_compared(function):
    for shape in [(1, 3, 4), (3, 5), (3, 0), (0,), (2, 2, 2, 2)]:
        for sides in itertools.permutations([np.ones(shape), GOOD]):
            with pytest.raises(InvalidDimensionError, match="vectors to compare: expected"):
                function(*sides)
    with pytest.raises(InvalidOptionError, match="found uint8"):
        function(GOOD, np.ones((3, 4), np.uint8))
    with pytest.raises(InvalidDimensionError, match="equal numbers of vectors, found 2 and 3"):
        similarity_pairwise(GOOD[:2], GOOD)


def test_no_vectors_are_no_error():
    none = np.empty((0, 4), np.float32)
    assert similarity(none, GOOD).shape == (0, 3)
    assert similarity(GOOD, none).shape == (3, 0)
    assert similarity_pairwise(none, none).shape == (0,)
    assert normalize(none).shape == (0, 4)
    assert quantize(none, "ubinary").shape == (0, 1)
    assert quantize(none, "int8").shape == (0, 4)
    assert truncate(none, 2).shape == (0, 2)
    assert normalize(np.empty((3, 0))).shape == (3, 0)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (frozen(GOOD), "a writable array"),
        (GOOD.tolist(), "float32 vectors"),
        (GOOD.astype(np.float64), "float32 vectors"),
    ],
)
def test_what_cannot_be_overwritten(array, says):
    with pytest.raises(InvalidOptionError, match=f"in_place: expected {says}"):
        normalize(array, in_place=True)


@pytest.mark.parametrize(
    "ranges", [3.0, [[1.0], [2.0, 3.0]], "wide", [[None] * 4] * 2, np.ones((2, 3)), [[1] * 4]]
)
def test_ranges_of_another_kind(ranges):
    with pytest.raises((InvalidDimensionError, InvalidOptionError, TypeError), match="ranges: exp"):
        quantize(GOOD, "int8", ranges=ranges)


def test_nan_becomes_no_integer():
    for options in ({}, {"ranges": [[-1] * 4, [1] * 4]}):
        with pytest.raises(InvalidOptionError, match="vectors to quantize: expected"):
            quantize([[0.1, np.nan, 0, 0]], "int8", **options)


ANY = hnp.arrays(
    st.sampled_from(
        ["f4", "f8", "f2", "i1", "i8", "u1", "u2", "?", "c8", "U2", "S2", "M8[s]", "O"]
    ),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflows of what is infinite or not finite
@given(ANY | st.recursive(st.floats() | st.integers(), lambda one: st.lists(one, max_size=3)), ANY)
def test_whatever_the_arrays_the_error_is_documented(a, b):
    calls = [
        lambda: normalize(a),
        lambda: truncate(a, 2),
        lambda: similarity(a, b),
        lambda: similarity_pairwise(a, b),
        *(
            lambda precision=precision: quantize(a, precision)
            for precision in ("float32", "int8", "uint8", "binary", "ubinary")
        ),
        lambda: quantize(a, "int8", ranges=b),
    ]
    for call in calls:
        try:
            call()
        except StaticEmbError:
            pass
        except TypeError as error:
            if ": expected numbers, found " not in str(error):
                raise


@pytest.mark.parametrize("name", ["precision", "pooling", "on_empty", "output_value"])
@pytest.mark.parametrize("wrong", [np.array([1, 2]), [], 3, np.array(["mean", "mean"])])
def test_an_option_of_names_is_a_string(tmp_path, name, wrong):
    model = StaticModel(save(tmp_path / "model.staticemb"))
    with pytest.raises(InvalidOptionError, match=f"^{name}: expected "):
        model.encode("w1", **{name: wrong})


@pytest.mark.parametrize("wrong", ["no", 1, 0.0, [True], np.array([True, False])])
def test_normalize_embeddings_is_a_boolean(tmp_path, wrong):
    model = StaticModel(save(tmp_path / "model.staticemb"))
    with pytest.raises(InvalidOptionError, match="normalize_embeddings: expected True or False"):
        model.encode("w1", normalize_embeddings=wrong)
    assert model.encode("w1", normalize_embeddings=np.bool_(True)).any()
