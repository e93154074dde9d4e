"""Arrow batches in, Arrow batches with a column of vectors out: one function for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import InputEncodingError, InputError, MissingPackageError
from ..records.parquet import arrow_version, vector_array
from ..records.readers import TEXT_COLUMN
from ..records.writers import VECTOR_COLUMN
from .texts import BATCH_BYTES, TextEmbedder, VectorOptions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    import pyarrow
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from ..model import StaticModel

_WHOLE_VIEWS: Final = 25  # the first version of pyarrow that knows the size of string views


class BatchOptions(VectorOptions, total=False):
    """Parameters of `embed_batches`."""

    column: str
    output_column: str


def embed_batches(
    batches: Iterable[pyarrow.RecordBatch],
    model: StaticModel | str | os.PathLike[str] | None = None,
    **options: Unpack[BatchOptions],
) -> Iterator[pyarrow.RecordBatch]:
    """Add a column of vectors to Arrow batches.

    All columns and rows are kept in their order. At most 32 MiB of texts, other columns and vectors
    are in memory at a time, or one row if it alone has more: a batch is cut into smaller ones, and
    small batches are embedded together. A null has a null vector.

    Args:
        batches: record batches, a table, or a `RecordBatchReader`.
        model: the model, or its path or name as in `StaticModel.load`, which is opened once a
            process; None: the bundled model.
        options: `column` with the texts (default: `text`), a string column of any kind;
            `output_column` (default: `embedding`); and parameters of `StaticModel.encode`:
            `truncate_dim`, `precision`, `normalize_embeddings`, `pooling`, `prompt_name`, `prompt`,
            `on_empty`, `workers`.

    Returns:
        An iterator over batches with the column `output_column` at their end: fixed-size lists of
        float32, int8 or uint8 by `precision`. Its bits are those of `StaticModel.encode`.

    Raises:
        MissingPackageError: pyarrow is missing.
        StaticEmbError: as `StaticModel.load`, and `encode` for its parameters, at the call.
        InputError: a batch lacks the column, it holds no text, or it has a column of the output's
            name; when the iterator reaches it.
        EmptyTextError: a text has no known token, and `on_empty` is `raise`.

    Example:
        >>> import pyarrow
        >>> batch = pyarrow.record_batch({"id": [1, 2], "text": ["a house", None]})
        >>> (out,) = embed_batches([batch], truncate_dim=64, precision="int8")
        >>> print(out.schema.field("embedding").type, out["embedding"].null_count)
        fixed_size_list<item: int8>[64] 1
    """
    embedder = BatchEmbedder(model, **options)
    if hasattr(batches, "to_batches"):
        batches = batches.to_batches()
    return embedder.stream(batches)


class BatchEmbedder:
    """The model and parameters of `embed_batches`, for engines that pass their batches one by one.

    Args:
        model: as in `embed_batches`; or a model with its parameters.
        options: as in `embed_batches`.

    Attributes:
        column: the name of the column of texts.
        texts: embeds them.
        field: the Arrow field of the vectors.

    Raises:
        MissingPackageError, StaticEmbError: as `embed_batches` at the call.
    """

    def __init__(
        self,
        model: StaticModel | TextEmbedder | str | os.PathLike[str] | None = None,
        **options: Unpack[BatchOptions],
    ) -> None:
        arrow = import_arrow()
        self.column = options.pop("column", TEXT_COLUMN)
        output_column = options.pop("output_column", VECTOR_COLUMN)
        if isinstance(model, TextEmbedder):
            self.texts = model
        else:
            self.texts = TextEmbedder(model, **options)  # type: ignore[misc] # two keys fewer
        item = arrow.from_numpy_dtype(self.texts.dtype)
        self.field: pyarrow.Field = arrow.field(output_column, arrow.list_(item, self.texts.width))

    def __call__(self, table: pyarrow.Table) -> pyarrow.Table:
        """Embed a table or a batch; return it with the column of vectors."""
        arrow = import_arrow()
        schema = self.schema(table.schema)
        batches = table.to_batches() if hasattr(table, "to_batches") else [table]
        made = arrow.Table.from_batches(self.stream(batches), schema)
        if isinstance(table, arrow.Table):
            return made
        (batch,) = made.combine_chunks().to_batches() or [arrow.RecordBatch.from_pylist([], schema)]
        return batch

    def schema(self, schema: pyarrow.Schema) -> pyarrow.Schema:
        """Return the schema of the output for a schema of the input.

        Raises:
            InputError: the column is missing, holds no text, or the output's name is taken.
        """
        arrow = import_arrow()
        names = ", ".join(schema.names) or "none"
        if schema.names.count(self.column) != 1:
            raise InputError(f"expected a column {self.column!r}, found {names}")
        if self.field.name in schema.names:
            raise InputError(
                f"expected no column {self.field.name!r}, which the output uses for the vectors; "
                "rename or drop it"
            )
        kind = schema.field(self.column).type
        if not _is_text(arrow, kind):
            raise InputError(f"expected text in {self.column!r}, found {kind}")
        return schema.append(self.field)

    def stream(
        self, batches: Iterable[pyarrow.RecordBatch], source: str = ""
    ) -> Iterator[pyarrow.RecordBatch]:
        """Embed batches, in order: small ones together, large ones in pieces.

        Args:
            batches: the batches.
            source: a name that messages put before the number of a row.

        Raises:
            InputError, EmptyTextError: as `embed_batches`.
        """
        prefix = f"{source}, row" if source else "row"
        together: list[pyarrow.RecordBatch] = []
        size = 0
        for batch in batches:
            self.schema(batch.schema)
            for piece in self._pieces(batch):
                more = piece.nbytes + piece.num_rows * self.texts.row_bytes
                if together and size + more > BATCH_BYTES:
                    yield from self._embedded(together, prefix)
                    together, size = [], 0
                together.append(piece)
                size += more
                if size > BATCH_BYTES:  # a long document: not while the next one is read
                    yield from self._embedded(together, prefix)
                    together, size = [], 0
        yield from self._embedded(together, prefix)

    def _embedded(
        self, batches: list[pyarrow.RecordBatch], prefix: str
    ) -> Iterator[pyarrow.RecordBatch]:
        """Embed batches in one call."""
        if not batches:
            return
        begin = self.texts.counts.rows + 1
        texts: list[str | None] = []
        for batch in batches:
            column = batch.column(batch.schema.names.index(self.column))
            texts += _texts(column, f"{prefix} ", begin + len(texts))
        vectors, present = self.texts.embed(texts, lambda row: f"{prefix} {begin + row}")
        del texts  # the batches hold them too, and writing a long one takes several times as much
        at = 0
        for batch in batches:
            rows = slice(at, at + batch.num_rows)
            column = vector_array(
                self.field.type, vectors[rows], None if present is None else present[rows]
            )
            yield _with_column(batch, column, batch.schema.append(self.field))
            at = rows.stop

    def _pieces(self, batch: pyarrow.RecordBatch) -> Iterator[pyarrow.RecordBatch]:
        """Cut a batch into pieces of `BATCH_BYTES`, or of one row that has more."""
        row_bytes = self.texts.row_bytes
        if batch.nbytes + batch.num_rows * row_bytes <= BATCH_BYTES:
            yield batch
            return
        texts = batch.column(batch.schema.names.index(self.column))
        sizes = _lengths(texts) + row_bytes
        ends = np.cumsum(sizes)
        begin = 0
        while begin < batch.num_rows:
            before = int(ends[begin] - sizes[begin])
            stop = int(np.searchsorted(ends, before + BATCH_BYTES, side="right"))
            stop = max(stop, begin + 1)
            yield batch.slice(begin, stop - begin)
            begin = stop


def import_arrow() -> Any:  # noqa: ANN401 - a module without types
    """Import pyarrow.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise MissingPackageError(
            "Arrow batches need pyarrow: pip install 'staticemb-runtime[parquet]'"
        ) from None
    return pyarrow


