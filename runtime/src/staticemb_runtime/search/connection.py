"""How SQLite opens the file of an index: with limits, and where nobody else can write, alone."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import Final, NamedTuple

_WAL_PAGES: Final = 4000  # pages of the log before it is copied into the main file: 16 MB
_CACHE_KIBIBYTES: Final = 32 * 1024


class IndexFileState(NamedTuple):
    """What tells whether a file has changed.

    Attributes:
        inode: the number of the file.
        size: its bytes.
        time: when it was changed, in nanoseconds.
        logged: whether its log holds changes.
    """

    inode: int
    size: int
    time: int
    logged: bool


def file_state(path: str) -> IndexFileState | None:
    """Return the state of a file; None if it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return IndexFileState(status.st_ino, status.st_size, status.st_mtime_ns, has_log(path))


def log_file(path: str) -> str:
    """Return the log that SQLite keeps beside an index that is open; it follows links."""
    return f"{os.path.realpath(path)}-wal"


def has_log(path: str) -> bool:
    """Tell whether the log of an index holds changes that are not in the main file yet."""
    try:
        return os.path.getsize(log_file(path)) > 0
    except OSError:
        return False


def is_read_alone(path: str) -> bool:
    """Tell whether a file is to be opened as one that nobody changes.

    SQLite needs files beside the main one to let readers and writers meet. A user who may not write
    to the main file cannot make them, or would leave them behind, and their owner could then not
    write any more. As long as there is no log, all is in the main file.
    """
    folder = os.path.dirname(os.path.realpath(path))
    return not (os.access(folder, os.W_OK) and os.access(path, os.W_OK)) and not has_log(path)


def connect(path: str, parameters: str, timeout: float) -> sqlite3.Connection:
    """Open a file with parameters of SQLite's URIs, such as `mode=rw`."""
    return sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?{parameters}",
        uri=True,
        timeout=timeout,
        isolation_level=None,  # transactions begin where this module says
        check_same_thread=False,  # `Store` lets one thread in at a time
        cached_statements=256,
    )


def defend(connection: sqlite3.Connection) -> None:
    """Restrict what a file from outside can do, and how much memory it can take."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")  # a damaged page must raise an error, not a signal
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = {-_CACHE_KIBIBYTES}")
    if sys.version_info >= (3, 11):
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)  # VACUUM INTO attaches its output
        connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)


def restrict(connection: sqlite3.Connection, writable: bool) -> None:
    """Set what a writer needs, or forbid all writing."""
    if writable:
        connection.execute("PRAGMA journal_mode = WAL")  # a published copy has none
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    else:
        connection.execute("PRAGMA query_only = ON")
