"""Write records with their vectors as Parquet (needs pyarrow).

A Parquet file has one schema, but a later record may have a new column, or a fraction in a column
of integers. So blocks are written into one part per schema. Several parts are joined at the end:
each record is written at most twice.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from .output_file import is_stream
from .readers import TEXT_COLUMN, Record
from .writers import VECTOR_COLUMN, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .writers import Present


class ParquetWriter(Writer):
    """A writer of the input's columns and the column `embedding`, a fixed-size list."""

    seeks = True

    def __init__(self, path: str, file: IO[bytes], dim: int, dtype: np.dtype[Any]) -> None:
        super().__init__(path, file, dim, dtype)
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise OutputError(
                f"{path}: Parquet needs pyarrow: pip install 'staticemb-runtime[parquet]'"
            ) from None
        self._arrow: Any = pyarrow
        self._vectors: Any = pyarrow.list_(pyarrow.from_numpy_dtype(dtype), dim)
        self._schema: Any = None  # without the column of vectors
        self._parts: list[IO[bytes]] = []
        self._writer: Any = None

    def add(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Add a row group."""
        names = dict.fromkeys(name for record in records for name in record)
        columns = {name: self._column(name, records) for name in names}
        with self._errors(f"records {self.count + 1} to {self.count + len(records)}"):
            schema = self._arrow.schema([(name, column.type) for name, column in columns.items()])
            if self._schema is not None:
                schema = self._arrow.unify_schemas(
                    [self._schema, schema], promote_options="permissive"
                )
            if schema != self._schema:
                self._begin(schema)
            last = vector_array(self._vectors, vectors, present)
            self._writer.write_table(self._table(columns, len(records), last))

    def finish(self) -> None:
        """Join the parts and write the footer."""
        with self._errors("all records"):
            if self._writer is None:
                self._begin(self._arrow.schema([(TEXT_COLUMN, self._arrow.string())]))
            self._writer.close()
            if len(self._parts) > 1:
                self._join()
        for part in self._parts[1:]:
            part.close()

    def release(self) -> None:
        """Close the last part; otherwise pyarrow writes its footer on garbage collection."""
        if self._writer is not None:
            with suppress(Exception):  # an earlier error is the one to report
                self._writer.close()
            self._writer.is_open = False

    def _begin(self, schema: Any) -> None:  # noqa: ANN401 - pyarrow's
        """Begin a part: the output file first, then unnamed files in the same folder."""
        if self._writer is not None:
            self._writer.close()
        part = self._temporary() if self._parts else self.file
        self._schema = schema
        self._parts.append(part)
        full_schema = schema.append(self._arrow.field(VECTOR_COLUMN, self._vectors))
        self._writer = self._arrow.parquet.ParquetWriter(part, full_schema)

    def _join(self) -> None:
        """Rewrite all parts with the last schema."""
        full_schema = self._schema.append(self._arrow.field(VECTOR_COLUMN, self._vectors))
        with self._temporary() as joined:
            with self._arrow.parquet.ParquetWriter(joined, full_schema) as writer:
                for part in self._parts:
                    part.seek(0)
                    with self._arrow.parquet.ParquetFile(part) as read:
                        for group in range(read.num_row_groups):
                            table = read.read_row_group(group)
                            columns = {name: table.column(name) for name in table.column_names}
                            vectors = columns.pop(VECTOR_COLUMN)
                            writer.write_table(self._table(columns, len(table), vectors))
            self.file.seek(0)
            self.file.truncate()
            joined.seek(0)
            shutil.copyfileobj(joined, self.file, 1 << 20)

    def _table(self, columns: dict[str, Any], count: int, vectors: Any) -> Any:  # noqa: ANN401
        """Return a table of the vectors and the schema's columns; missing columns hold nulls."""
        arrays = []
        for field in self._schema:
            column = columns.get(field.name)
            if column is None:
                column = self._arrow.nulls(count, field.type)
            elif column.type != field.type:
                if self._arrow.types.is_nested(field.type):  # pyarrow casts few nested types
                    column = self._arrow.array(column.to_pylist(), type=field.type)
                else:
                    column = column.cast(field.type)
            arrays.append(column)
        full_schema = self._schema.append(self._arrow.field(VECTOR_COLUMN, self._vectors))
        return self._arrow.Table.from_arrays([*arrays, vectors], schema=full_schema)

    def _column(self, name: str, records: Sequence[Record]) -> Any:  # noqa: ANN401
        place = f"records {self.count + 1} to {self.count + len(records)}, column {name!r}"
        with self._errors(place):
            return self._arrow.array([record.get(name) for record in records])

    def _temporary(self) -> IO[bytes]:
        folder = None if is_stream(self.path) else Path(self.path).resolve().parent
        return tempfile.TemporaryFile(dir=folder)

    @contextmanager
    def _errors(self, place: str) -> Iterator[None]:
        try:
            yield
        except (self._arrow.ArrowException, ValueError, TypeError, OverflowError) as error:
            reason = (str(error).splitlines() or ["an error"])[0]
            raise OutputError(
                f"{self.path}, {place}: expected values of one type in each column, and one that "
                f"can be told from the values, found an error: {reason}"
            ) from None


def vector_array(kind: Any, vectors: NDArray[Any], present: Present) -> Any:  # noqa: ANN401
    """Return vectors as an Arrow array.

    Args:
        kind: the type of a fixed-size list of pyarrow.
        vectors: (n, d).
        present: (n,) which vectors are not null; None: all.
    """
    import pyarrow

    flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
    bits = None
    if present is not None:
        bits = pyarrow.py_buffer(np.packbits(present, bitorder="little").tobytes())
    return pyarrow.Array.from_buffers(kind, len(vectors), [bits], children=[flat])
