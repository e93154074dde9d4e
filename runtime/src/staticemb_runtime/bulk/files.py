"""Embed one file into another one: the same steps for the command, a shard, and a worker."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final

from ..encoding.progress import InputPosition
from ..records.forms import NOTHING_RESERVED, blocks, input_form, read_records
from ..records.open_writer import RESERVED, open_writer, output_form
from ..records.readers import TEXT_COLUMN, Record, open_input
from ..records.writers import VECTOR_COLUMN
from .texts import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from .texts import TextEmbedder

    Advance = Callable[[int, float | None], None]
    Commit = Callable[[IO[bytes]], None]

BLOCK_TEXTS: Final = 8192


def embed_file(
    source: str,
    output: str,
    texts: TextEmbedder,
    *,
    column: str | None = None,
    input_format: str | None = None,
    output_format: str | None = None,
    position: InputPosition | None = None,
    advance: Advance = lambda rows, share: None,
    commit: Commit = lambda file: None,
) -> None:
    """Embed a file into another one, which appears whole or not at all.

    Parquet to Parquet keeps the types, the metadata and the compression of all columns. Other
    formats go by the values of their rows. `texts.counts` counts the rows.

    Args:
        source: the input; `-` for standard input.
        output: the output; `-` for standard output.
        texts: the model and its parameters.
        column: the column of the text; None: `text`.
        input_format: as in `input_form`.
        output_format: as in `output_form`.
        position: follows the input.
        advance: called with the number of new rows, and the share of the input that is done, from
            0 to 1; None: unknown.
        commit: called with the written file before it gets its name; an error discards the file.

    Raises:
        InputError, EmptyTextError, InvalidTextError: the input is damaged, or a text cannot be
            embedded; the message names the file and the line or row.
        InvalidOptionError: a name has an unknown suffix.
        OutputError: the output cannot be written, or cannot hold a value.
    """
    read_form = input_form(source, input_format)
    form = output_form(output, output_format)
    position = position or InputPosition()
    texts.counts = Counts()
    if read_form == form == "parquet":
        from .arrow import BatchEmbedder  # late: these need pyarrow
        from .parquet import embed_parquet

        embedder = BatchEmbedder(texts, column=column or TEXT_COLUMN, output_column=VECTOR_COLUMN)
        name = "standard input" if source == "-" else source
        with open_input(source, position.follow) as file:
            embed_parquet(file, name, output, embedder, advance, commit)
        return
    with open_writer(output, form, texts.width, texts.dtype, commit=commit) as writer:
        records = read_records(
            source,
            read_form,
            column,
            nulls=form != "npy",
            reserved=NOTHING_RESERVED if form == "npy" else RESERVED,
            opened=position.follow,
            named=writer.begin,
        )
        for rows, vectors, present in embed_records(records, texts):
            writer.write(rows, vectors, present)
            advance(len(rows), position.share())


def embed_records(
    records: Iterable[tuple[str, str | None, Record]],
    texts: TextEmbedder,
    size: int | None = None,
) -> Iterator[tuple[list[Record], NDArray[Any], NDArray[np.bool_] | None]]:
    """Embed records block by block.

    Args:
        records: places, texts and records.
        texts: the model and its parameters.
        size: the most records of a block; None: 8,192 a thread.

    Yields:
        The records of a block, their vectors, and which of them have a text; None: all.

    Raises:
        EmptyTextError, InvalidTextError: a text cannot be embedded; the message names its place.
    """
    for places, block, rows in blocks(records, size or BLOCK_TEXTS * texts.workers):
        yield rows, *texts.embed(block, places.__getitem__)
