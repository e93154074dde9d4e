"""What determines a model's vectors, as a digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .static_model import StaticModel


def identity(model: StaticModel) -> str:
    """Return a digest of what determines the model's vectors.

    Optional parts of a file, such as heads, do not change it. A folder of another library has no
    such digest; its table and tokenizer are read.
    """
    digest = model.metadata.vectors_digest
    if digest:
        return digest
    file = model._encoder.embedder.file
    sha = hashlib.sha256(repr(file.metadata._replace(extra={}, prompts={})).encode())
    for part in (file.embeddings, file.scale, file.weights, file.rows, file.tokenizer_view):
        if part is not None:
            sha.update(np.ascontiguousarray(part).tobytes())
    return f"folder:{sha.hexdigest()}"
