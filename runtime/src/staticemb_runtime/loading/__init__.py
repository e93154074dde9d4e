"""Models by path, by installed name, from the Hub, and from folders of other libraries.

In: a path or a name. Out: a path on this machine, or the model's `ModelParts`.
May use: `errors`, `format`, `tokenization`. Public.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .installed import (
    DEFAULT_FILE,
    DEFAULT_MODEL,
    FILE_NAME,
    GROUP,
    find_installed,
    locate,
    not_installed,
)
from .path import open_parts

if TYPE_CHECKING:
    from .foreign import Rules, read_folder
    from .foreign_folder import FolderSettings
    from .foreign_tokenizer import model2vec_limits

__all__ = [
    "DEFAULT_FILE",
    "DEFAULT_MODEL",
    "FILE_NAME",
    "GROUP",
    "FolderSettings",
    "Rules",
    "find_installed",
    "locate",
    "model2vec_limits",
    "not_installed",
    "open_parts",
    "read_folder",
]

# Most programs open files, so the readers of other libraries' folders are imported on first use.
_LAZY = {
    "Rules": ".foreign",
    "FolderSettings": ".foreign_folder",
    "model2vec_limits": ".foreign_tokenizer",
    "read_folder": ".foreign",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name], __name__), name)
