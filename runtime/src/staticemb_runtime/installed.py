"""Models that are installed: the one that comes with this package, and those that wheels bring.

A model wheel holds a package `P` with nothing but `model.staticemb`, and an entry point of the
group `staticemb.models` whose name is the model's and whose value is `P`. Nothing is imported.
"""

from __future__ import annotations

import os
import re
from typing import Final

from .errors import AmbiguousModelError, ModelNotFoundError

DEFAULT_MODEL: Final = "minilm-en-small"
DEFAULT_FILE: Final = os.path.join(
    os.path.dirname(__file__), "models", f"{DEFAULT_MODEL}.staticemb"
)
GROUP: Final = "staticemb.models"
FILE_NAME: Final = "model.staticemb"
MODEL_VARIABLE: Final = "STATICEMB_MODEL"
MODEL_HELP: Final = (
    f"a file, or an installed model's name [${MODEL_VARIABLE}, else {DEFAULT_MODEL}]"
)

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"


def chosen() -> str | None:
    """The model that the environment names for programs that are told none."""
    return os.environ.get(MODEL_VARIABLE) or None


def locate(model: str | os.PathLike[str] | None) -> str:
    """The file of a model: the path itself where it exists, else what is installed by that name.

    Args:
        model: a path, or a bare name; None: the model that comes with this package.

    Returns:
        The installed model's file; the path as it came where it is no bare name.

    Raises:
        ModelNotFoundError: a bare name that neither a file nor an installed model has.
        AmbiguousModelError: several installed distributions have a model of that name.
    """
    if model is None:
        return DEFAULT_FILE
    if not isinstance(model, str):
        return os.fspath(model)
    if os.path.exists(model) or not re.fullmatch(_NAME, model):
        return model
    if model == DEFAULT_MODEL:
        return DEFAULT_FILE
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    found = entry_points(group=GROUP)
    entries = [entry for entry in found if entry.name == model]
    if not entries:
        names = ", ".join(sorted({DEFAULT_MODEL, *(entry.name for entry in found)}))
        raise ModelNotFoundError(
            f"{model}: no such file, and no installed model of that name (installed: {names})"
        )
    if len(entries) > 1:
        owners = ", ".join(sorted(entry.dist.name for entry in entries if entry.dist))
        raise AmbiguousModelError(f"{model}: expected one installed model, found {owners}")
    (entry,) = entries
    assert entry.dist is not None, "entry_points() finds them through their distributions"
    return str(entry.dist.locate_file(f"{entry.value.replace('.', '/')}/{FILE_NAME}"))
