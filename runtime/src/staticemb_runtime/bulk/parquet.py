"""Read and write Parquet in batches that are bounded by bytes (needs pyarrow)."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

from ..errors import InputError, OutputError
from ..records.output_file import output_file, reported
from ..records.parquet import stored_type
from ..records.readers import PARQUET_DATES, check_names, not_parquet
from .arrow import BatchEmbedder, import_arrow
from .texts import BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow

    from .files import Advance, Commit

# Rows that are decoded at a time: those of one row group may differ in size by far, and a
# dictionary of the file may repeat a long text in each of them.
_MOST_ROWS: Final = 256
# Bytes of a row group. Readers of columns want groups as large as memory allows.
_GROUP_BYTES: Final = 1 << 26
_READ_BYTES: Final = 1 << 20
_CODECS: Final = {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "BROTLI": "brotli",
                  "LZ4": "lz4"}  # fmt: skip


class ParquetInput:
    """A Parquet file, read in bounded memory.

    Args:
        file: the file; it is read into memory if it cannot seek.
        source: its name in messages.

    Attributes:
        schema: the Arrow schema.
        rows: the number of rows.
        codec: how the first column is compressed, a name of pyarrow.

    Raises:
        MissingPackageError: pyarrow is missing.
        InputError: the file is not Parquet, or repeats a column name.
    """

    def __init__(self, file: IO[bytes], source: str) -> None:
        arrow = import_arrow()
        import pyarrow.parquet

        self.source = source
        self._errors = (arrow.ArrowException, ValueError, OverflowError, OSError)
        try:
            seekable = file if file.seekable() else io.BytesIO(file.read())
            # Without these two, pyarrow reads a whole row group ahead.
            self._file = pyarrow.parquet.ParquetFile(
                seekable,
                buffer_size=_READ_BYTES,
                pre_buffer=False,
                page_checksum_verification=True,
                **PARQUET_DATES,
            )
            self.schema: pyarrow.Schema = self._file.schema_arrow
            self._metadata = self._file.metadata
            self.rows: int = self._metadata.num_rows
            self.codec = "snappy"
            if self._metadata.num_row_groups and self._metadata.num_columns:
                chunk = self._metadata.row_group(0).column(0)
                self.codec = _CODECS.get(chunk.compression, "none")
        except self._errors as error:
            raise not_parquet(source, error) from None
        check_names(self.schema.names, source)

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """Iterate over batches of at most `BATCH_BYTES`, about, or of one row that has more.

        Raises:
            InputError: the file is damaged; the message names it and the last good row.
        """
        done, row_bytes = 0, 1.0
        try:
            for number in range(self._metadata.num_row_groups):
                group = self._metadata.row_group(number)
                if group.num_rows:
                    row_bytes = max(row_bytes, group.total_byte_size / group.num_rows)
                size = max(1, min(_MOST_ROWS, int(BATCH_BYTES / row_bytes)))
                row_bytes = 1.0
                for batch in self._file.iter_batches(size, [number], use_threads=False):
                    if batch.nbytes > BATCH_BYTES:
                        release_memory()  # what the growth of a long text has left
                    yield batch
                    done += batch.num_rows
                    row_bytes = max(row_bytes, batch.nbytes / max(batch.num_rows, 1))
        except self._errors as error:
            place = f"{self.source}, after row {done}" if done else self.source
            raise not_parquet(place, error) from None
        if done != self.rows:
            raise InputError(f"{self.source}: expected {self.rows} rows, found {done}")


class BatchWriter:
    """Writes batches to an open Parquet file, in row groups of some 64 MiB.

    Args:
        file: the file.
        schema: the schema of the batches.
        codec: how columns are compressed. Vectors are not: they would hardly get smaller.
        texts: the name of the column of texts. It has no dictionary, as texts are rarely repeated,
            and no statistics, as nobody looks for the smallest text: with a long text, these would
            hold five more copies of it.
        vectors: the name of the column of vectors.
    """

    def __init__(
        self, file: IO[bytes], schema: pyarrow.Schema, codec: str, texts: str, vectors: str
    ) -> None:
        arrow = import_arrow()
        import pyarrow.parquet

        self._arrow, self._schema = arrow, schema
        leaves = _leaves(schema)
        prefix = f"{vectors}."
        others = [leaf for leaf in leaves if not leaf.startswith(prefix)]
        compression = dict.fromkeys(leaves, "none") | dict.fromkeys(others, codec)
        others = [leaf for leaf in others if leaf != texts]
        self._writer: Any = pyarrow.parquet.ParquetWriter(
            file,
            schema,
            compression=compression,
            use_dictionary=others,
            write_statistics=others,
            write_page_checksum=True,
        )
        self._waiting: list[pyarrow.RecordBatch] = []
        self._size = 0

    def write(self, batch: pyarrow.RecordBatch) -> None:
        """Add a batch."""
        self._waiting.append(batch)
        self._size += batch.nbytes
        if self._size >= _GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        """Write the last row group and the footer."""
        if self._waiting:
            self._write_group()
        self._writer.close()

    def release(self) -> None:
        """Stop using the file; otherwise pyarrow writes its footer on garbage collection."""
        with suppress(Exception):  # an earlier error is the one to report
            self._writer.close()
        self._writer.is_open = False

    def _write_group(self) -> None:
        table = self._arrow.Table.from_batches(self._waiting, self._schema)
        self._waiting, self._size = [], 0
        self._writer.write_table(table, row_group_size=max(1, len(table)))
        release_memory()


def embed_parquet(
    file: IO[bytes],
    source: str,
    output: str,
    embedder: BatchEmbedder,
    advance: Advance,
    commit: Commit,
) -> None:
    """Embed a Parquet file into another one, which appears whole or not at all.

    Args:
        file: the input.
        source: its name in messages.
        output: the file to write.
        embedder: the model, its parameters and the column; its vectors get the type of a file.
        advance: called after each batch with its number of rows, and the share of all that is done.
        commit: called with the written file before it gets its name.

    Raises:
        InputError: the input is damaged, or lacks the column.
        EmptyTextError, InvalidTextError: as `embed_batches`; the message names the file and row.
        OutputError: the output cannot be written.
    """
    arrow = import_arrow()
    table = ParquetInput(file, source)
    embedder.field = embedder.field.with_type(stored_type(embedder.field.type))
    try:
        schema = embedder.schema(table.schema)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    done = 0
    with output_file(output) as target, reported(output):
        writer = BatchWriter(target, schema, table.codec, embedder.column, embedder.field.name)
        try:
            for batch in embedder.stream(table.batches(), source):
                writer.write(batch)
                done += batch.num_rows
                advance(batch.num_rows, done / table.rows)
                del batch  # it may hold a long text while the next one is embedded
            writer.close()
        except arrow.ArrowException as error:
            reason = (str(error).splitlines() or ["an error"])[0]
            raise OutputError(f"{output}: cannot be written: {reason}") from None
        finally:
            writer.release()
        commit(target)


def release_memory() -> None:
    """Return to the system what Arrow has freed; otherwise it keeps that for some time."""
    import_arrow().default_memory_pool().release_unused()


def _leaves(schema: pyarrow.Schema) -> list[str]:
    """Return the paths of a schema's columns in Parquet, those inside nested types too."""
    import pyarrow.parquet

    empty = io.BytesIO()
    pyarrow.parquet.ParquetWriter(empty, schema).close()
    columns = pyarrow.parquet.ParquetFile(empty).metadata.schema
    return [columns.column(at).path for at in range(len(columns))]
