"""The SQLite file of an index: opened defensively, read in snapshots, written in transactions.

A writer uses a write-ahead log, so readers go on meanwhile. `synchronous = FULL`: what a call has
committed is on the disk, as far as the disk keeps its promises.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Final, Literal

from ..errors import (
    FullTextMissingError,
    IndexBusyError,
    IndexNotFoundError,
    IndexReadOnlyError,
    NotAnIndexError,
    SearchIndexError,
)
from . import schema
from .connection import connect, defend, file_state, has_log, is_read_alone, log_file, restrict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lexicon import WordRule

_BUSY: Final = ("locked", "busy")
_FULL: Final = ("disk is full", "disk i/o error", "too big", "unable to open")


class Store:
    """The open file of an index; safe to use from several threads, one at a time.

    Args:
        path: an existing index.
        writable: whether `writing` is allowed.
        timeout: how many seconds to wait for another writer.

    Attributes:
        path: the file.
        writable: as given.
        connection: SQLite's connection; used inside `reading` and `writing` alone.
        full_text: whether the file has a full-text table that this Python can read.

    Raises:
        IndexNotFoundError: the file does not exist.
        NotAnIndexError: the file is no index, or is damaged.
        IndexReadOnlyError: `writable`, but the file cannot be written.
        SearchIndexError: the file cannot be opened.
    """

    def __init__(self, path: str, *, writable: bool, timeout: float) -> None:
        if not os.path.isfile(path):
            kinds = {"a folder": os.path.isdir(path), "a pipe or a device": os.path.exists(path)}
            found = next((kind for kind, is_it in kinds.items() if is_it), "no such file")
            raise IndexNotFoundError(f"{path}: expected a search index, found {found}")
        if writable and not os.access(path, os.W_OK):
            raise IndexReadOnlyError(f"{path}: the file cannot be written")
        self.path = path
        self.writable = writable
        self._timeout = timeout
        self._lock = threading.RLock()
        self._process = os.getpid()
        with reported(self.path):
            self._open()

    def _open(self) -> None:
        alone = is_read_alone(self.path)
        self._state = file_state(self.path) if alone else None
        connection = connect(
            self.path, "mode=rw&immutable=1" if alone else "mode=rw", self._timeout
        )
        try:
            defend(connection)
            schema.check_schema(connection, self.path)
            self.full_text = schema.attach_vocabulary(connection)
            restrict(connection, self.writable)
        except BaseException:
            connection.close()
            raise
        self.connection = connection

    def _renew(self) -> None:
        """Open the file anew if it has changed though it was opened as never changing.

        A file that has taken its place is another one, which is not followed.
        """
        if self._state is None or self.connection.in_transaction:
            return
        state = file_state(self.path)
        if state is not None and state != self._state and state.inode == self._state.inode:
            old = self.connection
            self._open()
            old.close()

    def close(self) -> None:
        """Close the file; SQLite then moves the log into it if no other process has it open."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._process == os.getpid():
                self.connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the file: commits of other processes become visible afterwards.

        Raises:
            SearchIndexError: a subclass for each fault.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Change the file: all changes of the block are committed at its end, or none.

        Raises:
            IndexReadOnlyError: the index was opened for reading.
            IndexBusyError: another process was writing for longer than the timeout.
            SearchIndexError: a subclass for each other fault.
        """
        if not self.writable:
            raise IndexReadOnlyError(f"{self.path}: open it with mode='write' to change it")
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Use the connection outside a transaction, for statements that SQLite allows only there.

        Raises:
            SearchIndexError: a subclass for each fault.
        """
        with self._lock, reported(self.path):
            self._check_process()
            self._renew()
            yield self.connection

    @contextlib.contextmanager
    def copying(self) -> Iterator[sqlite3.Connection]:
        """Use the connection for a copy of the whole file, which a reader may make as well.

        Raises:
            SearchIndexError: a subclass for each fault.
        """
        with self.alone() as connection:
            connection.execute("PRAGMA query_only = OFF")
            try:
                yield connection
            finally:
                if not self.writable:
                    connection.execute("PRAGMA query_only = ON")

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, reported(self.path):
            self._check_process()
            self._renew()
            nested = self.connection.in_transaction
            if nested:  # a scorer, or another function of the caller's
                if begin != "BEGIN":
                    raise SearchIndexError(
                        f"{self.path}: a function that the index calls cannot change the index"
                    )
                yield self.connection
                return
            self.connection.execute(begin)
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def _check_process(self) -> None:
        if self._process != os.getpid():  # SQLite's locks do not survive a fork
            raise SearchIndexError(
                f"{self.path}: the index was opened before a fork; open it in the child process"
            )


