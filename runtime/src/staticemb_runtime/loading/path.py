"""Loading by path: a static embedding file, or the folder of another library's model."""

from __future__ import annotations

import os

from ..errors import StaticEmbError
from ..format.parts import ModelParts
from ..format.reader import read
from ..format.tensors import path_error
from .installed import FILE_NAME


def open_parts(
    path: str | os.PathLike[str], *, verify: bool = False, mmap: bool = True
) -> ModelParts:
    """Open a file with `format.read`, a folder with `read_folder`.

    A folder that holds `model.staticemb` is opened as that file, like a repository of the Hub.

    Raises:
        ModelNotFoundError: the path does not exist.
        NotAModelError: the folder holds no model that this package can read, or the path cannot be
            read.
        FormatError: a subclass for each fault.
    """
    if os.path.isdir(path) and os.path.isfile(file := os.path.join(path, FILE_NAME)):
        path = file
    if not os.path.isdir(path):
        return read(path, verify=verify, mmap=mmap)
    from .foreign import read_folder  # late: most programs open files

    try:
        return read_folder(path, verify=verify, mmap=mmap)
    except StaticEmbError:
        raise
    except OSError as error:  # a file of the folder disappeared or cannot be read
        raise path_error(error.filename or path, error) from None
