"""Write all passages of an index with their vectors as Parquet, for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidOptionError
from ..records.batches import batches
from ..records.output_file import output_file, refuse_inputs, reported
from ..records.parquet import import_parquet
from . import collection
from .blocks import read_vectors
from .settings import read_settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from .settings import Settings
    from .store import Store

_PAGE: Final = 256  # documents that are read at a time
_GROUP_PASSAGES: Final = 8192  # passages of a row group,
_GROUP_CHARACTERS: Final = 1 << 25  # or fewer, if they have more characters than this
_SETTINGS: Final = ("model", "vectors_digest", "vectors_from", "teacher", "precision")

Row = tuple[str, int, int, int, str, str, str]


def export(store: Store, path: str, progress: Callable[[int], None] | None) -> int:
    """Write all passages of one state of an index; return their number.

    Args:
        store: the index.
        path: the file; it appears when it is complete.
        progress: called with the number of passages so far.

    Raises:
        InvalidOptionError: the name does not end in `.parquet`.
        OutputError: the file cannot be written, is the index itself, or pyarrow is missing.
        NotAnIndexError: the index is damaged.
    """
    check_target(path, store.path)
    import pyarrow
    import pyarrow.parquet

    count = 0
    with store.reading() as connection:
        settings = read_settings(connection, store.path)
        schema: Any = _schema(settings)
        with (
            output_file(path, seek=True) as file,
            reported(path),
            pyarrow.parquet.ParquetWriter(file, schema) as writer,
        ):
            for rows, vectors in _groups(connection, settings):
                columns = [
                    pyarrow.array(column, type=field.type)
                    for column, field in zip(zip(*rows, strict=True), schema, strict=False)
                ]
                flat = pyarrow.array(vectors.reshape(-1))
                kind = schema.field("embedding").type
                columns.append(pyarrow.FixedSizeListArray.from_arrays(flat, type=kind))
                writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
                count += len(rows)
                if progress is not None:
                    progress(count)
    return count


def check_target(path: str, index: str) -> None:
    """Check, before any work, that a file can be an export of an index.

    Raises:
        InvalidOptionError: the name does not end in `.parquet`.
        OutputError: the file is the index itself, or pyarrow is missing.
    """
    if not path.lower().endswith(".parquet"):
        raise InvalidOptionError(f"{path}: expected a name ending in .parquet")
    refuse_inputs(path, [index])
    import_parquet(path)


def _schema(settings: Settings) -> Any:  # noqa: ANN401 - pyarrow's
    """Return the columns and, as metadata, whose vectors they hold."""
    import pyarrow

    vector = pyarrow.list_(pyarrow.float32(), settings.dimension)
    fields = [
        ("id", pyarrow.string()),
        ("passage", pyarrow.int64()),
        ("start", pyarrow.int64()),
        ("stop", pyarrow.int64()),
        ("text", pyarrow.string()),
        ("metadata", pyarrow.string()),
        ("source", pyarrow.string()),
        ("embedding", vector),
    ]
    about = {f"staticemb.{name}": str(getattr(settings, name)) for name in _SETTINGS}
    return pyarrow.schema(fields, metadata=about)


def _groups(
    connection: sqlite3.Connection, settings: Settings
) -> Iterator[tuple[list[Row], NDArray[np.float32]]]:
    """Yield n passages and their vectors (n, D), as many as a row group holds."""
    passages = _passages(connection)
    for group, _ in batches(
        passages, _GROUP_PASSAGES, _GROUP_CHARACTERS, lambda passage: len(passage[1][4])
    ):
        ids, rows = [id for id, _ in group], [row for _, row in group]
        yield rows, read_vectors(connection, ids, settings.dimension, settings.precision)


def _passages(connection: sqlite3.Connection) -> Iterator[tuple[int, Row]]:
    """Yield the id of each passage and its row, document by document."""
    last = 0
    while page := collection.page(connection, last, _PAGE):
        for number, document, spans in page:
            last = number
            metadata = collection.metadata_json(document.metadata)
            for place, (id, start, stop) in enumerate(spans):
                text = document.text[start:stop]
                yield id, (document.id, place, start, stop, text, metadata, document.source)
