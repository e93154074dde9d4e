"""A model's file inside an index, so that one file is the whole search."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ..errors import InvalidOptionError, NotAnIndexError
from ..model import StaticModel

if TYPE_CHECKING:
    import sqlite3

_PIECE: Final = 1 << 20


def store_model(connection: sqlite3.Connection, model: StaticModel) -> None:
    """Store a model's file, in place of another one, inside the caller's transaction.

    Raises:
        InvalidOptionError: the model is a folder of another library.
    """
    path = model._encoder.place
    if not os.path.isfile(path):
        raise InvalidOptionError(
            f"store_model: expected a static embedding file, found {path}; "
            "`staticemb-distiller convert` makes one of it"
        )
    connection.execute("DELETE FROM model")
    with Path(path).open("rb") as file:
        number = 0
        while piece := file.read(_PIECE):
            connection.execute("INSERT INTO model VALUES (?, ?)", (number, piece))
            number += 1


def has_model(connection: sqlite3.Connection) -> bool:
    """Tell whether a model is stored."""
    return connection.execute("SELECT 1 FROM model LIMIT 1").fetchone() is not None


def write_model(connection: sqlite3.Connection, file: IO[bytes]) -> None:
    """Write the stored model's file.

    Raises:
        NotAnIndexError: a piece is no bytes.
    """
    for (piece,) in connection.execute("SELECT data FROM model ORDER BY number"):
        if not isinstance(piece, bytes):
            raise NotAnIndexError("damaged index: expected the model's bytes, found others")
        file.write(piece)


def load_model(connection: sqlite3.Connection) -> StaticModel:
    """Load the stored model into memory, by a temporary file, which is removed.

    Raises:
        NotAnIndexError, FormatError: the stored file is damaged.
    """
    handle, path = tempfile.mkstemp(suffix=".staticemb")
    try:
        with os.fdopen(handle, "wb") as file:
            write_model(connection, file)
        return StaticModel.load(path, mmap=False)
    finally:
        os.remove(path)
