"""Columns of texts and vectors in Parquet and JSON lines files, read in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError, TextSourceError
from .records import Record, read_records, reading
from .text_files import joined

Block: TypeAlias = "tuple[list[str], NDArray[np.float32]]"
"""n texts, and their vectors (n, D)."""

_VECTOR = "embedding"
_BUFFER = 1 << 20  # bytes of a column that are read at a time


def check_finite(vectors: NDArray[Any], start: int, place: str) -> None:
    """Check a block of vectors whose first row has the number `start`, from 0.

    Raises:
        TextSourceError: A vector has NaN or an infinity.
    """
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        row = start + int(np.argmax(bad)) + 1
        raise TextSourceError(f"{place}, row {row}: expected finite numbers, found NaN or infinity")


def check_type(dtype: np.dtype[Any], place: str) -> None:
    """Check that vectors are of float64, float32, float16 or int8.

    Other integers are refused, because they can be packed bits or have an offset.

    Raises:
        TextSourceError: They have another type.
    """
    if dtype.kind != "f" and dtype != np.int8:
        raise TextSourceError(f"{place}: expected vectors of floats or int8, found {dtype}")


def _chosen(
    names: Sequence[str],
    given: str | None,
    usual: str,
    fitting: Callable[[str], bool],
    description: str,
    place: str,
) -> str:
    """Choose a column: the given one, the one of the usual name, or the only one that fits.

    Raises:
        TextSourceError: The given column is missing, or several or no columns fit.
    """
    found = ", ".join(names) or "no columns"
    if given is not None:
        if given not in names:
            raise TextSourceError(f"{place}: expected a column {given!r}, found {found}")
        return given
    if usual in names:
        return usual
    candidates = [name for name in names if fitting(name)]
    if len(candidates) != 1:
        raise TextSourceError(
            f"{place}: expected a column {usual!r} or a single column of {description}, found "
            f"{found}"
        )
    return candidates[0]


def read_parquet(
    path: Path, text: tuple[str, ...] | None, vector: str | None, size: int
) -> Iterator[Block]:
    """Read a Parquet file; arguments as for `open_vectors`, but `text` as a tuple.

    If `text` is None, no column of text is read, and the texts are empty.

    Raises:
        TextSourceError: The file cannot be read, a column is missing, or a vector is invalid.
        MissingPackageError: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError(f"{path}: to read it, install pyarrow") from error
    start = 0
    try:
        with (
            reading(path),
            pyarrow.parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file,
        ):
            schema = file.schema_arrow
            chosen_vector, chosen_text = _parquet_columns(pyarrow, schema, text, vector, str(path))
            columns = list(dict.fromkeys([*chosen_text, chosen_vector]))
            dim = None
            for batch in file.iter_batches(batch_size=size, columns=columns):
                vectors = _from_lists(pyarrow, batch.column(chosen_vector), dim, start, str(path))
                dim = vectors.shape[1]
                texts = [""] * len(vectors)
                if text is not None:
                    values = [batch.column(name).to_pylist() for name in chosen_text]
                    texts = [
                        joined(
                            dict(zip(chosen_text, row, strict=True)),
                            chosen_text,
                            f"{path}, row {start + number}",
                        )
                        for number, row in enumerate(zip(*values, strict=True), 1)
                    ]
                if texts:
                    yield texts, vectors
                start += len(texts)
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise TextSourceError(f"{path}: expected Parquet ({error})") from error


def _parquet_columns(
    pyarrow: Any,  # noqa: ANN401 - an optional package
    schema: Any,  # noqa: ANN401
    text: tuple[str, ...] | None,
    vector: str | None,
    place: str,
) -> tuple[str, tuple[str, ...]]:
    types = pyarrow.types

    def is_text(name: str) -> bool:
        kind = schema.field(name).type
        return bool(types.is_string(kind) or types.is_large_string(kind))

    def is_vector(name: str) -> bool:
        kind = _storage(pyarrow, schema.field(name).type)
        # A column of categories has a type of values as well.
        items = getattr(kind, "value_type", None) if types.is_nested(kind) else None
        return items is not None and bool(types.is_floating(items) or types.is_integer(items))

    names = schema.names
    vector_column = _chosen(names, vector, _VECTOR, is_vector, "lists of numbers", place)
    if not is_vector(vector_column):
        kind = schema.field(vector_column).type
        raise TextSourceError(
            f"{place}: expected lists of numbers in column {vector_column!r}, found {kind}"
        )
    if text is None:
        return vector_column, ()
    columns = [_chosen(names, name, "text", is_text, "text", place) for name in text or (None,)]
    return vector_column, tuple(columns)


def _storage(pyarrow: Any, kind: Any) -> Any:  # noqa: ANN401 - pyarrow's types
    """Return the type that an extension type (a tensor of fixed shape) is stored as."""
    return kind.storage_type if isinstance(kind, pyarrow.BaseExtensionType) else kind


