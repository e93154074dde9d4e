"""Addition of heads to a static embedding file, whose vectors stay as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime.format import read

from ..errors import OutputError
from ..output_file import atomic_file, check_output, reported
from .head import head_parts, names_of
from .optional_parts import optional_tensors
from .writer import finish, write_serialized

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

    from .head import Head, HeadPrecision

_ITEM = 8  # bytes of the largest element of an optional tensor


def with_heads(
    model: str | os.PathLike[str],
    heads: Sequence[Head],
    output: str | os.PathLike[str],
    *,
    precision: HeadPrecision = "float32",
    replace: bool = False,
) -> None:
    """Copy a static embedding file with heads added; its vectors and `vectors_digest` stay.

    The table is not read into memory. All other parts of the file stay as they are.

    Args:
        model: The file.
        heads: The heads, whose names differ.
        output: The file to write. It appears, or is replaced, only when it is complete and checked;
            it may be the file itself.
        precision: The number format of the weights.
        replace: Whether a head replaces one of the same name.

    Raises:
        StaticEmbError: The file cannot be opened, or is invalid.
        OutputError: A head breaks a rule of the specification, or its name is taken; the runtime
            refuses a head of the new file; or the file cannot be written.
    """
    path = Path(output)
    check_output(path)
    # Windows replaces no file that is mapped.
    file = read(model, verify=True, mmap=not (path.exists() and path.samefile(model)))
    metadata = _metadata(Path(model))
    optional = dict(file.optional)
    for name in names_of(heads):
        part = f"head.{name}"
        if part in metadata and not replace:
            raise OutputError(f"{file.path}: expected no head {name!r}, found one")
        metadata.pop(part, None)
        optional = {key: optional[key] for key in optional if not key.startswith(f"{part}.")}
    for head in heads:
        tensors, keys = head_parts(head, file.metadata.dim, precision=precision)
        optional |= tensors
        metadata |= keys
    tensors = _vector_tensors(file) | optional_tensors(optional)
    start = finish(metadata, tensors)
    with reported(path, OutputError), atomic_file(path) as temporary:
        write_serialized(temporary, start, list(tensors.values()))
        written = read(temporary, verify=True)
        for name in names_of(heads):
            if f"head.{name}" in written.refused:
                raise OutputError(f"{path}: expected a valid head {name!r}, found a fault in it")


def _metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a file that the runtime has checked, as strings."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        metadata: dict[str, str] = json.loads(file.read(length))["__metadata__"]
    return metadata


def _vector_tensors(file: ModelParts) -> dict[str, NDArray[Any]]:
    """Return the tensors that determine vectors, in the writer's order, with their exact bytes."""
    named = {
        "embeddings": file.embeddings,
        "scale": file.scale,
        "weights": file.weights,
        "rows": file.rows,
    }
    tensors = {name: tensor for name, tensor in named.items() if tensor is not None}
    tensors = dict(sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])))
    tensors["tokenizer"] = np.asarray(file.tokenizer_view)
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size % _ITEM:
        raise OutputError(
            f"{file.path}: expected a tokenizer that ends at a multiple of {_ITEM} bytes, so that "
            f"heads are aligned behind it, found {size}; write the file again with this package"
        )
    return tensors
