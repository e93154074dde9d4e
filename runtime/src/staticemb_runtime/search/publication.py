"""A compact copy of an index for folders that cannot be written."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from typing import TYPE_CHECKING

from ..errors import OutputError, SearchIndexError
from .store import reported

if TYPE_CHECKING:
    from .store import Store


def publish(store: Store, path: str, *, with_model: bool) -> None:
    """Write a copy without a write-ahead log; it replaces an existing file at the end.

    Args:
        store: the index.
        path: the copy.
        with_model: whether a stored model is copied.

    Raises:
        OutputError: the copy cannot be written, or is the index itself.
    """
    if os.path.exists(path) and os.path.samefile(path, store.path):
        raise OutputError(f"{path}: expected another file than the index")
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name[:50]}.{secrets.token_hex(4)}")
    try:
        with store.copying() as connection:
            connection.execute("VACUUM INTO ?", (temporary,))
        with reported(path), contextlib.closing(sqlite3.connect(temporary)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE")
            if store.full_text:
                copy.execute("INSERT INTO lexical(lexical) VALUES ('optimize')")
            if not with_model and copy.execute("DELETE FROM model").rowcount:
                copy.commit()
                copy.execute("VACUUM")
            copy.commit()
        os.replace(temporary, path)
    except (OSError, SearchIndexError) as error:
        raise OutputError(f"{path}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            os.remove(temporary)
