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
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from .forms import BLOCK_CHARACTERS
from .output_file import is_stream
from .readers import TEXT_COLUMN, Record
from .writers import VECTOR_COLUMN, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .writers import Present

    Schema = Any  # of pyarrow

_BLOCK_ROWS: Final = 8192
_NULLS_IN_FIXED_SIZE: Final = 26  # the first version of pyarrow that reads them


class ParquetWriter(Writer):
    """A writer of the input's columns and the column `embedding`, of `stored_type`."""

    seeks = True

    def __init__(self, path: str, file: IO[bytes], dim: int, dtype: np.dtype[Any]) -> None:
        super().__init__(path, file, dim, dtype)
        arrow = import_parquet(path)
        self._vectors = stored_type(arrow.list_(arrow.from_numpy_dtype(dtype), dim))
        self._parts = ParquetParts(path, file, arrow.schema([(VECTOR_COLUMN, self._vectors)]))

    def add(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Add a row group."""
        self._parts.add(records, [vector_array(self._vectors, vectors, present)])

    def finish(self) -> None:
        """Join the parts and write the footer."""
        self._parts.finish()

    def release(self) -> None:
        """Close the last part."""
        self._parts.release()


class ParquetRows:
    """A writer of rows one by one; those of a block become a row group.

    Args:
        path: the file's name.
        file: the file; it is read back.
        added: returns the schema of the columns that the output adds to those of the input.
    """

    def __init__(self, path: str, file: IO[bytes], added: Callable[[], Schema] | None) -> None:
        self._arrow = import_parquet(path)
        self._added: Schema = self._arrow.schema([]) if added is None else added()
        self._parts = ParquetParts(path, file, self._added)
        self._rows: list[Record] = []
        self._characters = 0

    def begin(self, names: Sequence[str]) -> None:
        """Ignore the names of the columns: their types are unknown without rows."""

    def write(self, record: Record, place: str) -> None:
        """Add a row."""
        self._rows.append(record)
        self._characters += sum(len(v) for v in record.values() if isinstance(v, str))
        if len(self._rows) == _BLOCK_ROWS or self._characters > BLOCK_CHARACTERS:
            self._write_group()

    def finish(self) -> None:
        """Write the last rows and the footer."""
        if self._rows:
            self._write_group()
        self._parts.finish()

    def release(self) -> None:
        """Close the last part."""
        self._parts.release()

    def _write_group(self) -> None:
        names = set(self._added.names)
        records = [{k: v for k, v in row.items() if k not in names} for row in self._rows]
        last = [self._column(field) for field in self._added]
        self._parts.add(records, last)
        self._rows, self._characters = [], 0

    def _column(self, field: Any) -> Any:  # noqa: ANN401 - pyarrow's
        values = [row.get(field.name) for row in self._rows]
        if self._arrow.types.is_map(field.type):
            values = [None if value is None else list(value.items()) for value in values]
        return self._arrow.array(values, type=field.type)


class ParquetParts:
    """Writes blocks of records, with more columns of known types after their own.

    Args:
        path: the file's name.
        file: the file; it is read back.
        added: the schema of the columns after those of the records.

    Raises:
        OutputError: pyarrow is missing.
    """

    def __init__(self, path: str, file: IO[bytes], added: Schema) -> None:
        self._arrow = import_parquet(path)
        self._path, self._file, self._added = path, file, added
        self._schema: Schema = None  # of the records
        self._parts: list[IO[bytes]] = []
        self._writer: Any = None
        self._count = 0

    def add(self, records: Sequence[Record], last: Sequence[Any]) -> None:
        """Add a row group.

        Args:
            records: B records.
            last: the added columns, an Arrow array of length B for each.

        Raises:
            OutputError: a column has values of several types.
        """
        names = dict.fromkeys(name for record in records for name in record)
        columns = {name: self._column(name, records) for name in names}
        with self._errors(f"records {self._count + 1} to {self._count + len(records)}"):
            schema = self._arrow.schema([(name, column.type) for name, column in columns.items()])
            if self._schema is not None:
                schema = self._arrow.unify_schemas(
                    [self._schema, schema], promote_options="permissive"
                )
            if schema != self._schema:
                self._begin(schema)
            self._writer.write_table(self._table(columns, len(records), last))
        self._count += len(records)

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

    def _begin(self, schema: Schema) -> None:
        """Begin a part: the output file first, then unnamed files in the same folder."""
        if self._writer is not None:
            self._writer.close()
        part = self._temporary() if self._parts else self._file
        self._schema = schema
        self._parts.append(part)
        self._writer = self._arrow.parquet.ParquetWriter(part, self._full_schema())

    def _join(self) -> None:
        """Rewrite all parts with the last schema."""
        with self._temporary() as joined:
            with self._arrow.parquet.ParquetWriter(joined, self._full_schema()) as writer:
                for part in self._parts:
                    part.seek(0)
                    with self._arrow.parquet.ParquetFile(part, pre_buffer=False) as read:
                        for group in range(read.num_row_groups):
                            # A thread of pyarrow that still holds this file of Python when the
                            # process exits ends it with SIGABRT.
                            table = read.read_row_group(group, use_threads=False)
                            columns = {name: table.column(name) for name in table.column_names}
                            last = [columns.pop(name) for name in self._added.names]
                            writer.write_table(self._table(columns, len(table), last))
            self._file.seek(0)
            self._file.truncate()
            joined.seek(0)
            shutil.copyfileobj(joined, self._file, 1 << 20)

    def _full_schema(self) -> Schema:
        return self._arrow.schema([*self._schema, *self._added])

    def _table(self, columns: dict[str, Any], count: int, last: Sequence[Any]) -> Any:  # noqa: ANN401
        """Return a table of the schema's columns and the last ones; missing columns hold nulls."""
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
        return self._arrow.Table.from_arrays([*arrays, *last], schema=self._full_schema())

    def _column(self, name: str, records: Sequence[Record]) -> Any:  # noqa: ANN401
        place = f"records {self._count + 1} to {self._count + len(records)}, column {name!r}"
        with self._errors(place):
            return self._arrow.array([record.get(name) for record in records])

    def _temporary(self) -> IO[bytes]:
        folder = None if is_stream(self._path) else Path(self._path).resolve().parent
        return tempfile.TemporaryFile(dir=folder)

    @contextmanager
    def _errors(self, place: str) -> Iterator[None]:
        try:
            yield
        except (self._arrow.ArrowException, ValueError, TypeError, OverflowError) as error:
            reason = (str(error).splitlines() or ["an error"])[0]
            raise OutputError(
                f"{self._path}, {place}: expected values of one type in each column, and one that "
                f"can be told from the values, found an error: {reason}"
            ) from None


def import_parquet(path: str) -> Any:  # noqa: ANN401 - a module without types
    """Import pyarrow, to write a file.

    Raises:
        OutputError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise OutputError(
            f"{path}: Parquet needs pyarrow: pip install 'staticemb-runtime[parquet]'"
        ) from None
    return pyarrow


def stored_type(kind: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return the type in a file for a fixed-size list of pyarrow.

    Versions of pyarrow before 26 write nulls in fixed-size lists, but cannot read them from Parquet
    again. There a list stores them, whose bytes in the file are the same.
    """
    import pyarrow

    return kind if arrow_version() >= _NULLS_IN_FIXED_SIZE else pyarrow.list_(kind.value_type)


def _as_lists(array: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return an array of fixed-size lists as lists, in which a null is empty."""
    import pyarrow

    ends = np.cumsum(array.is_valid().to_numpy(zero_copy_only=False)) * array.type.list_size
    offsets = pyarrow.array(np.concatenate([[0], ends]).astype(np.int32))
    return pyarrow.ListArray.from_arrays(offsets, array.flatten(), mask=array.is_null())


def arrow_version() -> int:
    """Return the major version of pyarrow."""
    import pyarrow

    return int(pyarrow.__version__.partition(".")[0])


def vector_array(kind: Any, vectors: NDArray[Any], present: Present) -> Any:  # noqa: ANN401
    """Return vectors as an Arrow array.

    Args:
        kind: the type of a list of pyarrow, of fixed size or not.
        vectors: (n, d).
        present: (n,) which vectors are not null; None: all.
    """
    import pyarrow

    flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
    bits = None
    if present is not None:
        bits = pyarrow.py_buffer(np.packbits(present, bitorder="little").tobytes())
    fixed = pyarrow.list_(flat.type, vectors.shape[1])
    array = pyarrow.Array.from_buffers(fixed, len(vectors), [bits], children=[flat])
    return array if kind == fixed else _as_lists(array)
