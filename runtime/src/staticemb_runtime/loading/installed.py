"""Installed models: this package's bundled model, and the models in other wheels.

A model wheel holds a package `P` with only `model.staticemb`, and an entry point of the group
`staticemb.models` whose name is the model's and whose value is `P`. `P` is never imported.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Final

from ..errors import AmbiguousModelError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoints

DEFAULT_MODEL: Final = "minilm-en-small"
"""The name of the model in this package."""
DEFAULT_FILE: Final = os.path.join(
    os.path.dirname(os.path.dirname(__file__)), "models", f"{DEFAULT_MODEL}.staticemb"
)
"""The file of the model in this package."""
GROUP: Final = "staticemb.models"
"""The group of entry points by which a package provides a model."""
FILE_NAME: Final = "model.staticemb"
"""The name of a model's file in a folder, wheel or repository."""
# Short names of this project's model wheels -> the package that pip installs.
MODEL_PACKAGES: Final = {"multilingual": "staticemb-model-multilingual"}
MODEL_VARIABLE: Final = "STATICEMB_MODEL"
MODEL_HELP: Final = (
    "a file, an installed model's name, or a folder of model2vec or sentence-transformers "
    f"[${MODEL_VARIABLE}, else {DEFAULT_MODEL}]"
)

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"


def chosen() -> str | None:
    """Return the model that the environment names as the default of programs, or None."""
    return os.environ.get(MODEL_VARIABLE) or None


def check_path(path: object, name: str = "model") -> str:
    """Return a path as a string.

    Raises:
        TypeError: the path is neither a string nor a path object. The system would take an integer
            for an open file's descriptor.
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
    hint = "; os.fsdecode converts it to a string" if isinstance(path, bytes) else ""
    raise TypeError(f"{name}: expected a path as a string, found {type(path).__name__}{hint}")


def locate(model: str | os.PathLike[str] | None) -> str:
    """Return the file of a model: the path itself if it exists, else the installed model's file.

    Args:
        model: a path, or a bare name; None: the bundled model.

    Returns:
        The installed model's file, or the unchanged path if it exists or is not a bare name.

    Raises:
        TypeError: `model` is not a string, a path or None.
        ModelNotFoundError: neither a file nor an installed model has that bare name, or `model` is
            an id on the Hub, which this function does not use.
        AmbiguousModelError: several installed distributions have a model of that name.
    """
    if model is None:
        return DEFAULT_FILE
    path = check_path(model)
    if not isinstance(model, str) or os.path.exists(path):
        return path
    if re.fullmatch(_NAME, model):
        file = find_installed(model)
        if file is None:
            raise ModelNotFoundError(f"{model}: no such file, and {not_installed(model)}")
        return file
    if os.path.basename(model) == model:  # a bare name with characters that no model's name has
        from ..format.tensors import path_error  # escapes such characters

        missing = path_error(model, FileNotFoundError(errno.ENOENT, ""))
        raise ModelNotFoundError(f"{missing}, and {not_installed(model)}")
    if _is_hub_id(model):
        raise ModelNotFoundError(
            f"{model}: no such file or folder. If it is a Sentence Transformer on the Hub, distill "
            f"it first: staticemb-distiller distill {model} -o model.staticemb. If it is a static "
            f"model on the Hub, StaticModel.from_pretrained({model!r}) opens it"
        )
    return model


def model_files(model: str | None) -> Iterator[str]:
    """Yield the files that a model is read from, so that no output replaces one of them.

    Args:
        model: as for `locate`.

    Yields:
        The file. For a folder: its `model.staticemb`, or the `.json` and `.safetensors` files in it
        and in its direct subfolders, as in other libraries' models.

    Raises:
        ModelNotFoundError, AmbiguousModelError: as for `locate`.
    """
    from pathlib import Path  # late: only commands need it

    path = locate(model)
    file = os.path.join(path, FILE_NAME)
    if not os.path.isdir(path):
        yield path
    elif os.path.isfile(file):
        yield file
    else:
        for pattern in ("*.json", "*.safetensors", "*/*.json", "*/*.safetensors"):
            yield from map(str, Path(path).glob(pattern))


def find_installed(name: str) -> str | None:
    """Return the file of the installed model with a bare name; None if there is none.

    Raises:
        AmbiguousModelError: several installed distributions have a model of that name.
    """
    if name == DEFAULT_MODEL:
        return DEFAULT_FILE
    entries = [entry for entry in _entry_points() if entry.name == name]
    if len(entries) > 1:
        owners = ", ".join(sorted(entry.dist.name for entry in entries if entry.dist))
        raise AmbiguousModelError(f"{name}: expected one installed model, found {owners}")
    if not entries:
        return None
    (entry,) = entries
    assert entry.dist is not None, "entry_points() reads each entry from a distribution"
    return str(entry.dist.locate_file(f"{entry.value.replace('.', '/')}/{FILE_NAME}"))


def not_installed(name: str) -> str:
    """Make the end of an error message: no model of a name is installed, which are, what to do."""
    names = ", ".join(sorted({DEFAULT_MODEL, *(entry.name for entry in _entry_points())}))
    package = MODEL_PACKAGES.get(name.removeprefix("staticemb-model-"))
    way_out = f"; pip install {package}" if package else ""
    return f"no installed model of that name (installed: {names}){way_out}"


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # late: slow to import, seldom needed

    return entry_points(group=GROUP)


def _is_hub_id(name: str) -> bool:
    """Tell whether a name that is not a file looks like `organization/name`, not like a path."""
    organization, _, rest = name.partition("/")
    named = re.fullmatch(_NAME, organization) and re.fullmatch(_NAME, rest)
    return bool(named) and not os.path.isdir(organization) and not name.endswith(".staticemb")
