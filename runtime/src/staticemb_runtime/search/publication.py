"""A compact copy of an index for folders that cannot be written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from ..errors import OutputError, SearchIndexError
from ..records.output_file import is_stream, output_file, refuse_inputs
from .connection import log_file
from .store import reported

if TYPE_CHECKING:
    from .store import Store


def publish(store: Store, path: str, *, with_model: bool) -> None:
    """Write a copy without a write-ahead log; it replaces an existing file at the end.

    Args:
        store: the index.
        path: the copy, a regular file; links are followed, and a file's mode stays.
        with_model: whether a stored model is copied.

    Raises:
        OutputError: the copy cannot be written, is the index itself, or is no regular file; or a
            program has the file open as an index.
    """
    refuse_inputs(path, [store.path])
    if is_stream(path):
        raise OutputError(
            f"{path}: expected the name of a regular file, found a folder, device or pipe"
        )
    if os.path.exists(log := log_file(path)):  # SQLite would take it for the copy's own
        raise OutputError(
            f"{path}: expected no index that a program has open, found its log, {log}; if no "
            "program has, open and close it once"
        )
    with output_file(path) as output:
        temporary = os.fspath(output.name)
        try:
            with store.copying() as connection:
                connection.execute("VACUUM INTO ?", (temporary,))  # takes an empty file
            with reported(path), contextlib.closing(sqlite3.connect(temporary)) as copy:
                copy.execute("PRAGMA journal_mode = DELETE")
                if store.full_text:
                    copy.execute("INSERT INTO lexical(lexical) VALUES ('optimize')")
                if not with_model and copy.execute("DELETE FROM model").rowcount:
                    copy.commit()
                    copy.execute("VACUUM")
                copy.commit()
        except SearchIndexError as error:
            raise OutputError(f"{path}: {error}") from error
