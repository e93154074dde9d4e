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


def check_path(path: object, name: str = "model") -> str:
    """A path as a string.

    Raises:
        TypeError: it is neither a string nor an object that stands for one. An integer would be
            taken for an open file's descriptor.
        ModelNotFoundError: no file can have such a path.
    """
    if isinstance(path, (str, os.PathLike)):
        path = os.fspath(path)
    if isinstance(path, str):
        try:
            possible = bool(path) and b"\0" not in os.fsencode(path)
        except UnicodeEncodeError:
            possible = False
        if not possible:
            raise ModelNotFoundError(f"{name}: expected a path or a name, found {path!a:.60}")
        return str.__str__(path)
    hint = "; os.fsdecode makes a string of it" if isinstance(path, bytes) else ""
    raise TypeError(f"{name}: expected a path as a string, found {type(path).__name__}{hint}")


def locate(model: str | os.PathLike[str] | None) -> str:
    """The file of a model: the path itself where it exists, else what is installed by that name.

    Args:
        model: a path, or a bare name; None: the model that comes with this package.

    Returns:
        The installed model's file; the path as it came where it is no bare name.

    Raises:
        TypeError: `model` is not a string, a path or None.
        ModelNotFoundError: a bare name that neither a file nor an installed model has; a name of
            the Hub's kind that no file has.
        AmbiguousModelError: several installed distributions have a model of that name.
    """
    if model is None:
        return DEFAULT_FILE
    path = check_path(model)
    if not isinstance(model, str) or os.path.exists(path):
        return path
    if re.fullmatch(rf"{_NAME}/{_NAME}", path) and not path.endswith(".staticemb"):
        raise ModelNotFoundError(
            f"{path}: no such file; StaticModel.from_pretrained({path!r}) asks the Hub for it"
        )
    if not re.fullmatch(_NAME, path):
        return path
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
