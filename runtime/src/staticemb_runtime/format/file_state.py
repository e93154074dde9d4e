"""A file's identity, size and modification time."""

from __future__ import annotations

import os
from typing import NamedTuple


class FileState(NamedTuple):
    """A file's identity, size and modification time.

    Attributes:
        path: the absolute path.
        inode: the device and the inode number.
        size: in bytes.
        changed: the modification time, in nanoseconds.
    """

    path: str
    inode: tuple[int, int]
    size: int
    changed: int


def file_state(path: str | os.PathLike[str]) -> FileState:
    """Return the state of a file.

    Raises:
        OSError: the file does not exist.
    """
    absolute = os.path.abspath(path)
    status = os.stat(absolute)
    return FileState(absolute, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)
