"""The reader of static embedding files: maps a file, checks it, returns its parts (SPEC).

Only this module reads `.staticemb` files. Opening reads the header, the row map, the scale and the
weights. The table and the tokenizer are mapped but not read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import (
    DigestMismatchError,
    HeaderMisalignedError,
    PartError,
    RowOutOfRangeError,
    ScaleNotPositiveError,
    ValueNotFiniteError,
    VectorsDigestMismatchError,
)
from .file_state import file_state
from .header import TENSORS, parse_header
from .metadata import DECISIVE_KEYS, SPACE_KEY
from .parts import ModelParts
from .pieces import DEFINITION
from .pieces import PART as PIECES
from .tensors import map_file, view
from .tokenizer_check import check_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .header import Header
    from .safetensors_header import TensorEntry

_BLOCK_BYTES: Final = 1 << 20


def read(path: str | os.PathLike[str], *, verify: bool = False, mmap: bool = True) -> ModelParts:
    """Open a static embedding file.

    Args:
        path: the file.
        verify: also make the deferred checks (SPEC section 3), which read the whole file: the
            digests match, the table is finite, and the tokenizer is valid and fits the table. An
            optional part that is malformed or differs from the tokenizer is named in `refused`.
        mmap: False to read the file into memory, so that later writes to it have no effect.

    Returns:
        The model's parts. The map stays open while one of them is in use.

    Raises:
        ModelNotFoundError: the file does not exist.
        NotAModelError: the path is not a regular file, or cannot be read.
        FormatError: a subclass for each fault, as in SPEC section 13.3.
    """
    source = os.fspath(path)
    data, start = map_file(source, mmap=mmap)
    if start % 8:
        expected = "a multiple of 8"
        raise HeaderMisalignedError(source, "header length", expected, str(start - 8))
    header = parse_header(data[8:start].tobytes(), len(data) - start, source)
    views = {entry.name: view(data[start:], entry) for entry in header.tensors.values()}
    file = ModelParts(
        path=source,
        metadata=header.metadata,
        embeddings=views["embeddings"],
        scale=views.get("scale"),
        weights=views.get("weights"),
        rows=views.get("rows"),
        tokenizer_view=views["tokenizer"],
        mapped=(file_state(source),) if mmap else (),
        optional=_OptionalTensors(data[start:], header.optional),
    )
    check_values(file)
    if verify:
        _check_digest(data, start, header.metadata.digest, source)
        _check_vectors_digest(header, data, start, source)
        check_contents(file)
        file = file._replace(refused=_refused_parts(file))
    return file


def _refused_parts(file: ModelParts) -> tuple[str, ...]:
    """Return the names of the known optional parts that are malformed or differ (SPEC 6.1)."""
    refused = []
    if DEFINITION in file.optional:
        from .pieces_check import equal_pieces  # late: only full verification needs it

        if not equal_pieces(file.optional, file.tokenizer, file.n_token_ids):
            refused.append(PIECES)
    if SPACE_KEY in file.metadata.extra:
        from .space import read_space

        try:
            read_space(file)
        except PartError:
            refused.append(SPACE_KEY)
    if any(key.startswith("head.") for key in file.metadata.extra):
        from .heads import head_names, read_head

        for name in head_names(file.metadata):
            try:
                read_head(file, name)
            except PartError:
                refused.append(f"head.{name}")
    return tuple(refused)


class _OptionalTensors(Mapping[str, "NDArray[Any]"]):
    """Tensors by name, each mapped on access."""

    def __init__(self, data: NDArray[np.uint8], entries: dict[str, TensorEntry]) -> None:
        self._data = data
        self._entries = entries

    def __getitem__(self, name: str) -> NDArray[Any]:
        return view(self._data, self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def check_contents(file: ModelParts) -> None:
    """Check that the table is finite and that the tokenizer follows SPEC section 7.

    Whether the tokenizer can be built is left to `tokenization.check_tokenizer`.

    Raises:
        FormatError: a subclass for each fault, as in SPEC section 13.3.
    """
    for first, block in _blocks(file.embeddings):
        _check_finite(block, "embeddings", file.path, first)
    check_tokenizer(file.tokenizer, file.n_token_ids, file.path)


def check_values(file: ModelParts) -> None:
    """Check the values of the small tensors.

    Raises:
        RowOutOfRangeError, ValueNotFiniteError, ScaleNotPositiveError
    """
    source = file.path
    if file.rows is not None:
        n_rows = len(file.embeddings)
        low, high = int(file.rows.min()), int(file.rows.max())
        if low < 0 or high >= n_rows:
            found = f"{low if low < 0 else high}"
            raise RowOutOfRangeError(source, "'rows'", f"values from 0 to {n_rows - 1}", found)
    for name, values in (("scale", file.scale), ("weights", file.weights)):
        if values is not None:
            _check_finite(values, name, source, 0)
    if file.scale is not None and not (file.scale > 0).all():
        column = int(np.argmin(file.scale > 0))
        found = f"{file.scale[column]} at {column}"
        raise ScaleNotPositiveError(source, "'scale'", "values above 0", found)


def _check_finite(values: NDArray[Any], name: str, source: str, first: int) -> None:
    """Check a tensor's values, or a block of its rows from row `first`."""
    finite = np.isfinite(values)
    if not finite.all():
        index = np.unravel_index(int(np.argmin(finite)), values.shape)
        found = f"{values[index]} at {[int(index[0]) + first, *map(int, index[1:])]}"
        raise ValueNotFiniteError(source, repr(name), "finite values", found)


def _blocks(table: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Cut a floating-point table into blocks of rows; yield none of an integer table."""
    if table.dtype.kind == "f":
        step = max(1, _BLOCK_BYTES // (table.shape[1] * table.itemsize))
        for first in range(0, len(table), step):
            yield first, table[first : first + step]


def _check_digest(data: NDArray[np.uint8], start: int, digest: str, source: str) -> None:
    """Compare the file's bytes with its digest (SPEC section 10)."""
    import hashlib  # late: slow to import, and only full verification needs it

    digits = digest.removeprefix("sha256:").encode()
    head = data[:start].tobytes()
    if head.count(digits) != 1:
        found = f"{head.count(digits)} times"
        raise DigestMismatchError(source, "digest", "its digits once in the header", found)
    sha = hashlib.sha256(head.replace(digits, b"0" * len(digits)))
    for first in range(start, len(data), _BLOCK_BYTES):
        sha.update(data[first : first + _BLOCK_BYTES].data)
    if sha.hexdigest().encode() != digits:
        raise DigestMismatchError(source, "digest", digest, f"sha256:{sha.hexdigest()}")


def _check_vectors_digest(header: Header, data: NDArray[np.uint8], start: int, source: str) -> None:
    """Compare the parts that determine vectors with `vectors_digest` (SPEC section 10)."""
    import hashlib

    sha = hashlib.sha256(b"staticemb 1\n")
    for key in DECISIVE_KEYS:
        if key in header.values:
            sha.update(f"{key} {header.values[key]}\n".encode())
    for name in sorted(TENSORS):
        if name in header.tensors:
            entry = header.tensors[name]
            sha.update(f"{' '.join([name, entry.dtype, *map(str, entry.shape)])}\n".encode())
            for first in range(start + entry.begin, start + entry.end, _BLOCK_BYTES):
                sha.update(data[first : min(first + _BLOCK_BYTES, start + entry.end)].data)
    expected = header.metadata.vectors_digest
    if f"sha256:{sha.hexdigest()}" != expected:
        found = f"sha256:{sha.hexdigest()}"
        raise VectorsDigestMismatchError(source, "vectors_digest", expected, found)
