"""The format of an output, and its writer."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from ..errors import InvalidOptionError
from .compression import COMPRESSION_SUFFIXES, compression_suffix
from .output_file import is_stream, output_file, reported
from .writers import VECTOR_COLUMN, CsvWriter, JsonLinesWriter, NpyWriter, TsvWriter, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

OUTPUT_FORMATS: Final = ("npy", "jsonl", "csv", "tsv", "parquet")
RESERVED: Final = {VECTOR_COLUMN: "rename or drop it, or write .npy"}
"""The column that an input must not have, as `read_records` takes it."""

OUTPUT_SUFFIXES: Final = {
    ".npy": "npy",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
"""The format of an output by its suffix, in any case; JSON lines, CSV and TSV may be compressed."""

_COMPRESSIBLE: Final = ("jsonl", "csv", "tsv")


def output_form(path: str, form: str | None = None) -> str:
    """Return the format to write a file in.

    Args:
        path: the file; `-` for standard output, which takes JSON lines only.
        form: one of `OUTPUT_FORMATS`; None: by the file's name. A FIFO or a device without suffix,
            such as `/dev/stdout`, gets JSON lines.

    Raises:
        InvalidOptionError: the name is empty or has an unknown suffix; the format cannot be
            compressed, or cannot go to standard output.
    """
    if not path:
        raise InvalidOptionError("output: expected the name of a file, or - for standard output, "
                                 "found an empty name")  # fmt: skip
    compression = compression_suffix(path)
    suffix = os.path.splitext(path[: len(path) - len(compression)])[1].lower()
    if path == "-":
        if form not in (None, "jsonl"):
            raise InvalidOptionError(
                f"standard output: expected JSON lines, found {form}; name a file with -o"
            )
        return "jsonl"
    if form is None and not suffix and is_stream(path):
        form = "jsonl"
    form = form or OUTPUT_SUFFIXES.get(suffix)
    if form is None:
        raise InvalidOptionError(
            f"{path}: expected a name ending in {', '.join(OUTPUT_SUFFIXES)}, all but the first "
            f"and the last also with {' or '.join(COMPRESSION_SUFFIXES)} after it; or pass "
            "--output-format. A folder ends in /"
        )
    if compression and form not in _COMPRESSIBLE:
        raise InvalidOptionError(f"{path}: expected JSON lines or CSV before {compression}, found "
                                 f"{form}")  # fmt: skip
    return form


@contextmanager
def open_writer(
    path: str,
    form: str | None,
    dim: int,
    dtype: np.dtype[Any],
    *,
    commit: Callable[[IO[bytes]], None] = lambda file: None,
) -> Iterator[Writer]:
    """Open a file to write records and vectors; it is kept only if the block succeeds.

    Args:
        path: as in `output_form`.
        form: as in `output_form`.
        dim: the number of elements of a vector.
        dtype: the type of the elements.
        commit: called with the whole file before it gets its name.

    Yields:
        The writer.

    Raises:
        InvalidOptionError: as `output_form`.
        OutputError: the file cannot be written, a package is missing, or the format cannot hold a
            record.
    """
    form = output_form(path, form)
    kind: type[Writer]
    if form == "parquet":
        from .parquet import ParquetWriter  # late: only this format needs it

        kind = ParquetWriter
    else:
        kind = {"jsonl": JsonLinesWriter, "npy": NpyWriter, "csv": CsvWriter, "tsv": TsvWriter}[
            form
        ]
    with output_file(path, seek=kind.seeks) as file:
        writer = kind(path, file, dim, dtype)
        try:
            yield writer
            with reported(path):
                writer.finish()
        finally:
            writer.release()
        commit(file)
