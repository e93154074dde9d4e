"""Temporary folders for large files, which the next run removes if a run was killed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from .output_file import working_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = ".staticemb-"
_LOCK: Final = "lock"


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Make a temporary folder, and remove it at the end.

    It lies in the output's folder, which has room for large files; the system's temporary folder
    may be in memory. A process that is killed leaves its folder. So folders whose process has ended
    are removed first; a lock that ends with its process tells them from those in use.

    Args:
        output: The output of the work. For one that is no regular file, the folder is the system's
            temporary folder.

    Yields:
        The folder.

    Raises:
        OSError: The folder cannot be made.
    """
    parent = working_folder(output) or Path(tempfile.gettempdir())
    _sweep(parent)
    with (
        # Windows cannot delete a file that is still mapped.
        tempfile.TemporaryDirectory(
            prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True
        ) as folder,
        ExitStack() as stack,
    ):
        path = Path(folder)
        lock = stack.enter_context((path / "new").open("wb"))
        if _locks(lock):
            # Not before it is locked: another process could take it for an abandoned one.
            with suppress(OSError):
                (path / "new").rename(path / _LOCK)
        yield path


def _sweep(parent: Path) -> None:
    """Remove the folders of processes that have ended."""
    with suppress(OSError):
        for folder in list(parent.glob(f"{_PREFIX}*")):
            with suppress(OSError):
                if _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    lock = folder / _LOCK
    if folder.is_symlink() or lock.is_symlink() or not lock.is_file():
        return False
    if sys.platform == "win32":
        lock.unlink()  # fails as long as a process has it open
        return True
    if folder.stat().st_uid != os.geteuid():
        return False
    with lock.open("r+b") as file:
        return _locks(file)


def _locks(file: IO[bytes]) -> bool:
    """Lock a file until it is closed; return False if another process has locked it."""
    if sys.platform == "win32":
        return True  # an open file cannot be removed
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # also a file system without locks
        return False
    return True
