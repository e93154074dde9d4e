"""A server of models and search indexes: the APIs of OpenAI and of Text Embeddings Inference.

In: HTTP requests with texts. Out: vectors, rankings, hits, labels.
May use: all rooms up to `search`. Needs the extra `serve`. Public: `create_app`, `Limits`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .limits import Limits

if TYPE_CHECKING:
    from .application import create_app

__all__ = ["Limits", "create_app"]


def __getattr__(name: str) -> object:
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(".application", __name__).create_app
