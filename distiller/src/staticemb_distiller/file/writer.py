"""The writer of static embedding files: deterministic bytes, written atomically.

The layout is specified in conformance/SPEC.md, sections 4 to 6 and 10 to 12. This module does not
import the runtime: reader and writer are independent implementations of the specification.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..output_file import atomic_file, reported
from ..table.parts import Parts
from .optional_parts import optional_keys, optional_tensors, spell_prompts

ALIGNMENT: Final = 64
MAX_HEADER_BYTES: Final = 1_048_576
MAX_BETA: Final = 16.0
DTYPE_NAMES: Final = {
    np.dtype("<f8"): "F64",
    np.dtype("<f4"): "F32",
    np.dtype("<f2"): "F16",
    np.dtype("<i8"): "I64",
    np.dtype("<i4"): "I32",
    np.dtype("<i2"): "I16",
    np.dtype("i1"): "I8",
    np.dtype("<u8"): "U64",
    np.dtype("<u4"): "U32",
    np.dtype("<u2"): "U16",
    np.dtype("u1"): "U8",
}
FREE_KEYS: Final = (
    "teacher",
    "teacher_revision",
    "license",
    "languages",
    "recipe",
    "creator",
    "description",
)

# The keys and tensors that `vectors_digest` covers, in its order (SPEC section 10).
DECISIVE_KEYS: Final = (
    "damping_beta",
    "damping_dims",
    "dim",
    "features",
    "max_tokens",
    "normalize",
    "pooling",
    "prefixes",
    "unknown_token_id",
)
DECISIVE_TENSORS: Final = ("embeddings", "rows", "scale", "tokenizer", "weights")

_ZERO_DIGEST: Final = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Settings:
    """The metadata of a file: how rows become a vector, and where they come from.

    Attributes:
        prefixes: Recommended prefix lengths; the table's dimension is added if it is missing.
        normalize: Whether vectors have unit length.
        damping: (β, k) of damped pooling; None: the plain mean.
        max_tokens: The number of tokens after which a text is cut.
        unknown_token_id: The id that is dropped.
        provenance: `teacher`, `teacher_revision`, `license`, `languages`, `recipe`, `creator`,
            `description`, and keys that begin with `x-`.
        prompts: Texts by name; a caller may choose one to put before each text.
        optional: Metadata of optional parts, by keys such as `space` or `head.topic`.
    """

    prefixes: Sequence[int] = ()
    normalize: bool = True
    damping: tuple[float, int] | None = None
    max_tokens: int | None = None
    unknown_token_id: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)


def write(path: str | os.PathLike[str], parts: Parts, settings: Settings) -> None:
    """Write a static embedding file atomically.

    Args:
        path: The output, which `atomic_file` replaces or writes to.
        parts: The tensors.
        settings: The metadata.

    Raises:
        OutputError: The parts break a rule of the specification, or the file cannot be written (no
            space, no permission). No partial file remains.
    """
    header, tensors = serialize(parts, settings)
    path = Path(path)
    with reported(path, OutputError), atomic_file(path) as temporary:
        write_serialized(temporary, header, tensors)


def write_serialized(path: Path, start: bytes, tensors: Sequence[NDArray[Any]]) -> None:
    """Write a file's bytes before the data, and its tensors, to the disk.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("wb") as file:
        file.write(start)
        for tensor in tensors:
            file.write(tensor.data.cast("B"))
        file.flush()
        os.fsync(file.fileno())


def serialize(parts: Parts, settings: Settings) -> tuple[bytes, list[NDArray[Any]]]:
    """Return a file's bytes before the data, and its tensors in order.

    The same parts and settings give the same bytes.

    Raises:
        OutputError: The parts break a rule of the specification.
    """
    tensors = _tensors(parts)
    metadata = _metadata(parts, settings)
    metadata["vectors_digest"] = _vectors_digest(metadata, tensors)
    return finish(metadata, tensors), list(tensors.values())


