"""Records with their vectors into files, block by block, for the command line."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOptionError, OutputError
from .compression import PACKINGS, packed, packing_of
from .output_file import is_stream, output_file, output_name, reported
from .readers import Record

OUTPUT_FORMATS: Final = ("npy", "jsonl", "parquet")
VECTOR_COLUMN: Final = "embedding"
SUFFIXES: Final = {".npy": "npy", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""What is written by a file's suffix, in any case; JSON lines may be packed."""

# The widest header that a .npy file of any length needs; its length must not change at the end.
_NPY_HEADER: Final = 128


def output_form(path: str, form: str | None = None) -> str:
    """The format to write a file in.

    Args:
        path: the file, or `-` for standard output, which carries JSON lines.
        form: one of `OUTPUT_FORMATS`; None decides by the name. A name without suffix says JSON
            lines where it leads to a FIFO or a device, which `/dev/stdout` is too.

    Raises:
        InvalidOptionError: the name does not say, or the format cannot be packed or carried.
    """
    if not path:
        raise InvalidOptionError("output: expected the name of a file, or - for standard output, "
                                 "found an empty name")  # fmt: skip
    packing = packing_of(path)
    suffix = os.path.splitext(path[: len(path) - len(packing)])[1].lower()  # noqa: PTH122
    if path == "-":
        if form not in (None, "jsonl"):
            raise InvalidOptionError(
                f"standard output carries JSON lines only: name a file for {form} with -o"
            )
        return "jsonl"
    if form is None and not suffix and is_stream(path):
        form = "jsonl"
    form = form or SUFFIXES.get(suffix)
    if form is None:
        raise InvalidOptionError(
            f"{path}: expected a name ending in {', '.join(SUFFIXES)}, JSON lines also with "
            f"{' or '.join(PACKINGS)} after it; or --output-format, which says what to write"
        )
    if packing and form != "jsonl":
        raise InvalidOptionError(
            f"{path}: expected JSON lines before {packing}, found {form}, which is not packed"
        )
    return form


@contextmanager
def open_writer(path: str, form: str | None, dim: int, dtype: np.dtype[Any]) -> Iterator[Writer]:
    """Write records and vectors to a file, which is kept only if the block ends well.

    Args:
        path: as for `output_form`.
        form: as for `output_form`.
        dim: numbers in one vector.
        dtype: their type.

    Yields:
        The writer.

    Raises:
        InvalidOptionError: as `output_form`.
        OutputError: the file cannot be written, a package is missing, or the format cannot hold
            what a record holds.
    """
    form = output_form(path, form)
    kind: type[Writer] = {"jsonl": JsonLinesWriter, "npy": NpyWriter}.get(form, Writer)
    if form == "parquet":
        from .parquet import ParquetWriter  # imports pyarrow

        kind = ParquetWriter
    with output_file(path, seek=kind.seeks) as file:
        writer = kind(path, file, dim, dtype)
        try:
            yield writer
            with reported(path):
                writer.finish()
        finally:
            writer.release()


class Writer:
    """Writes records and vectors to a file that is open.

    Args:
        path: the file's name.
        file: the file.
        dim: numbers in one vector.
        dtype: their type.

    Attributes:
        seeks: whether the format reads or seeks in what is written.
        count: how many records were written.
    """

    seeks = False

    def __init__(self, path: str, file: IO[bytes], dim: int, dtype: np.dtype[Any]) -> None:
        self.path = path
        self.file = file
        self.dim = dim
        self.dtype = dtype
        self.count = 0

    def write(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Add records with their vectors, (B, d).

        Raises:
            OutputError: they cannot be written; the message names the record.
        """
        with reported(self.path):
            self.add(records, vectors)
        self.count += len(records)

    def add(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Write them in this format."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write what comes after the last record."""

    def release(self) -> None:
        """Let go of the file, finished or not, before it is closed."""


class JsonLinesWriter(Writer):
    """One JSON object a line: the record's members and `embedding`.

    Dates and times are written by ISO 8601, decimal numbers as strings; NaN and infinities, which
    JSON has not, as null.
    """

    def __init__(self, path: str, file: IO[bytes], dim: int, dtype: np.dtype[Any]) -> None:
        super().__init__(path, file, dim, dtype)
        try:
            self.lines = packed(file, packing_of(path))
        except ImportError:
            raise OutputError(
                f"{path}: writing .zst needs zstandard: pip install 'staticemb-runtime[zstd]'"
            ) from None

    def add(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Add a line for each record."""
        if vectors.dtype.kind == "f" and not np.isfinite(vectors).all():
            at = self.count + int(np.argmin(np.isfinite(vectors).all(axis=1))) + 1
            raise OutputError(
                f"{output_name(self.path)}, record {at}: expected finite vectors, which JSON "
                "can hold, found NaN or infinity"
            )
        # Nine significant digits give every float32 back exactly.
        number = "%.9g" if vectors.dtype.kind == "f" else "%d"
        numbers = ", ".join([number] * vectors.shape[1])
        for at, (record, vector) in enumerate(zip(records, vectors.tolist(), strict=True), 1):
            try:
                members = _spelled(record)
            except (TypeError, ValueError, RecursionError) as error:
                place = f"{output_name(self.path)}, record {self.count + at}"
                raise OutputError(f"{place}: expected what JSON can hold, {error}") from None
            line = f'{members[:-1]}, "{VECTOR_COLUMN}": [{numbers % tuple(vector)}]}}\n'
            # Half a surrogate pair becomes the escape that JSON has for it.
            self.lines.write(line.encode("utf-8", "backslashreplace"))

    def finish(self) -> None:
        """End the packed stream."""
        if self.lines is not self.file:
            self.lines.close()


class NpyWriter(Writer):
    """The vectors alone, as a .npy array whose length is filled in at the end."""

    seeks = True

    def add(self, records: Sequence[Record], vectors: NDArray[Any]) -> None:
        """Add rows to the array; the records are not kept."""
        if self.count == 0:
            self.file.write(b" " * _NPY_HEADER)
        self.file.write(np.ascontiguousarray(vectors).data)

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


def _spelled(record: Record) -> str:
    """A record as JSON."""
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_without_nan(record), ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> str:
    """What JSON holds in the place of a value that Parquet has."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise TypeError(f"found {type(value).__name__}; write .parquet, which holds it")


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any value of a record
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value if value is None or isinstance(value, (str, int)) else _plain(value)
