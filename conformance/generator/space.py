"""The tensors and the metadata of the part `space` (SPEC 6.3)."""

from __future__ import annotations

from typing import Any

from generator.files import File, Tensor, compact, tensor
from generator.valid import numbers, with_optional

PROJECTION, OFFSET, PROBES = (f"space.{name}" for name in ("projection", "offset", "probes"))
H, D = 4, 6
MEMBERS = {"dimension": str(H), "documents": "table", "teacher": "a/b"}

Part = dict[str, Tensor]


def axis(place: int, length: float = 1.0, height: int = H) -> list[float]:
    """Return a vector of one element that is not zero."""
    return [length if j == place % height else 0.0 for j in range(height)]


def tensors(height: int = H, dim: int = D, *, offset: bool = False, probes: bool = False) -> Part:
    """Return the tensors of a part."""
    made = {PROJECTION: tensor("F32", numbers("projection", height * dim), height, dim)}
    if offset:
        made[OFFSET] = tensor("F32", [x / 16 for x in numbers("offset", height)])
    if probes:
        rows = [x for i in range(8) for x in axis(i, -1.0 if i % 3 else 1.0, height)]
        made[PROBES] = tensor("F32", rows, 8, height)
    return made


def made(base: File, part: Part, members: dict[str, Any] | str | None = None) -> File:
    """Add a part to a file."""
    members = MEMBERS if members is None else members
    key = members if isinstance(members, str) else compact(dict(sorted(members.items())))
    return with_optional(base, part, space=key)
