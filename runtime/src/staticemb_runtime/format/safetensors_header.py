"""The header of any safetensors file: its JSON, its entries and the layout of its tensors.

This module reads no file. `header` adds the rules of static embedding files.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import numpy as np

from ..errors import (
    DuplicateKeyError,
    HeaderNotJsonError,
    HeaderNotUtf8Error,
    HeaderTooDeepError,
    InvalidTensorEntryError,
    SizeMismatchError,
    TensorGapError,
    TensorOutOfBoundsError,
    TensorOverlapError,
    WrongDtypeError,
)
from . import strict_json

MAX_HEADER_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 3
MAX_INTEGER: Final = 2**53 - 1

DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("V2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


class TensorEntry(NamedTuple):
    """A tensor's dtype, shape and place: bytes `begin` to `end` of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class _NotAnInteger(str):
    """A JSON number that is not an integer from 0 to 2^53 - 1 in plain digits."""

    __slots__ = ()


def _parse_integer(spelling: str) -> int | _NotAnInteger:
    if spelling.isdigit() and len(spelling) <= len(str(MAX_INTEGER)):
        value = int(spelling)
        if value <= MAX_INTEGER:
            return value
    return _NotAnInteger(spelling)


def parse_json(header: bytes, source: str) -> dict[str, Any]:
    """Parse a header's JSON by the rules of SPEC section 4.

    Raises:
        HeaderNotJsonError, HeaderNotUtf8Error, HeaderTooDeepError, DuplicateKeyError
    """
    expected = "one JSON object, then spaces"
    if header[:1] != b"{":
        raise HeaderNotJsonError(source, "header", expected, f"{header[:8]!r} at its start")
    try:
        text = header.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {header[error.start]:#04x} at {error.start}"
        raise HeaderNotUtf8Error(source, "header", "UTF-8", found) from None
    if strict_json.depth(text, MAX_DEPTH) > MAX_DEPTH:
        raise HeaderTooDeepError(source, "header", f"at most {MAX_DEPTH} levels", "more")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in pairs:
            if key in members:
                raise DuplicateKeyError(source, "header", "each key once", f"{key!r} twice")
            members[key] = value
        return members

    try:
        members = strict_json.loads(
            text, members=unique, integer=_parse_integer, number=_NotAnInteger
        )
        # JSON escapes can spell a lone surrogate, which is not valid Unicode.
        json.dumps(members, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        raise HeaderNotJsonError(source, "header", expected, f"an error: {error}") from None
    if not text.rstrip(" ").endswith("}"):
        raise HeaderNotJsonError(source, "header", expected, f"{text[-8:]!r} at its end")
    assert isinstance(members, dict)
    return members


def parse_entry(name: str, value: object, source: str) -> TensorEntry:
    """Parse one tensor's entry, without comparing it with the file.

    Raises:
        InvalidTensorEntryError
    """
    reading = f"entry of tensor {name!r}"
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        expected = "an object with dtype, shape and data_offsets"
        found = f"the keys {sorted(value)}" if isinstance(value, dict) else repr(value)
        raise InvalidTensorEntryError(source, reading, expected, found)
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or isinstance(dtype, _NotAnInteger):
        raise InvalidTensorEntryError(source, reading, "dtype to be a string", repr(dtype))
    for key, numbers in (("shape", shape), ("data_offsets", offsets)):
        # type() and not isinstance(): True is an int in Python, but not an integer in JSON.
        if not isinstance(numbers, list) or not all(type(n) is int for n in numbers):
            expected = f"{key} to be an array of integers from 0 to 2^53 - 1"
            raise InvalidTensorEntryError(source, reading, expected, repr(numbers))
    if len(offsets) != 2:
        expected = "two data_offsets"
        raise InvalidTensorEntryError(source, reading, expected, f"{len(offsets)}")
    return TensorEntry(name, dtype, tuple(shape), offsets[0], offsets[1])


def check_extent(entry: TensorEntry, data_bytes: int, source: str) -> None:
    """Check that a tensor lies within the data and that its length fits its dtype and shape.

    Raises:
        TensorOutOfBoundsError, SizeMismatchError, WrongDtypeError: the dtype is unknown.
    """
    reading = f"data_offsets of {entry.name!r}"
    if not entry.begin <= entry.end <= data_bytes:
        expected = f"begin ≤ end ≤ {data_bytes}, the length of the data"
        found = f"[{entry.begin}, {entry.end}]"
        raise TensorOutOfBoundsError(source, reading, expected, found)
    if entry.dtype not in DTYPES:
        expected = ", ".join(DTYPES)
        raise WrongDtypeError(source, f"dtype of {entry.name!r}", expected, repr(entry.dtype))
    needed = DTYPES[entry.dtype].itemsize
    for length in entry.shape if 0 not in entry.shape else (0,):
        needed *= length
        if needed > data_bytes:
            break  # already too long, and the product of many axes may be huge
    if entry.end - entry.begin != needed:
        expected = f"{needed} bytes for {entry.dtype} {list(entry.shape)}"
        raise SizeMismatchError(source, reading, expected, f"{entry.end - entry.begin}")


def check_layout(entries: dict[str, TensorEntry], data_bytes: int, source: str) -> None:
    """Check that the tensors cover the data without gap and without overlap.

    Raises:
        TensorOverlapError, TensorGapError
    """
    position, previous = 0, "the start of the data"
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        reading = f"data_offsets of {entry.name!r}"
        if entry.begin < position:
            expected = f"begin ≥ {position}, the end of {previous}"
            raise TensorOverlapError(source, reading, expected, str(entry.begin))
        if entry.begin > position:
            expected = f"begin = {position}, the end of {previous}"
            raise TensorGapError(source, reading, expected, str(entry.begin))
        position, previous = entry.end, repr(entry.name)
    if position != data_bytes:
        found = f"{data_bytes - position} bytes more"
        raise TensorGapError(source, "end of the file", f"the end of {previous}", found)
