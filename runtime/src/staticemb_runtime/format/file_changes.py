"""Whether a mapped file is still the one that was opened.

Writing into a file that is mapped changes what a model reads, and cutting it short ends the process
with SIGBUS. Neither can be prevented from here. Both are found out by asking the system for the
file's size and time of change, before and after each block of texts. A file that is replaced, as by
`os.replace`, is another file: the map keeps the old one, and nothing is wrong.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..errors import FileChangedError, StaticEmbError

if TYPE_CHECKING:
    from .parts import ModelParts


class FileState(NamedTuple):
    """A file as the system describes it.

    Attributes:
        path: its absolute path.
        inode: which file it is: device and number.
        size: in bytes.
        changed: the time of the last change of its content, in nanoseconds.
    """

    path: str
    inode: tuple[int, int]
    size: int
    changed: int


def file_state(path: str | os.PathLike[str]) -> FileState:
    """Describe a file.

    Raises:
        OSError: there is none.
    """
    place = os.path.abspath(path)
    status = os.stat(place)
    return FileState(place, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


class ChangeGuard:
    """Finds out whether the mapped files of a model were written to.

    Args:
        file: the parts of the model.
    """

    def __init__(self, file: ModelParts) -> None:
        self._file = file
        self._states = file.mapped

    def check(self) -> None:
        """Compare the files with what they were when the model was loaded.

        Raises:
            FileChangedError: one was written to or cut short.
        """
        for state in self._states:
            try:
                now = os.stat(state.path)
            except OSError:
                continue  # moved or deleted: the map keeps it
            if now.st_mtime_ns == state.changed and now.st_size == state.size:
                continue
            if (now.st_dev, now.st_ino) == state.inode:
                self._check_content(state, now.st_size)

    def _check_content(self, state: FileState, size: int) -> None:
        """Forgive a new time, which `touch` gives as well, if the digest is still right."""
        found = f"{size} bytes instead of {state.size}"
        if size == state.size:
            found = "a later time of change and another content"
            if self._file.metadata.digest and self._is_the_same(state):
                self._states = tuple(
                    file_state(state.path) if other is state else other for other in self._states
                )
                return
        raise FileChangedError(
            f"{state.path}: expected the file as it was loaded, found {found}: load the model "
            "again. To replace a file that is in use, write another and rename it, or load with "
            "mmap=False"
        )

    def _is_the_same(self, state: FileState) -> bool:
        from .reader import read  # which imports this module

        try:
            return read(state.path, verify=True).metadata == self._file.metadata
        except StaticEmbError:
            return False
