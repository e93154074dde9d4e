"""Static embedding files: header, metadata, tensors and tokenizer, checked by the rules of SPEC.md.

In: the path of a file. Out: a `ModelParts`, whose arrays are views of the mapped file.
May use: `errors`. Public.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .header import MAX_DIM, MAX_ROWS
from .metadata import Metadata, Pooling
from .parts import ModelParts, TextLimits
from .reader import read
from .tokenizer_check import missing_unknown, model_type, token_ids

if TYPE_CHECKING:
    from .heads import Head, HeadKind, Layer, head_names, read_head
    from .space import Space, SpacePart, read_space

__all__ = [
    "MAX_DIM",
    "MAX_ROWS",
    "Head",
    "HeadKind",
    "Layer",
    "Metadata",
    "ModelParts",
    "Pooling",
    "Space",
    "SpacePart",
    "TextLimits",
    "head_names",
    "missing_unknown",
    "model_type",
    "read",
    "read_head",
    "read_space",
    "token_ids",
]

# Most programs never need them.
_LAZY = dict.fromkeys(("Space", "SpacePart", "read_space"), ".space") | dict.fromkeys(
    ("Head", "HeadKind", "Layer", "head_names", "read_head"), ".heads"
)


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name], __name__), name)
    globals()[name] = value  # Python does not call __getattr__ for this name again
    return value
