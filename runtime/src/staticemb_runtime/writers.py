"""Records with their vectors into files, block by block, for the command line.

A writer writes beside the destination and renames at the end, so that no interrupted run leaves a
file that looks whole.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import OutputError
from .records import TEXT_COLUMN, Record

OUTPUT_FORMATS: Final = ("npy", "jsonl", "parquet")
VECTOR_COLUMN: Final = "embedding"

# The widest header that a .npy file of any length needs; its length must not change at the end.
_NPY_HEADER: Final = 128


def open_writer(path: str, form: str | None, dim: int, dtype: np.dtype[Any]) -> Writer:
    """A writer for a file name: `.npy`, `.parquet`, JSON lines for all others and for `-`.

    Args:
        path: the destination, `-` for standard output.
        form: one of `OUTPUT_FORMATS`; None decides by the file's name.
        dim: numbers in one vector.
        dtype: their type.

    Raises:
        OutputError: Parquet without pyarrow, or a form that standard output cannot carry.
    """
    if form is None:
        form = {".npy": "npy", ".parquet": "parquet"}.get(Path(path).suffix, "jsonl")
    if path == "-" and form != "jsonl":
        raise OutputError(
            f"standard output carries JSON lines only: name a file for {form} with -o"
        )
    if form == "jsonl":
        return JsonLinesWriter(path)
    if form == "npy":
        return NpyWriter(path, dim, dtype)
    return ParquetWriter(path, dim, dtype)


class Writer:
    """Writes records and vectors; a context manager that keeps the file only if all went well."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: IO[bytes]
        self._beside: Path | None = None

    def __enter__(self) -> Writer:
        if self.path == "-":
            self.file = sys.stdout.buffer
            return self
        path = Path(self.path)
        if path.is_dir():
            raise OutputError(f"{path}: expected the name of a file to write, found a folder")
        self._beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            self.file = self._beside.open("xb")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror}") from None
        return self

    def write(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Add records with their vectors, (B, d)."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write what comes after the last record."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._beside is None:
            if kind is None:
                self.file.flush()
            return
        try:
            if kind is None:
                self.finish()
            self.file.close()
            if kind is None:
                self._beside.replace(self.path)
        finally:
            with contextlib.suppress(OSError):
                self.file.close()
                self._beside.unlink(missing_ok=True)


class JsonLinesWriter(Writer):
    """One JSON object a line: the record's members and `embedding`."""

    def write(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Add a line for each record."""
        # Nine significant digits give every float32 back exactly.
        number = "%.9g" if vectors.dtype.kind == "f" else "%d"
        numbers = ", ".join([number] * vectors.shape[1])
        for record, vector in zip(records, vectors.tolist(), strict=True):
            members = json.dumps(record, ensure_ascii=False)[:-1]
            line = f'{members}, "{VECTOR_COLUMN}": [{numbers % tuple(vector)}]}}\n'
            self.file.write(line.encode("utf-8", "backslashreplace"))


class NpyWriter(Writer):
    """The vectors alone, as a .npy array whose length is filled in at the end."""

    def __init__(self, path: str, dim: int, dtype: np.dtype[Any]) -> None:
        super().__init__(path)
        self.dim = dim
        self.dtype = dtype
        self.count = 0

    def write(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Add rows to the array; the records are not kept."""
        if self.count == 0:
            self.file.write(b" " * _NPY_HEADER)
        self.file.write(np.ascontiguousarray(vectors).data)
        self.count += len(vectors)

    def finish(self) -> None:
        """Fill the header in."""
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header,
            {
                "shape": (self.count, self.dim),
                "fortran_order": False,
                "descr": np.lib.format.dtype_to_descr(self.dtype),
            },
        )
        assert header.tell() == _NPY_HEADER
        self.file.seek(0)
        self.file.write(header.getvalue())


class ParquetWriter(Writer):
    """The input's columns and `embedding`, a fixed-size list (needs pyarrow)."""

    def __init__(self, path: str, dim: int, dtype: np.dtype[Any]) -> None:
        super().__init__(path)
        try:
            import pyarrow  # optional, and slow to import
            import pyarrow.parquet
        except ImportError:
            raise OutputError(
                f"{path}: Parquet needs pyarrow: pip install 'staticemb-runtime[parquet]'"
            ) from None
        self.arrow: Any = pyarrow
        self.type: Any = pyarrow.list_(pyarrow.from_numpy_dtype(dtype), dim)
        self.parquet: Any = None

    def write(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Add a row group."""
        columns = self.arrow.Table.from_pylist(list(records))
        flat = self.arrow.array(np.ascontiguousarray(vectors).reshape(-1))
        column = self.arrow.FixedSizeListArray.from_arrays(flat, type=self.type)
        table = columns.append_column(VECTOR_COLUMN, column)
        try:
            if self.parquet is None:
                self.parquet = self.arrow.parquet.ParquetWriter(self.file, table.schema)
            self.parquet.write_table(table.cast(self.parquet.schema))
        except (self.arrow.ArrowInvalid, ValueError) as error:
            raise OutputError(f"{self.path}: columns differ between rows: {error}") from None

    def finish(self) -> None:
        """Write the footer."""
        if self.parquet is None:
            schema = self.arrow.schema(
                [(TEXT_COLUMN, self.arrow.string()), (VECTOR_COLUMN, self.type)]
            )
            self.parquet = self.arrow.parquet.ParquetWriter(self.file, schema)
        self.parquet.close()
