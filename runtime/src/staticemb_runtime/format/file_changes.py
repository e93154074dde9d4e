"""Detection of writes to a memory-mapped file.

A write to a mapped file changes the data that the model reads. Truncation ends the process with
SIGBUS. This package cannot prevent either; it compares the file's size and modification time before
and after each block of texts, and before a query. Replacing a file, as `os.replace` does, is safe:
the map keeps the old file.
"""

from __future__ import annotations

import math
import os
from time import perf_counter
from typing import TYPE_CHECKING, Final

from ..errors import FileChangedError, StaticEmbError
from .file_state import FileState, file_state
from .reader import read

if TYPE_CHECKING:
    from .parts import ModelParts

_QUERY_INTERVAL: Final = 0.001  # seconds


class ChangeGuard:
    """Detects writes to the mapped files of a model.

    Args:
        file: the parts of the model.
    """

    def __init__(self, file: ModelParts) -> None:
        self._file = file
        self._states = file.mapped
        self._checked = -math.inf

    def check(self) -> None:
        """Compare the files with their states when the model was loaded.

        Raises:
            FileChangedError: a file was written to or truncated.
        """
        for state in self._states:
            try:
                status = os.stat(state.path)
            except OSError:
                continue  # moved or deleted: the map keeps it
            if status.st_mtime_ns == state.changed and status.st_size == state.size:
                continue
            if (status.st_dev, status.st_ino) == state.inode:
                self._check_content(state, status.st_size)

    def check_for_query(self) -> None:
        """Check the files, unless the last query did so less than a millisecond ago.

        The system call would take a sixth of a query. A check before a query misses what is written
        while the query runs; with the interval it misses what is written a millisecond before. The
        queries that follow find the change.

        Raises:
            FileChangedError: as `check`.
        """
        now = perf_counter()
        if now - self._checked > _QUERY_INTERVAL:
            self.check()
            self._checked = now

    def _check_content(self, state: FileState, size: int) -> None:
        """Accept a new modification time, which `touch` also sets, if the digest still matches."""
        found = f"{size} bytes instead of {state.size}"
        if size == state.size:
            found = "a new modification time and different content"
            if self._file.metadata.digest and self._is_the_same(state):
                self._states = tuple(
                    file_state(state.path) if mapped is state else mapped for mapped in self._states
                )
                return
        raise FileChangedError(
            f"{state.path}: expected the file as it was loaded, found {found}: load the model "
            "again. To replace a file that is in use, write a new file and rename it, or load with "
            "mmap=False"
        )

    def _is_the_same(self, state: FileState) -> bool:
        try:
            return read(state.path, verify=True).metadata == self._file.metadata
        except StaticEmbError:
            return False
