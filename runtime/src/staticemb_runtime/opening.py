"""Open whatever a path names: a static embedding file, or the folder of another library's model."""

from __future__ import annotations

import os

from .format import StaticFile, read


def open_parts(
    path: str | os.PathLike[str], *, verify: bool = False, mmap: bool = True
) -> StaticFile:
    """Open a file with `format.read`, a folder with `compat.read_folder`.

    Raises:
        ModelNotFoundError: there is nothing of that name.
        NotAModelError: the folder holds no model that this package can read.
        FormatError: a subclass for each fault.
    """
    if os.path.isdir(path):
        from .compat import read_folder  # most programs open files

        return read_folder(path, verify=verify, mmap=mmap)
    return read(path, verify=verify, mmap=mmap)