def _is_text(arrow: Any, kind: Any) -> bool:  # noqa: ANN401 - pyarrow and a type of it
    types = arrow.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if arrow_version() >= _WHOLE_VIEWS and types.is_string_view(kind):
        return True
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind))


def _texts(column: pyarrow.Array, prefix: str, first: int) -> list[str | None]:
    """Return the texts of a column; a null is None.

    Args:
        column: the column.
        prefix: what messages put before the number of a row.
        first: the number of the first row.

    Raises:
        InputEncodingError: a text is not UTF-8.
    """
    arrow = import_arrow()
    if arrow.types.is_dictionary(column.type):
        # Each text is made once, and shared by its rows.
        values = [*_texts(column.dictionary, f"{prefix}(unknown), value ", 1), None]
        indices = column.indices.fill_null(len(values) - 1) if column.null_count else column.indices
        return [values[i] for i in indices.to_numpy().tolist()]
    if arrow.types.is_null(column.type):
        return [None] * len(column)
    try:
        texts: list[str | None] = column.to_numpy(zero_copy_only=False).tolist()
    except arrow.ArrowException:
        # Bytes that are not UTF-8: the first such row is named.
        for row, value in enumerate(column.cast(arrow.large_binary())):
            try:
                bytes(value.as_py() or b"").decode()
            except UnicodeDecodeError as error:
                raise InputEncodingError(
                    f"{prefix}{first + row}: expected UTF-8, found byte "
                    f"{error.object[error.start]:#04x} at position {error.start}"
                ) from None
        raise
    return texts


def _lengths(column: pyarrow.Array) -> NDArray[np.int64]:
    """Return the number of bytes of each text."""
    arrow = import_arrow()
    import pyarrow.compute

    if arrow.types.is_dictionary(column.type):
        lengths: NDArray[np.int64] = np.append(_lengths(column.dictionary), 0)
        indices = (
            column.indices.fill_null(len(lengths) - 1) if column.null_count else column.indices
        )
        taken: NDArray[np.int64] = lengths[indices.to_numpy()]
        return taken
    if arrow.types.is_null(column.type):
        return np.zeros(len(column), np.int64)
    if not (arrow.types.is_string(column.type) or arrow.types.is_large_string(column.type)):
        column = column.cast(arrow.large_string())  # views have no such function
    lengths = pyarrow.compute.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray(lengths, np.int64)


def _with_column(
    batch: pyarrow.RecordBatch, column: pyarrow.Array, schema: pyarrow.Schema
) -> pyarrow.RecordBatch:
    return import_arrow().RecordBatch.from_arrays([*batch.columns, column], schema=schema)
