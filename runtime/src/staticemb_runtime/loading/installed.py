"""Models that are installed: the one that comes with this package, and those that wheels bring.

A model wheel holds a package `P` with nothing but `model.staticemb`, and an entry point of the
group `staticemb.models` whose name is the model's and whose value is `P`. Nothing is imported.
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
DEFAULT_FILE: Final = os.path.join(
    os.path.dirname(os.path.dirname(__file__)), "models", f"{DEFAULT_MODEL}.staticemb"
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
    """Return the file of a model: the path itself where it exists, else what is installed by name.

    Args:
        model: a path, or a bare name; None: the model that comes with this package.

    Returns:
        The installed model's file; the path as it came where it is no bare name.

    Raises:
        TypeError: `model` is not a string, a path or None.
        ModelNotFoundError: neither a file nor an installed model has that bare name, or it is the
            id of a model of the Hub, which is not asked.
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
            raise ModelNotFoundError(f"{model}: no such file, and {not_installed()}")
        return file
    if os.path.basename(model) == model:  # bare, with what no name of a model holds
        from ..format.tensors import path_error  # spells it

        missing = path_error(model, FileNotFoundError(errno.ENOENT, ""))
        raise ModelNotFoundError(f"{missing}, and {not_installed()}")
    if _is_hub_id(model):
        raise ModelNotFoundError(
            f"{model}: no such file or folder. If it is a Sentence Transformer on the Hub, distill "
            f"it first: staticemb-distiller distill {model} -o model.staticemb. If it is a static "
            f"model on the Hub, StaticModel.from_pretrained({model!r}) opens it"
        )
    return model


def model_files(model: str | None) -> Iterator[str]:
    """The files that a model is read from, so that no output takes the place of one.

    Args:
        model: as for `locate`.

    Yields:
        The file. Of a folder: `model.staticemb`, or the `.json` and `.safetensors` files in it and
        in the folders in it, of which peers' models consist.

    Raises:
        ModelNotFoundError, AmbiguousModelError: as for `locate`.
    """
    from pathlib import Path  # only commands ask

    path = locate(model)
    own = os.path.join(path, FILE_NAME)
    if not os.path.isdir(path):
        yield path
    elif os.path.isfile(own):
        yield own
    else:
        for pattern in ("*.json", "*.safetensors", "*/*.json", "*/*.safetensors"):
            yield from map(str, Path(path).glob(pattern))


def find_installed(name: str) -> str | None:
    """Return the file of the installed model of a bare name; None where there is none.

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
    assert entry.dist is not None, "entry_points() finds them through their distributions"
    return str(entry.dist.locate_file(f"{entry.value.replace('.', '/')}/{FILE_NAME}"))


def not_installed() -> str:
    """Say that no model of a name is installed, and which are: the end of an error message."""
    names = ", ".join(sorted({DEFAULT_MODEL, *(entry.name for entry in _entry_points())}))
    return f"no installed model of that name (installed: {names})"


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    return entry_points(group=GROUP)


def _is_hub_id(name: str) -> bool:
    """Whether a name that is no file looks like `organization/name`, not like a path."""
    organization, _, rest = name.partition("/")
    named = re.fullmatch(_NAME, organization) and re.fullmatch(_NAME, rest)
    return bool(named) and not os.path.isdir(organization) and not name.endswith(".staticemb")
