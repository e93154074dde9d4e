"""Open models that the callers of a process share, each with its word cache."""

from __future__ import annotations

import os
from functools import lru_cache

from ..loading.installed import locate
from .static_model import StaticModel


def shared_model(model: StaticModel | str | os.PathLike[str] | None) -> StaticModel:
    """Return a model; one that is named is opened once a process.

    Raises:
        StaticEmbError: as `StaticModel.load`.
    """
    if isinstance(model, StaticModel):
        return model
    path = os.path.abspath(locate(model))
    try:
        status = os.stat(path)
    except OSError:
        return StaticModel.load(model)  # raises the error that names the model
    return _load(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=8)
def _load(path: str, *version: int) -> StaticModel:
    return StaticModel.load(path)