def finish(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a file's bytes before the data, with the digest of the whole.

    Args:
        metadata: All keys and values; any `digest` is replaced.
        tensors: All tensors in the order of the file, contiguous.

    Raises:
        OutputError: The header is too long, or a value is not text.
    """
    values = dict(sorted({**metadata, "digest": _ZERO_DIGEST}.items()))
    entries: dict[str, Any] = {"__metadata__": values}
    position = 0
    for name, tensor in tensors.items():
        entries[name] = {
            "dtype": DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [position, position + tensor.nbytes],
        }
        position += tensor.nbytes
    try:
        header = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        raise OutputError(f"metadata: expected text, found a surrogate: {error}") from None
    header += b" " * (-(8 + len(header)) % ALIGNMENT)
    if len(header) > MAX_HEADER_BYTES:
        raise OutputError(
            f"metadata: expected a header of at most {MAX_HEADER_BYTES} bytes, found {len(header)}"
        )
    start = len(header).to_bytes(8, "little") + header
    sha = hashlib.sha256(start)
    for tensor in tensors.values():
        sha.update(tensor.data.cast("B"))
    # A metadata value holds only escaped quotes, so this text occurs once.
    placeholder = f'"digest":"{_ZERO_DIGEST}"'.encode()
    return start.replace(placeholder, f'"digest":"sha256:{sha.hexdigest()}"'.encode(), 1)


def _tensors(parts: Parts) -> dict[str, NDArray[Any]]:
    """Check the tensors, and return them in the order of the file.

    The tokenizer is the last of the tensors that determine vectors. Spaces pad it, so that optional
    tensors are aligned for every dtype, and do not change the bytes before them.
    """
    table = parts.embeddings
    _demand(table.ndim == 2 and table.size > 0, "embeddings", "(R, D)", str(table.shape))
    n_rows, dim = table.shape
    _demand(dim <= 65_536, "embeddings", "D at most 65,536", str(dim))
    _demand(n_rows <= 16_777_216, "embeddings", "R at most 16,777,216", str(n_rows))
    expected_tensors: dict[str, tuple[NDArray[Any] | None, str, tuple[int, ...]]] = {
        "embeddings": (table, "float32 float16 int8", (n_rows, dim)),
        "scale": (parts.scale, "float32", (dim,)),
        "weights": (parts.weights, "float32", (parts.n_token_ids,)),
        "rows": (parts.rows, "uint16 uint32 int64", (parts.n_token_ids,)),
    }
    tensors: dict[str, NDArray[Any]] = {}
    for name, (tensor, dtypes, shape) in expected_tensors.items():
        if tensor is None:
            continue
        found = f"{tensor.dtype} {tensor.shape}"
        _demand(tensor.dtype.name in dtypes.split(), name, dtypes.replace(" ", " or "), found)
        _demand(tensor.shape == shape, name, str(shape), found)
        if tensor.dtype.kind == "f":
            step = max(1, (1 << 20) // max(1, tensor[0].size))
            for first in range(0, len(tensor), step):
                finite = bool(np.isfinite(tensor[first : first + step]).all())
                _demand(finite, name, "finite values", "NaN or infinity")
        little_endian = tensor.dtype.newbyteorder("<")
        tensors[name] = np.ascontiguousarray(tensor, dtype=little_endian)
    has_scale = parts.scale is not None
    _demand(
        has_scale == (table.dtype == np.int8), "scale", "with int8 and only then", str(has_scale)
    )
    if parts.scale is not None:
        _demand(bool((parts.scale > 0).all()), "scale", "values above 0", str(parts.scale.min()))
    if parts.rows is not None:
        _demand(0 < len(parts.rows) <= 16_777_216, "rows", "1 to 16,777,216", str(len(parts.rows)))
        low, high = int(parts.rows.min()), int(parts.rows.max())
        _demand(low >= 0 and high < n_rows, "rows", f"0 to {n_rows - 1}", f"{low} to {high}")
    _check_tokenizer(parts)
    tensors = dict(sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])))
    definition = parts.tokenizer.rstrip(b" ")
    before = sum(tensor.nbytes for tensor in tensors.values())
    definition += b" " * (-(before + len(definition)) % ALIGNMENT)
    found = f"{len(definition)} bytes"
    _demand(len(definition) <= 268_435_456, "tokenizer", "at most 268,435,456 bytes", found)
    tensors["tokenizer"] = np.frombuffer(definition, np.uint8)
    return tensors | optional_tensors(parts.optional)


def _vectors_digest(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the digest of the keys and tensors that determine vectors."""
    sha = hashlib.sha256(b"staticemb 1\n")
    for key in DECISIVE_KEYS:
        if key in metadata:
            sha.update(f"{key} {metadata[key]}\n".encode())
    for name in DECISIVE_TENSORS:
        if name in tensors:
            tensor = tensors[name]
            fields = [name, DTYPE_NAMES[tensor.dtype], *map(str, tensor.shape)]
            sha.update(f"{' '.join(fields)}\n".encode())
            sha.update(tensor.data.cast("B"))
    return f"sha256:{sha.hexdigest()}"


def _check_tokenizer(parts: Parts) -> None:
    try:
        tokenizer = json.loads(parts.tokenizer.decode("utf-8"))
        vocabulary = tokenizer["model"]["vocab"]
        added = [token["id"] for token in tokenizer.get("added_tokens") or ()]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutputError(
            f"tokenizer: expected the bytes of a tokenizer.json, found an error: {error!r}"
        ) from None
    ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
    highest = max([-1, *ids, *added])
    expected = f"ids below {parts.n_token_ids}"
    _demand(highest < parts.n_token_ids, "tokenizer", expected, str(highest))


def _metadata(parts: Parts, settings: Settings) -> dict[str, str]:
    dim = parts.embeddings.shape[1]
    prefixes = sorted({*settings.prefixes, dim})
    _demand(prefixes[0] >= 1 and prefixes[-1] == dim, "prefixes", f"1 to {dim}", str(prefixes))
    metadata = {
        "format": "staticemb",
        "format_version": "1.0",
        "features": "",
        "dim": str(dim),
        "prefixes": " ".join(map(str, prefixes)),
        "normalize": "true" if settings.normalize else "false",
        "pooling": "mean",
    }
    if settings.damping is not None:
        beta, dims = settings.damping
        _demand(0 <= beta <= MAX_BETA, "damping β", f"0 to {MAX_BETA:g}", str(beta))
        _demand(1 <= dims <= dim, "damping k", f"1 to {dim}", str(dims))
        metadata |= {
            "pooling": "damped_mean",
            "features": "damped_mean",
            "damping_beta": spell(beta),
            "damping_dims": str(dims),
        }
    if settings.max_tokens is not None:
        found = str(settings.max_tokens)
        _demand(1 <= settings.max_tokens < 2**31, "max_tokens", "1 to 2^31 - 1", found)
        metadata["max_tokens"] = found
    if settings.unknown_token_id is not None:
        found = str(settings.unknown_token_id)
        expected = f"0 to {parts.n_token_ids - 1}"
        _demand(
            0 <= settings.unknown_token_id < parts.n_token_ids, "unknown_token_id", expected, found
        )
        metadata["unknown_token_id"] = found
    for key, value in settings.provenance.items():
        permitted = key in FREE_KEYS or key.startswith("x-")
        _demand(permitted, "provenance", f"{', '.join(FREE_KEYS)} or x-…", repr(key))
        _demand(isinstance(value, str), f"provenance {key!r}", "a string", repr(value))
        if key == "languages":
            well_formed = re.fullmatch(r"(?:[^ ]+(?: [^ ]+)*)?", value) is not None
            _demand(well_formed, "languages", "tags with one space between them", repr(value))
        metadata[key] = value
    if settings.prompts:
        metadata["prompts"] = spell_prompts(settings.prompts)
    return metadata | optional_keys(settings.optional)


def spell(number: float) -> str:
    """Format a number by SPEC section 5: no exponent, no redundant zeros."""
    return np.format_float_positional(round(float(number), 15), trim="-")


def _demand(holds: bool, name: str, expected: str, found: str) -> None:
    if not holds:
        raise OutputError(f"{name}: expected {expected}, found {found}")
