"""Texts in and vectors out of files, block by block, for the command line.

Readers yield records (a dict of columns) in constant memory; writers take records with their
vectors, write beside the destination, and rename at the end, so that no interrupted run leaves a
file that looks whole.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import StaticEmbError

Record = dict[str, Any]

INPUT_FORMATS: Final = ("lines", "jsonl", "csv", "tsv")
OUTPUT_FORMATS: Final = ("npy", "jsonl", "parquet")
TEXT_COLUMN: Final = "text"
VECTOR_COLUMN: Final = "embedding"

_SUFFIXES: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv"}
# The widest header that a .npy file of any length needs; its length must not change at the end.
_NPY_HEADER: Final = 128


class InputError(StaticEmbError):
    """A row of the input cannot be read; the message names the file and the line."""


class OutputError(StaticEmbError):
    """The output cannot be written."""


def read_records(
    path: str, form: str | None = None, column: str | None = None
) -> Iterator[tuple[str, Record]]:
    """Read texts with the columns around them.

    Args:
        path: a file, gzipped if its name ends in `.gz`; `-` for standard input.
        form: one of `INPUT_FORMATS`; None decides by the name, `lines` where it tells nothing.
        column: the column (CSV) or member (JSON lines) that holds the text; `text` if None.

    Yields:
        The text and the record it stands in; for `lines` the record is the text alone.

    Raises:
        InputError: the file cannot be read, a line is no JSON object, the column is missing.
    """
    name = Path(path.removesuffix(".gz"))
    form = form or _SUFFIXES.get(name.suffix, "lines")
    with _open_input(path) as file:
        source = "standard input" if path == "-" else path
        try:
            for number, record in enumerate(_READERS[form](file, source), 1):
                key = TEXT_COLUMN if column is None else column
                text = record.get(key)
                if not isinstance(text, str):
                    found = "none" if key not in record else type(text).__name__
                    columns = ", ".join(map(str, record))
                    raise InputError(
                        f"{source}, row {number}: expected text in {key!r}, found {found} "
                        f"(columns: {columns})"
                    )
                yield text, record
        except UnicodeDecodeError as error:
            raise InputError(f"{source}: expected UTF-8, found {error.reason}") from None
        except (csv.Error, EOFError, gzip.BadGzipFile) as error:
            raise InputError(f"{source}: {error}") from None


def blocks(
    records: Iterable[tuple[str, Record]], size: int
) -> Iterator[tuple[list[str], list[Record]]]:
    """Cut a stream of records into blocks of at most `size`."""
    records = iter(records)
    while block := list(itertools.islice(records, size)):
        yield [text for text, _ in block], [record for _, record in block]


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


@contextlib.contextmanager
def _open_input(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(path).open("rb") as raw:
            yield gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw  # type: ignore[misc]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _decode(file: IO[bytes], newline: str) -> IO[str]:
    # utf-8-sig: a byte order mark, which spreadsheets write, is no text.
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)


def _lines(file: IO[bytes], source: str) -> Iterator[Record]:
    # A record ends at a line feed alone: what else str.splitlines() cuts at may be text.
    for line in _decode(file, "\n"):
        yield {TEXT_COLUMN: line.removesuffix("\n").removesuffix("\r")}


def _json_lines(file: IO[bytes], source: str) -> Iterator[Record]:
    for number, line in enumerate(_decode(file, "\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source}, line {number}: expected JSON, found {error}") from None
        if not isinstance(value, dict):
            found = type(value).__name__
            raise InputError(f"{source}, line {number}: expected a JSON object, found {found}")
        yield value


def _csv(file: IO[bytes], source: str, dialect: str = "excel") -> Iterator[Record]:
    csv.field_size_limit(2**31 - 1)
    rows = csv.DictReader(_decode(file, ""), dialect=dialect, strict=True)
    for row in rows:
        if None in row:
            expected = f"{len(rows.fieldnames or ())} columns"
            raise InputError(f"{source}, line {rows.line_num}: expected {expected}, found more")
        yield row


def _tsv(file: IO[bytes], source: str) -> Iterator[Record]:
    return _csv(file, source, "excel-tab")


_READERS: Final[dict[str, Callable[[IO[bytes], str], Iterator[Record]]]] = {
    "lines": _lines,
    "jsonl": _json_lines,
    "csv": _csv,
    "tsv": _tsv,
}
