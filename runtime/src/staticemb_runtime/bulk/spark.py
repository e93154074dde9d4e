"""Embed a data frame of Spark by `mapInArrow`; the model's file travels by `addFile`.

Needs the extra `spark`, pyarrow included, and this package on the driver and on each executor.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import InvalidOptionError, MissingPackageError
from ..loading.installed import locate
from ..model import StaticModel
from .arrow import BatchEmbedder, BatchOptions, import_arrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow
    from pyspark.sql import DataFrame
    from typing_extensions import Unpack

# Names of types in Spark's schemas. Spark has no unsigned ones.
_TYPES: Final = {"float32": "float", "int8": "byte"}


class SparkEmbedder:
    """The function that `mapInArrow` calls on executors; it is sent to them.

    Args:
        model: the model's file, its name or None.
        shared: whether `model` is the name of a file that `addFile` has sent.
        options: as in `embed_batches`.
    """

    def __init__(self, model: str | None, *, shared: bool, options: BatchOptions) -> None:
        self._model = model
        self._shared = shared
        self._options = options

    def __call__(self, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        """Embed the batches of a partition."""
        model = self._model
        if self._shared:
            from pyspark import SparkFiles

            model = SparkFiles.get(model)
        embedder = BatchEmbedder(model, **self._options)
        for batch in embedder.stream(batches):
            yield _with_lists(batch)


def embed_dataframe(
    frame: DataFrame,
    model: StaticModel | str | os.PathLike[str] | None = None,
    **options: Unpack[BatchOptions],
) -> DataFrame:
    """Add a column of vectors to a data frame of Spark.

    Args:
        frame: the data frame.
        model: a model, a file or a folder, which is sent to the executors; or the name of a model
            that is installed on them; None: the bundled model.
        options: as in `embed_batches`; `precision` is `float32` or a signed one.

    Returns:
        The frame with a column of the type `array<float>` or `array<byte>`.

    Raises:
        MissingPackageError: pyspark or pyarrow is missing.
        InvalidOptionError: the precision is unsigned.
        InputError: the frame lacks the column, or it holds no text; or the output's name is taken.
        StaticEmbError: as `embed_batches`; the model is opened on the driver, too.
    """
    try:
        from pyspark.sql import types
        from pyspark.sql.pandas.types import to_arrow_schema
    except ImportError:
        raise MissingPackageError(
            "embed_dataframe needs Spark: pip install 'staticemb-runtime[spark]'"
        ) from None
    embedder = BatchEmbedder(model, **options)
    dtype = embedder.texts.dtype
    if dtype.name not in _TYPES:
        raise InvalidOptionError(
            f"precision: expected float32, int8 or binary, as Spark has no {dtype}, found "
            f"{options.get('precision')!r}"
        )
    embedder.schema(to_arrow_schema(frame.schema))  # not first by an executor, in a trace of Java
    element = types.FloatType() if dtype == np.float32 else types.ByteType()
    kind = types.ArrayType(element, containsNull=False)
    schema = types.StructType([*frame.schema.fields, types.StructField(embedder.field.name, kind)])
    if isinstance(model, StaticModel):
        if options.get("truncate_dim") is None:
            options["truncate_dim"] = model.dim  # which its file does not tell
        model = model._encoder.place
    path = None if model is None else locate(model)
    shared = path is not None and path == os.fspath(model) and os.path.exists(path)  # type: ignore[arg-type]
    if shared and path is not None:
        frame.sparkSession.sparkContext.addFile(path, recursive=os.path.isdir(path))
        name: str | None = os.path.basename(os.path.normpath(path))
    else:
        name = None if model is None else os.fspath(model)
    return frame.mapInArrow(SparkEmbedder(name, shared=shared, options=options), schema)


def _with_lists(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """Turn the last column into lists of any length: Spark reads no others."""
    arrow = import_arrow()
    vectors = batch.column(batch.num_columns - 1)
    width = vectors.type.list_size
    offsets = arrow.array(np.arange(len(vectors) + 1, dtype=np.int32) * width)
    item = arrow.field("element", vectors.type.value_type, nullable=False)
    values = arrow.Array.from_buffers(
        arrow.list_(item),
        len(vectors),
        [vectors.buffers()[0], offsets.buffers()[1]],
        children=[vectors.values],
    )
    names = batch.schema.names
    return arrow.RecordBatch.from_arrays([*batch.columns[:-1], values], names=names)