@contextlib.contextmanager
def reported(path: str) -> Iterator[None]:
    """Turn SQLite's errors into this package's.

    Raises:
        SearchIndexError: a subclass for each fault.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(path, error) from error
    except UnicodeDecodeError as error:
        raise NotAnIndexError(f"{path}: damaged: {error}") from error


def _translated(path: str, error: sqlite3.Error) -> SearchIndexError:
    message = str(error)
    lower = message.lower()
    if "closed database" in lower:
        return SearchIndexError(f"{path}: the index is closed")
    if isinstance(error, sqlite3.OperationalError):
        if any(word in lower for word in _BUSY):
            return IndexBusyError(f"{path}: another process is writing to the index: {message}")
        if "readonly" in lower:
            return IndexReadOnlyError(f"{path}: the file cannot be written: {message}")
        if "no such module" in lower:
            return FullTextMissingError(f"{path}: this Python's sqlite3 has no FTS5: {message}")
    if "unable to open" in lower and has_log(path):
        return SearchIndexError(
            f"{path}: {message}: its log, {log_file(path)}, holds changes, and SQLite reads it by "
            "a file beside it; let a user search who can write there"
        )
    if any(words in lower for words in _FULL):
        return SearchIndexError(f"{path}: {message}")
    return NotAnIndexError(f"{path}: no search index, or a damaged one: {message}")


def create(path: str, settings: dict[str, object], words: str | None, *, timeout: float) -> bool:
    """Make an index, unless one is there.

    Args:
        path: the file; an empty file, or one whose creation was interrupted, counts as none.
        settings: the values of the table `settings`.
        words: the tokenizer of the full-text table, or None.
        timeout: as for `Store`.

    Returns:
        Whether the index was made.

    Raises:
        NotAnIndexError: the file is something else.
        FullTextMissingError: `words` is given, and this Python's SQLite has no FTS5.
        SearchIndexError: the file cannot be made.
    """
    if os.path.isdir(path) or not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        found = "a folder" if os.path.isdir(path) else "no such folder"
        raise SearchIndexError(f"{path}: expected a path for a file, found {found}")
    with reported(path), contextlib.closing(connect(path, "mode=rwc", timeout)) as connection:
        if not schema.is_empty(connection):
            schema.check_schema(connection, path)
            return False
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        made = schema.is_empty(connection)  # another process may have made it meanwhile
        if made:
            schema.make_tables(connection, words)
            rows = sorted(settings.items())
            connection.executemany("INSERT INTO settings VALUES (?, ?)", rows)
        connection.execute("COMMIT")
        return made


def is_missing(path: str) -> bool:
    """Tell whether `create` makes an index: there is no file, or one without any table.

    A file that cannot be read counts as one with tables: opening it says what is wrong.
    """
    if not os.path.isfile(path):
        return not os.path.exists(path)
    try:
        with contextlib.closing(connect(path, "mode=ro", 0)) as connection:
            return schema.is_empty(connection)
    except sqlite3.Error:
        return False


def chosen_words(path: str, words: WordRule | Literal["auto"] | None) -> WordRule | None:
    """Return how an index finds words, as for `Index.create`.

    Raises:
        FullTextMissingError: `words` needs FTS5, which this Python's SQLite lacks.
    """
    if words == "auto":
        return "words" if has_full_text() else None
    if words is not None and not has_full_text():
        raise FullTextMissingError(
            f"{path}: this Python's sqlite3 has no FTS5, so an index can hold vectors alone "
            "(words=None)"
        )
    return words


def has_full_text() -> bool:
    """Tell whether this Python's SQLite has FTS5."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE lexical USING fts5 (text)")
        except sqlite3.OperationalError:
            return False
    return True
