"""Static text embeddings: token lookup, Zipf-weighted mean, Matryoshka prefix."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .errors import StaticEmbError

if TYPE_CHECKING:
    from .encoding.embedder import Token
    from .encoding.vectors import normalize, quantize, similarity, similarity_pairwise, truncate
    from .format.metadata import Metadata
    from .format.space import PROBE_TEXTS
    from .model import StaticModel

__all__ = [
    "PROBE_TEXTS",
    "Metadata",
    "StaticEmbError",
    "StaticModel",
    "Token",
    "normalize",
    "quantize",
    "similarity",
    "similarity_pairwise",
    "truncate",
]
__version__ = "0.1.0"

# These modules import numpy. A command installs its signal handlers before that import.
_LAZY = {
    "Metadata": ".format.metadata",
    "PROBE_TEXTS": ".format.space",
    "StaticModel": ".model",
    "Token": ".encoding.embedder",
} | dict.fromkeys(
    ["normalize", "quantize", "similarity", "similarity_pairwise", "truncate"], ".encoding.vectors"
)


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name], __name__), name)
    globals()[name] = value  # Python does not call __getattr__ for this name again
    return value
