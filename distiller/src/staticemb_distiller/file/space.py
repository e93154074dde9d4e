"""The part `space` of a file: tensors and metadata (conformance/SPEC.md, section 6.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..table.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

_KEY = "space"


def space_parts(space: Space) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the tensors for `Parts.optional` and the metadata for `Settings.optional`."""
    tensors = {
        f"{_KEY}.{name}": np.asarray(tensor, np.float32)
        for name in ("projection", "offset", "probes")
        if (tensor := getattr(space, name)) is not None
    }
    members = {
        "dimension": str(len(space.projection)),
        "documents": space.documents,
        "teacher": space.teacher,
    }
    if space.revision:
        members["revision"] = space.revision
    spelled = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return tensors, {_KEY: spelled}


def read_space(parts: ModelParts) -> Space | None:
    """Read the part of an opened file; None if it has none."""
    if _KEY not in parts.metadata.extra:
        return None
    members = json.loads(parts.metadata.extra[_KEY])
    tensors = {
        name: np.array(parts.optional[f"{_KEY}.{name}"], np.float32)
        for name in ("projection", "offset", "probes")
        if f"{_KEY}.{name}" in parts.optional
    }
    return Space(
        members["teacher"], members.get("revision", ""), documents=members["documents"], **tensors
    )
