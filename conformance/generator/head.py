"""The tensors and the metadata of the part `head` (SPEC 6.4)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from generator.files import File, Tensor, compact, tensor
from generator.valid import numbers, octets, with_optional

D, K, Q = 6, 3, 4
LABELS = ("billing", "größe", "🐈 other")
MEMBERS = {"kind": "softmax", "normalize": "true"}

Part = dict[str, Tensor]


def names(labels: Sequence[str]) -> Part:
    """Return the tensors of the names of outputs."""
    encoded = [label.encode() for label in labels]
    ends = [sum(map(len, encoded[: i + 1])) for i in range(len(encoded))]
    return {"labels": octets(b"".join(encoded)), "label-ends": tensor("U32", ends)}


def layer(seed: str, rows: int, columns: int, *, prefix: str = "", dtype: str = "F32") -> Part:
    """Return the tensors of a layer."""
    made = {f"{prefix}bias": tensor("F32", [x / 8 for x in numbers(f"{seed} bias", rows)])}
    if dtype == "I8":
        draw = random.Random(seed)
        steps = [draw.randrange(-128, 128) for _ in range(rows * columns)]
        made[f"{prefix}scale"] = tensor("F32", [draw.randrange(1, 64) / 512 for _ in range(rows)])
    else:
        steps = numbers(seed, rows * columns)
    return {f"{prefix}weights": tensor(dtype, steps, rows, columns)} | made


def head(
    seed: str, labels: Sequence[str] = LABELS, *, columns: int = D, hidden: int = 0,
    dtypes: str = "F32 F32",
) -> Part:  # fmt: skip
    """Return the tensors of a head, by their labels.

    Args:
        seed: the seed of the drawn numbers.
        labels: the names of its outputs.
        columns: d.
        hidden: Q; 0: no hidden layer.
        dtypes: the dtypes of the weights and of the hidden weights.
    """
    dtype, inner = dtypes.split()
    made = layer(seed, len(labels), hidden or columns, dtype=dtype) | names(labels)
    if hidden:
        made |= layer(f"{seed} hidden", hidden, columns, prefix="hidden-", dtype=inner)
    return made


def made(base: File, heads: dict[str, tuple[Part, dict[str, Any] | str]]) -> File:
    """Add heads to a file: by name, their tensors and metadata."""
    tensors, keys = {}, {}
    for name, (part, members) in heads.items():
        tensors |= {f"head.{name}.{label}": value for label, value in part.items()}
        spelled = members if isinstance(members, str) else compact(dict(sorted(members.items())))
        keys[f"head.{name}"] = spelled
    file = with_optional(base, tensors)
    file.metadata |= keys
    return file
