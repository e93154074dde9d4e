"""Opening files: what is refused, with which error, and what opening costs."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from staticemb_distiller.file import Parts, Settings, serialize, write
from staticemb_runtime import errors
from staticemb_runtime.format.reader import read
from strategies import word_level_tokenizer


def all_subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from all_subclasses(sub)


@pytest.fixture
def parts():
    rng = np.random.default_rng(0)
    return Parts(rng.normal(size=(6, 8)).astype("float32"), word_level_tokenizer(6))


@pytest.fixture
def path(tmp_path, parts):
    path = tmp_path / "model.staticemb"
    write(path, parts, Settings(prefixes=(2, 4)))
    return path


def spoil(path, change):
    """Rewrite the header of a file through `change(header)`, leaving the data as they are."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    change(header)
    new = json.dumps(header).encode()
    new += b" " * (-(8 + len(new)) % 64)
    path.write_bytes(len(new).to_bytes(8, "little") + new + content[end:])


def test_every_code_has_one_class():
    codes = [cls.code for cls in all_subclasses(errors.FormatError)]
    assert len(codes) == len(set(codes))


def test_a_message_says_what_was_read_expected_and_found(path):
    spoil(path, lambda header: header["__metadata__"].update(dim="9"))
    with pytest.raises(errors.InconsistentMetadataError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message
    assert "'dim'" in message
    assert "expected 8" in message
    assert "found 9" in message


@pytest.mark.parametrize("number", ["1.5", "-1", "1e0", "9" * 30, "8"])
@pytest.mark.parametrize("key", ["description", "dim"])
def test_a_number_in_the_metadata_is_no_string(path, key, number):
    text = "x" * 40
    marked = f'"{key}": "{text}"'
    spoil(path, lambda header: header["__metadata__"].update({key: text}))
    content = path.read_bytes()
    assert content.count(marked.encode()) == 1
    spelled = f'"{key}": {number}'.ljust(len(marked))
    path.write_bytes(content.replace(marked.encode(), spelled.encode()))
    with pytest.raises(errors.MetadataNotStringsError):
        read(path)


def test_missing_file_and_folder_are_told_apart(tmp_path):
    with pytest.raises(errors.ModelNotFoundError):
        read(tmp_path / "nothing.staticemb")
    with pytest.raises(FileNotFoundError):  # the built-in class works too
        read(tmp_path / "nothing.staticemb")
    with pytest.raises(errors.NotAModelError, match="folder"):
        read(tmp_path)


def test_digest_and_table_are_checked_on_request_only(path):
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[start : start + 4] = np.float32("nan").tobytes()
    path.write_bytes(content)
    assert np.isnan(read(path).embeddings[0, 0])
    with pytest.raises(errors.DigestMismatchError):
        read(path, verify=True)


def test_another_minor_version_is_read_and_its_new_keys_are_kept(path):
    def newer(header):
        header["__metadata__"].update(format_version="1.7", novelty="yes")

    spoil(path, newer)
    file = read(path)
    assert file.metadata.format_version == "1.7"
    assert file.metadata.extra["novelty"] == "yes"


def test_parts_outlive_the_file_object_and_cannot_be_written(path, parts):
    table = read(path).embeddings
    np.testing.assert_array_equal(table, parts.embeddings)
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1.0


def test_opening_does_not_read_the_table(tmp_path):
    """A process that opens a file of 400 MB grows by far less than that."""
    pytest.importorskip("resource")
    path = tmp_path / "large.staticemb"
    table = np.zeros((100_000, 1000), "float32")
    write(path, Parts(table, word_level_tokenizer(1)), Settings())
    code = (
        "import resource, sys; from staticemb_runtime.format.reader import read; import numpy\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"file = read({str(path)!r}); file.embeddings[99_999, 0]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown.stdout) * unit < 20_000_000


def test_opening_does_not_read_the_optional_parts(tmp_path, parts):
    """A process that opens a file with an optional tensor of 400 MB grows by far less than that."""
    pytest.importorskip("resource")
    path = tmp_path / "large.staticemb"
    write(
        path,
        replace(parts, optional={"head.x.weights": np.zeros((100_000, 1000), "float32")}),
        Settings(),
    )
    code = (
        "import resource; from staticemb_runtime import StaticModel\n"
        "from staticemb_runtime.format.reader import read; import numpy\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"StaticModel.load({str(path)!r}); file = read({str(path)!r})\n"
        "assert file.optional['head.x.weights'][99_999, 0] == 0\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown.stdout) * unit < 20_000_000


def test_a_malformed_optional_part_is_refused_and_its_values_are_not(path, parts):
    nan = np.full(3, np.nan)
    write(path, replace(parts, optional={"head.x.bias": nan}), Settings())
    np.testing.assert_array_equal(read(path, verify=True).optional["head.x.bias"], nan)
    with pytest.raises(KeyError):
        read(path).optional["head.x.weights"]
    spoil(path, lambda header: header["head.x.bias"].update(shape=[2]))
    with pytest.raises(errors.SizeMismatchError, match=r"head\.x\.bias"):
        read(path)


def test_the_second_digest_is_checked_on_request_only(path):
    spoil(path, lambda header: header["__metadata__"].update(vectors_digest="sha256:" + "1" * 64))
    content = path.read_bytes()
    assert read(path).metadata.vectors_digest.endswith("1")
    digest = read(path).metadata.digest.removeprefix("sha256:").encode()
    blank = content.replace(digest, b"0" * 64)
    path.write_bytes(content.replace(digest, hashlib.sha256(blank).hexdigest().encode()))
    with pytest.raises(errors.VectorsDigestMismatchError, match="1111"):
        read(path, verify=True)


def test_a_file_of_another_byte_order_in_memory_is_written_little_endian(tmp_path, parts):
    big = replace(parts, embeddings=parts.embeddings.astype(">f4"))
    little_bytes = serialize(parts, Settings())[0]
    assert serialize(big, Settings())[0] == little_bytes
