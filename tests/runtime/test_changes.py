"""A model's file that is written to, cut short, replaced or removed while the model is open."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.aws_lambda import function as aws_lambda
from staticemb_runtime.encoding import options as request
from staticemb_runtime.errors import FileChangedError
from strategies import word_level_tokenizer

TEXTS = ["w1 w2", "w3", "w4 w5 w1"]


def make_file(folder, seed=0):
    """A file; it is as long with any seed."""
    table = np.random.default_rng(seed).normal(size=(6, 64)).astype("float32")
    write(folder / "m", Parts(table, word_level_tokenizer(6)), Settings(unknown_token_id=0))
    return folder / "m", folder / "m"


def make_folder(folder, seed=0):
    numpy_files = pytest.importorskip("safetensors.numpy")
    place = folder / "peer"
    place.mkdir(exist_ok=True)
    table = np.random.default_rng(seed).normal(size=(6, 64)).astype("float32")
    numpy_files.save_file({"embeddings": table}, place / "model.safetensors")
    (place / "tokenizer.json").write_bytes(word_level_tokenizer(6))
    (place / "config.json").write_text(json.dumps({"normalize": True}))
    return place, place / "model.safetensors"


def another(make, folder):
    """The content of another model of the same size."""
    (folder / "other").mkdir()
    return make(folder / "other", seed=1)[1].read_bytes()


def overwrite(file, content):
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10_000_000))  # where the clock is a coarse one


makers = pytest.mark.parametrize("make", [make_file, make_folder])


@makers
def test_an_overwritten_file_is_an_error_of_every_call(tmp_path, make):
    place, file = make(tmp_path)
    model = StaticModel.load(place)
    model.encode(TEXTS)
    overwrite(file, another(make, tmp_path))
    for call in (model.encode, model.tokenize, model.encode_tokens):
        for texts in ("w1", TEXTS):
            with pytest.raises(FileChangedError, match="load the model again") as raised:
                call(texts)
            assert str(file) in str(raised.value)
    with pytest.raises(FileChangedError):
        model.explain("w1")
    assert StaticModel.load(place).encode(TEXTS).shape == (3, 64)


def test_a_file_that_is_overwritten_before_the_tokenizer_is_read(tmp_path):
    place, _ = make_folder(tmp_path)
    model = StaticModel.load(place)
    overwrite(place / "tokenizer.json", b"{" * 100)
    with pytest.raises(FileChangedError, match=r"tokenizer\.json"):
        model.encode(TEXTS)


def test_a_lambda_function_does_not_blame_the_request(tmp_path):
    place, file = make_file(tmp_path)
    model = StaticModel.load(place)
    overwrite(file, another(make_file, tmp_path))
    with pytest.raises(FileChangedError):
        aws_lambda.answer(model, {"texts": TEXTS})


def test_a_change_between_two_blocks_of_a_stream_is_seen(tmp_path):
    place, file = make_file(tmp_path)
    stream = StaticModel.load(place).encode_stream(TEXTS * 10, batch_size=10)
    next(stream)
    overwrite(file, another(make_file, tmp_path))
    with pytest.raises(FileChangedError):
        next(stream)


def test_a_change_during_a_block_is_seen(tmp_path, monkeypatch):
    from staticemb_runtime.encoding.pooling import Pooler

    place, file = make_file(tmp_path)
    content = another(make_file, tmp_path)
    many = Pooler.many

    def pool_and_overwrite(*arguments):
        overwrite(file, content)
        return many(*arguments)

    monkeypatch.setattr(Pooler, "many", pool_and_overwrite)
    with pytest.raises(FileChangedError):
        StaticModel.load(place).encode(TEXTS)


@makers
def test_a_file_cut_short_is_an_error_and_not_the_end_of_the_process(tmp_path, make):
    place, file = make(tmp_path)
    program = (
        "import os\n"
        "from staticemb_runtime import StaticModel\n"
        "from staticemb_runtime.errors import FileChangedError\n"
        f"model = StaticModel.load({str(place)!r})\n"
        f"os.truncate({str(file)!r}, 0)\n"
        "try:\n"
        "    model.encode(['w1'])\n"
        "except FileChangedError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "found 0 bytes instead of" in done.stdout


@makers
@pytest.mark.parametrize("remove", [False, True])
def test_a_file_that_is_replaced_or_removed_keeps_its_vectors(tmp_path, make, remove):
    place, file = make(tmp_path)
    model = StaticModel.load(place)
    expected = model.encode(TEXTS)
    if remove:
        file.unlink()
    else:
        new = file.with_name("new")
        new.write_bytes(another(make, tmp_path))
        new.replace(file)
    np.testing.assert_array_equal(model.encode(TEXTS), expected)


def test_a_change_right_after_a_query_is_seen_a_millisecond_later(tmp_path):
    place, file = make_file(tmp_path)
    content = another(make_file, tmp_path)
    model = StaticModel.load(place)
    model.encode(TEXTS)
    model.encode("w1")
    overwrite(file, content)
    time.sleep(0.002)
    for texts in ("w1", ["w1"]):
        with pytest.raises(FileChangedError):
            model.encode(texts)


def test_a_touched_file_is_the_same_file(tmp_path):
    place, file = make_file(tmp_path)
    model = StaticModel.load(place)
    expected = model.encode(TEXTS)
    for _ in range(2):
        overwrite(file, b"")
        np.testing.assert_array_equal(model.encode(TEXTS), expected)
    overwrite(file, another(make_file, tmp_path))
    with pytest.raises(FileChangedError):
        model.encode(TEXTS)


@makers
@pytest.mark.parametrize("change", ["overwrite", "cut", "remove"])
def test_a_model_in_memory_depends_on_no_file(tmp_path, make, change):
    place, file = make(tmp_path)
    expected = StaticModel.load(place).encode(TEXTS)
    model = StaticModel.load(place, mmap=False)
    if change == "overwrite":
        overwrite(file, another(make, tmp_path))
    elif change == "cut":
        os.truncate(file, 0)
    else:
        file.unlink()
    np.testing.assert_array_equal(model.encode(TEXTS), expected)
    np.testing.assert_array_equal(model.encode(TEXTS[0]), expected[0])


@makers
@pytest.mark.parametrize("mmap", [True, False])
def test_workers_see_a_change_as_their_model_does(tmp_path, monkeypatch, make, mmap):
    monkeypatch.setattr(request, "cores", lambda: 2)
    place, file = make(tmp_path)
    model = StaticModel.load(place, mmap=mmap)
    expected = model.encode(TEXTS * 2000, workers=2)
    overwrite(file, another(make, tmp_path))
    if mmap:
        with pytest.raises(FileChangedError):
            model.encode(TEXTS * 2000, workers=2)
    else:
        np.testing.assert_array_equal(model.encode(TEXTS * 2000, workers=2), expected)
