"""Write records with their vectors to files, block by block."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from .compression import compressed
from .output_file import output_name, reported
from .readers import Record
from .values import Utf8File, record_cells, record_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Present = NDArray[np.bool_] | None

VECTOR_COLUMN: Final = "embedding"

# Bytes of the .npy header for any number of rows: `finish` overwrites the header in place.
_NPY_HEADER: Final = 128


class Writer:
    """A writer of records and vectors to an open file.

    Args:
        path: the file's name.
        file: the file.
        dim: the number of elements of a vector.
        dtype: the type of the elements.

    Attributes:
        seeks: whether the format seeks in the file or reads it back.
        count: the number of records written.
    """

    seeks = False

    def __init__(self, path: str, file: IO[bytes], dim: int, dtype: np.dtype[Any]) -> None:
        self.path = path
        self.file = file
        self.dim = dim
        self.dtype = dtype
        self.count = 0

    def begin(self, names: Sequence[str]) -> None:
        """Take the names of the input's columns before the first record; formats may ignore it."""

    def write(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Add records with their vectors.

        Args:
            records: B records.
            vectors: (B, d).
            present: (B,) which records have a vector; the others get null. None: all.

        Raises:
            OutputError: a record cannot be written; the message names it.
        """
        with reported(self.path):
            self.add(records, vectors, present)
        self.count += len(records)

    def add(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Write records and vectors in this format."""
        raise NotImplementedError

    def numbers(self, vectors: NDArray[Any], present: Present, null: str) -> Iterator[str]:
        """Iterate over vectors as JSON arrays; `null` for a record without one.

        Raises:
            OutputError: a vector holds NaN or infinity.
        """
        if vectors.dtype.kind == "f" and not np.isfinite(vectors).all():
            at = self.count + int(np.argmin(np.isfinite(vectors).all(axis=1))) + 1
            raise OutputError(
                f"{output_name(self.path)}, record {at}: expected finite vectors, which JSON "
                "can hold, found NaN or infinity"
            )
        # Nine significant digits identify every float32.
        number = "%.9g" if vectors.dtype.kind == "f" else "%d"
        numbers = ", ".join([number] * vectors.shape[1])
        for at, vector in enumerate(vectors.tolist()):
            yield f"[{numbers % tuple(vector)}]" if present is None or present[at] else null

    def finish(self) -> None:
        """Complete the file after the last record."""

    def release(self) -> None:
        """Stop using the file, complete or not, before it is closed."""


class JsonLinesWriter(Writer):
    """A writer of JSON lines: the record's members and `embedding`.

    Dates and times become ISO 8601 strings, decimal numbers strings, NaN and infinities null.
    """

    def __init__(self, path: str, file: IO[bytes], dim: int, dtype: np.dtype[Any]) -> None:
        super().__init__(path, file, dim, dtype)
        self.lines = compressed(file, path)

    def add(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Add a line for each record."""
        numbers = self.numbers(vectors, present, "null")
        for at, (record, vector) in enumerate(zip(records, numbers, strict=True), 1):
            try:
                # A lone surrogate becomes an escape sequence, which is valid JSON.
                members = record_json(record).encode("utf-8", "backslashreplace")
            except (TypeError, ValueError, RecursionError) as error:
                place = f"{output_name(self.path)}, record {self.count + at}"
                raise OutputError(f"{place}: expected values that JSON can hold, {error}") from None
            # Not one string: that would be another copy of a long text.
            self.lines.write(memoryview(members)[:-1])
            self.lines.write(f', "{VECTOR_COLUMN}": {vector}}}\n'.encode())

    def finish(self) -> None:
        """Complete the compressed data."""
        if self.lines is not self.file:
            self.lines.close()


class CsvWriter(Writer):
    """A writer of CSV: the record's columns and `embedding`, a JSON array, as pgvector reads it.

    The input's header or the first record has all columns. A null is an empty cell.
    """

    dialect = "excel"

    def __init__(self, path: str, file: IO[bytes], dim: int, dtype: np.dtype[Any]) -> None:
        super().__init__(path, file, dim, dtype)
        self.lines = compressed(file, path)
        self._rows = csv.writer(Utf8File(self.lines), dialect=self.dialect)
        self._names: list[str] = []

    def begin(self, names: Sequence[str]) -> None:
        """Write the header."""
        self._names = list(names)
        self._rows.writerow([*self._names, VECTOR_COLUMN])

    def add(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Add a row for each record."""
        numbers = self.numbers(vectors, present, "")
        for at, (record, vector) in enumerate(zip(records, numbers, strict=True), 1):
            if not self._names:
                self.begin(list(record))
            if not record.keys() <= set(self._names):
                raise OutputError(
                    f"{output_name(self.path)}, record {self.count + at}: expected the columns "
                    f"{', '.join(self._names)}, found {', '.join(record)}; write .jsonl or .parquet"
                )
            try:
                cells = record_cells(record, self._names)
            except (TypeError, ValueError, RecursionError) as error:
                place = f"{output_name(self.path)}, record {self.count + at}"
                raise OutputError(f"{place}: expected values that CSV can hold, {error}") from None
            self._rows.writerow([*cells, vector])

    def finish(self) -> None:
        """Complete the compressed data."""
        if self.lines is not self.file:
            self.lines.close()


class TsvWriter(CsvWriter):
    """A writer of tab-separated values, otherwise as CSV."""

    dialect = "excel-tab"


class NpyWriter(Writer):
    """A writer of the vectors alone, as a .npy array; `finish` puts its length into the header."""

    seeks = True

    def add(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Add rows to the array; the records are not written."""
        if self.count == 0:
            self.file.write(b" " * _NPY_HEADER)
        self.file.write(np.ascontiguousarray(vectors).data)

    def finish(self) -> None:
        """Write the header."""
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
