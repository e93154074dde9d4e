"""Laws of the file: what is written comes back, and spoiled bytes never do harm."""

import contextlib
import tracemalloc
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load as safetensors_load

import strategies
from staticemb_distiller.file import Parts, Settings, serialize, write
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format.reader import read


@pytest.fixture(scope="module")
def folder():
    with TemporaryDirectory() as name:
        yield Path(name)


def to_bytes(parts: Parts, settings: Settings) -> bytes:
    start, tensors = serialize(parts, settings)
    return start + b"".join(tensor.tobytes() for tensor in tensors)


@given(strategies.files())
def test_what_is_written_is_read_back(folder, file):
    parts, settings = file
    path = folder / "whole.staticemb"
    write(path, parts, settings)
    back = read(path, verify=True)
    for name in ("embeddings", "scale", "weights", "rows"):
        written, found = getattr(parts, name), getattr(back, name)
        assert (written is None) == (found is None)
        if written is not None:
            assert found.dtype == written.dtype
            np.testing.assert_array_equal(found, written, strict=True)
    assert back.tokenizer == parts.tokenizer
    dim = parts.embeddings.shape[1]
    assert back.metadata.dim == dim
    assert back.metadata.prefixes == tuple(sorted({*settings.prefixes, dim}))
    assert back.metadata.normalize == settings.normalize
    assert back.metadata.max_tokens == settings.max_tokens
    assert back.metadata.unknown_token_id == settings.unknown_token_id
    assert back.metadata.extra == {**settings.provenance, **settings.optional}
    assert back.metadata.prompts == settings.prompts
    assert back.optional.keys() == parts.optional.keys()
    for name, tensor in parts.optional.items():
        assert back.optional[name].flags.aligned
        np.testing.assert_array_equal(back.optional[name], tensor, strict=True)
    if settings.damping is None:
        assert back.metadata.pooling == "mean"
    else:
        assert back.metadata.pooling == "damped_mean"
        assert (back.metadata.damping_beta, back.metadata.damping_dims) == settings.damping


@given(strategies.files())
def test_same_parts_same_bytes(file):
    assert to_bytes(*file) == to_bytes(*file)


@given(strategies.files())
def test_the_safetensors_package_lists_the_same_tensors(folder, file):
    parts, settings = file
    content = to_bytes(parts, settings)
    tensors = safetensors_load(content)
    expected = {
        name: getattr(parts, name)
        for name in ("embeddings", "scale", "weights", "rows")
        if getattr(parts, name) is not None
    }
    expected |= parts.optional
    assert tensors.pop("tokenizer").tobytes().rstrip(b" ") == parts.tokenizer
    assert set(tensors) == set(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensors[name], tensor)
    path = folder / "peer.staticemb"
    path.write_bytes(content)
    with safetensors.safe_open(path, "numpy") as opened:
        assert opened.metadata()["digest"] == read(path).metadata.digest


@given(strategies.files(), strategies.optional_tensors())
def test_optional_parts_change_only_the_digest_of_the_whole(folder, file, optional):
    parts, settings = file
    plain = replace(settings, prompts={}, optional={})
    one, other = folder / "one.staticemb", folder / "other.staticemb"
    write(one, replace(parts, optional={}), plain)
    write(other, replace(parts, optional=optional), settings)
    without, with_them = read(one, verify=True), read(other, verify=True)
    assert without.metadata.vectors_digest == with_them.metadata.vectors_digest
    same = to_bytes(replace(parts, optional={}), plain) == to_bytes(
        replace(parts, optional=optional), settings
    )
    assert (without.metadata.digest == with_them.metadata.digest) == same
    # The data of one are a prefix of the other's, and every optional tensor lies behind.
    data = [path.read_bytes() for path in (one, other)]
    starts = [8 + int.from_bytes(content[:8], "little") for content in data]
    assert data[1][starts[1] :].startswith(data[0][starts[0] :])
    assert (len(data[0]) - starts[0]) % 64 == 0


@given(strategies.files(), st.data())
def test_what_determines_vectors_changes_both_digests(folder, file, data):
    parts, settings = file
    table, dim = parts.embeddings, parts.embeddings.shape[1]
    other_table = np.zeros_like(table) if table.any() else np.ones_like(table)
    other_tokenizer = parts.tokenizer.replace(b"WhitespaceSplit", b"Whitespace")
    no_unknown = settings.unknown_token_id is None
    changes = [
        (replace(parts, embeddings=other_table), settings),
        (replace(parts, tokenizer=other_tokenizer), settings),
        (parts, replace(settings, normalize=not settings.normalize)),
        (parts, replace(settings, max_tokens=None if settings.max_tokens else 3)),
        (parts, replace(settings, damping=None if settings.damping else (0.125, dim))),
        (parts, replace(settings, unknown_token_id=0 if no_unknown else None)),
    ]
    changed = data.draw(st.sampled_from(changes))
    one, other = folder / "one.staticemb", folder / "other.staticemb"
    write(one, parts, settings)
    write(other, *changed)
    before, after = read(one).metadata, read(other, verify=True).metadata
    assert before.digest != after.digest
    assert before.vectors_digest != after.vectors_digest


@st.composite
def spoiled(draw):
    """A valid file's bytes and the same bytes flipped, cut, extended or spliced somewhere."""
    content = to_bytes(*draw(strategies.files()))
    # Half of all faults go into the header, where most bytes carry a meaning.
    header_end = 8 + int.from_bytes(content[:8], "little")
    limit = draw(st.sampled_from([header_end, len(content)]))
    at = draw(st.integers(0, limit - 1))
    how = draw(st.sampled_from(["flip", "cut", "insert", "splice", "digit"]))
    if how == "flip":
        bit = 1 << draw(st.integers(0, 7))
        return content, content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
    if how == "cut":
        return content, content[:at]
    if how == "insert":
        return content, content[:at] + draw(st.binary(min_size=1, max_size=16)) + content[at:]
    if how == "digit":  # numbers are where a header does harm
        digits = [i for i in range(8, header_end) if chr(content[i]).isdigit()]
        at = draw(st.sampled_from(digits))
        new = draw(st.sampled_from([b"9", b"0", b"-1", b"99999999999999999999", b"1.5", b"1e9"]))
        return content, content[:at] + new + content[at + 1 :]
    end = draw(st.integers(at, len(content)))
    source = draw(st.integers(0, len(content)))
    return content, content[:at] + content[source : source + end - at] + content[end:]


@given(spoiled())
def test_spoiled_bytes_are_refused_or_read_as_they_were(folder, pair):
    content, spoiled = pair
    if content == spoiled:
        return
    path = folder / "spoiled.staticemb"
    path.write_bytes(spoiled)
    tracemalloc.start()
    try:
        # Opening may miss a changed value, but every part it gives lies within the file.
        with contextlib.suppress(StaticEmbError):
            file = read(path)
            assert file.embeddings.nbytes + len(file.tokenizer) <= len(spoiled)
            assert file.embeddings.tobytes() in spoiled
        # The digest covers every byte, so full verification misses nothing.
        with pytest.raises(StaticEmbError):
            read(path, verify=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(content) + 500_000


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(folder, content):
    path = folder / "arbitrary.staticemb"
    path.write_bytes(content)
    with pytest.raises(StaticEmbError):
        read(path)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=64))
def test_a_header_length_allocates_nothing(folder, length, rest):
    path = folder / "length.staticemb"
    path.write_bytes(length.to_bytes(8, "little") + rest)
    tracemalloc.start()
    try:
        with pytest.raises(StaticEmbError):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