def _from_lists(
    pyarrow: Any,  # noqa: ANN401 - an optional package
    column: Any,  # noqa: ANN401
    dim: int | None,
    start: int,
    place: str,
) -> NDArray[np.float32]:
    """Convert a column of lists to vectors (n, D).

    Args:
        pyarrow: The package.
        column: An array of lists, of any of pyarrow's kinds.
        dim: The expected dimension; None: the first row's.
        start: The number of rows before.
        place: The file's name for messages.
    """
    if isinstance(column, pyarrow.ExtensionArray):
        column = column.storage
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    if column.null_count:
        row = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False))) + 1
        raise TextSourceError(f"{place}, row {row}: expected a vector, found null")
    if not len(lengths):
        return np.empty((0, dim or 1), np.float32)
    dim = int(lengths[0]) if dim is None else dim
    _check_lengths(lengths, dim, start, place)
    values = column.flatten()
    if values.null_count:
        at = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
        raise TextSourceError(f"{place}, row {start + at // dim + 1}: expected numbers, found null")
    numbers = values.to_numpy(zero_copy_only=False)
    check_type(numbers.dtype, place)
    vectors = _single(numbers.reshape(-1, dim))
    check_finite(vectors, start, place)
    return vectors


def _check_lengths(lengths: NDArray[Any], dim: int, start: int, place: str) -> None:
    other = lengths != dim
    if other.any() or dim < 1:
        first = int(np.argmax(other))
        raise TextSourceError(
            f"{place}, row {start + first + 1}: expected a vector of {max(dim, 1)} numbers, found "
            f"{int(lengths[first])}"
        )


def read_json_lines(
    path: Path, text: tuple[str, ...] | None, vector: str | None, size: int
) -> Iterator[Block]:
    """Read a file of JSON lines; arguments and errors as for `read_parquet`.

    Raises:
        TextSourceError: The file cannot be read, a column is missing, or a vector is invalid.
        MissingPackageError: `.zst` needs zstandard.
    """
    texts: list[str] = []
    rows: list[NDArray[np.float32]] = []
    dim = 0
    for location, record in read_records(path):
        if not dim:
            names = list(record)
            vector = _chosen(names, vector, _VECTOR, _is_vector(record), "numbers", location)
            if text is not None:
                text = tuple(
                    _chosen(names, name, "text", _is_text(record), "text", location)
                    for name in text or (None,)
                )
        assert vector is not None
        row = _from_json(record, vector, location)
        dim = dim or len(row)
        if len(row) != dim:
            raise TextSourceError(
                f"{location}: expected a vector of {dim} numbers, found {len(row)}"
            )
        texts.append("" if text is None else joined(record, text, location))
        rows.append(row)
        if len(texts) == size:
            yield texts, np.stack(rows)
            texts, rows = [], []
    if texts:
        yield texts, np.stack(rows)


def is_list_of_numbers(value: object) -> bool:
    """Tell whether a value of a JSON record is a list that holds a number."""
    return isinstance(value, list) and any(type(item) in (int, float) for item in value)


def _is_vector(record: Record) -> Callable[[str], bool]:
    return lambda name: is_list_of_numbers(record[name])


def _is_text(record: Record) -> Callable[[str], bool]:
    return lambda name: isinstance(record[name], str)


def _from_json(record: Record, name: str, location: str) -> NDArray[np.float32]:
    if name not in record:
        names = ", ".join(record) or "no columns"
        raise TextSourceError(f"{location}: expected a column {name!r}, found {names}")
    value = record[name]
    if not isinstance(value, list) or not value:
        found = (
            "an empty list" if value == [] else "null" if value is None else type(value).__name__
        )
        raise TextSourceError(f"{location}: expected a list of numbers in {name!r}, found {found}")
    for item in value:
        if type(item) not in (int, float):
            found = "null" if item is None else type(item).__name__
            raise TextSourceError(f"{location}: expected numbers in {name!r}, found {found}")
    try:
        row = _single(np.array(value, np.float64))
    except OverflowError:  # an integer with more than 308 digits
        row = np.full(len(value), np.inf, np.float32)
    if not np.isfinite(row).all():
        raise TextSourceError(f"{location}: expected finite numbers, found NaN or infinity")
    return row


def _single(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """Convert to float32; a number that is too large becomes an infinity."""
    with np.errstate(over="ignore"):
        return np.asarray(numbers, np.float32)


Reader: TypeAlias = "Callable[[Path, tuple[str, ...] | None, str | None, int], Iterator[Block]]"

READERS: Mapping[str, Reader] = {
    "parquet": read_parquet,
    "json": read_json_lines,
}
"""The readers by the kind of `records.kind_of`."""
