"""The header of a static embedding file, parsed and checked (SPEC 4 to 6).

This module reads no file. It finds every fault of a header before any tensor is used.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ..errors import (
    LimitExceededError,
    MetadataNotStringsError,
    MissingTensorError,
    TensorMisalignedError,
    TensorMisplacedError,
    UnexpectedTensorError,
    UnknownTensorError,
    WrongDtypeError,
    WrongShapeError,
)
from .metadata import Metadata, MetadataReader
from .safetensors_header import (
    DTYPES,
    TensorEntry,
    check_extent,
    check_layout,
    parse_entry,
    parse_json,
)

MAX_DIM: Final = 65_536
"""The largest number of dimensions."""
MAX_ROWS: Final = 16_777_216
"""The largest number of rows of the table."""
MAX_TOKEN_IDS: Final = 16_777_216
MAX_TOKENIZER_BYTES: Final = 268_435_456
MAX_OPTIONAL: Final = 1024
MAX_OPTIONAL_AXES: Final = 4
MAX_OPTIONAL_NAME: Final = 256

NAMESPACES: Final = ("head", "space", "pieces")
OPTIONAL_DTYPES: Final = tuple(dtype for dtype in DTYPES if dtype not in ("BF16", "BOOL"))
_OPTIONAL_NAME: Final = rf"(?:{'|'.join(NAMESPACES)})(?:\.[A-Za-z0-9_-]{{1,64}})+"


class TensorRule(NamedTuple):
    """The dtypes and the limit of each axis that the format allows for one tensor."""

    dtypes: tuple[str, ...]
    limits: tuple[int, ...]


TENSORS: Final = {
    "embeddings": TensorRule(("F32", "F16", "I8"), (MAX_ROWS, MAX_DIM)),
    "scale": TensorRule(("F32",), (MAX_DIM,)),
    "weights": TensorRule(("F32",), (MAX_TOKEN_IDS,)),
    "rows": TensorRule(("U16", "U32", "I64"), (MAX_TOKEN_IDS,)),
    "tokenizer": TensorRule(("U8",), (MAX_TOKENIZER_BYTES,)),
}


class Header(NamedTuple):
    """A header whose tensors fit the format, each other, the metadata and the file's length.

    Attributes:
        metadata: the settings.
        tensors: the tensors that determine vectors.
        optional: the optional tensors (SPEC section 6.1).
        values: the unparsed metadata.
    """

    metadata: Metadata
    tensors: dict[str, TensorEntry]
    optional: dict[str, TensorEntry]
    values: dict[str, str]


def parse_header(header: bytes, data_bytes: int, source: str) -> Header:
    """Parse a header and check its tensors against each other and the data's length.

    Args:
        header: the header's bytes, padding included.
        data_bytes: the number of data bytes that follow the header in the file.
        source: the file's name, for messages.

    Returns:
        The header.

    Raises:
        FormatError: a subclass for each fault, as in SPEC section 13.3. An unsupported version or
            feature is refused before the tensors are checked, since these may then differ
            (SPEC section 12).
    """
    members = parse_json(header, source)
    values = members.pop("__metadata__", None)
    # type() and not isinstance(): the parser returns some numbers as a class derived from str.
    if not isinstance(values, dict) or not all(type(v) is str for v in values.values()):
        found = "none" if values is None else "other values"
        raise MetadataNotStringsError(source, "__metadata__", "an object of strings", found)
    metadata = MetadataReader(values, source)
    metadata.check_understood()
    entries = {name: parse_entry(name, value, source) for name, value in members.items()}
    for entry in entries.values():
        _check_entry(entry, data_bytes, source)
    check_layout(entries, data_bytes, source)
    optional = {name: entry for name, entry in entries.items() if name not in TENSORS}
    tensors = {name: entry for name, entry in entries.items() if name in TENSORS}
    _check_relations(tensors, source)
    if optional:
        _check_places(tensors, optional, source)
    _, dim = tensors["embeddings"].shape
    return Header(metadata.read(dim, _n_token_ids(tensors)), tensors, optional, values)


def check_rule(entry: TensorEntry, rule: TensorRule, source: str) -> None:
    """Check a tensor's dtype and shape against a rule.

    Raises:
        WrongDtypeError, WrongShapeError, LimitExceededError
    """
    name = entry.name
    if entry.dtype not in rule.dtypes:
        expected = " or ".join(rule.dtypes)
        raise WrongDtypeError(source, f"dtype of {name!r}", expected, repr(entry.dtype))
    reading = f"shape of {name!r}"
    if len(entry.shape) != len(rule.limits):
        found = f"{len(entry.shape)}: {list(entry.shape[:8])}"
        raise WrongShapeError(source, reading, f"{len(rule.limits)} axes", found)
    for length, limit in zip(entry.shape, rule.limits, strict=True):
        if length == 0:
            raise WrongShapeError(source, reading, "no axis of length 0", f"{list(entry.shape)}")
        if length > limit:
            raise LimitExceededError(source, reading, f"at most {limit}", str(length))


def _check_entry(entry: TensorEntry, data_bytes: int, source: str) -> None:
    if entry.name in TENSORS:
        check_rule(entry, TENSORS[entry.name], source)
    else:
        _check_optional(entry, source)
    check_extent(entry, data_bytes, source)
    size = DTYPES[entry.dtype].itemsize
    if entry.begin % size:
        reading = f"data_offsets of {entry.name!r}"
        raise TensorMisalignedError(source, reading, f"a multiple of {size}", str(entry.begin))


def _check_optional(entry: TensorEntry, source: str) -> None:
    """Check the name, the dtype and the axes of an optional tensor (SPEC 6.1)."""
    name = entry.name
    if len(name) > MAX_OPTIONAL_NAME or not re.fullmatch(_OPTIONAL_NAME, name):
        expected = f"tensors among {', '.join(TENSORS)}, or names like {NAMESPACES[0]}.topic.bias"
        raise UnknownTensorError(source, "header", expected, repr(name))
    if entry.dtype not in OPTIONAL_DTYPES:
        expected = " or ".join(OPTIONAL_DTYPES)
        raise WrongDtypeError(source, f"dtype of {name!r}", expected, repr(entry.dtype))
    if not 1 <= len(entry.shape) <= MAX_OPTIONAL_AXES or 0 in entry.shape:
        expected = f"1 to {MAX_OPTIONAL_AXES} axes, none of length 0"
        found = str(list(entry.shape[:8]))
        raise WrongShapeError(source, f"shape of {name!r}", expected, found)


def _check_places(
    tensors: dict[str, TensorEntry], optional: dict[str, TensorEntry], source: str
) -> None:
    """Check the number of optional tensors, and that they lie behind the other tensors."""
    if len(optional) > MAX_OPTIONAL:
        expected = f"at most {MAX_OPTIONAL} optional tensors"
        raise LimitExceededError(source, "header", expected, str(len(optional)))
    end = max(entry.end for entry in tensors.values())
    first = min(optional.values(), key=lambda entry: entry.begin)
    if first.begin < end:
        expected = f"begin ≥ {end}, behind the tensors that determine vectors"
        raise TensorMisplacedError(
            source, f"data_offsets of {first.name!r}", expected, str(first.begin)
        )


def _check_relations(entries: dict[str, TensorEntry], source: str) -> None:
    for name in ("embeddings", "tokenizer"):
        if name not in entries:
            raise MissingTensorError(source, "header", f"the tensor {name!r}", "none")
    embeddings = entries["embeddings"]
    _, dim = embeddings.shape
    if embeddings.dtype == "I8" and "scale" not in entries:
        raise MissingTensorError(source, "header", "'scale' with I8 embeddings", "none")
    if embeddings.dtype != "I8" and "scale" in entries:
        expected = f"no 'scale' with {embeddings.dtype} embeddings"
        raise UnexpectedTensorError(source, "header", expected, "'scale'")
    for name, length in (("scale", dim), ("weights", _n_token_ids(entries))):
        if name in entries and entries[name].shape != (length,):
            found = str(list(entries[name].shape))
            raise WrongShapeError(source, f"shape of {name!r}", f"[{length}]", found)


def _n_token_ids(entries: dict[str, TensorEntry]) -> int:
    """Return V, the number of token ids."""
    return entries["rows" if "rows" in entries else "embeddings"].shape[0]
