"""Embed a dataset of Ray Data: an actor class for `map_batches`, and the call itself.

Ray runs the model once a process and reads and writes tables of Arrow, in local files or object
stores. Needs the extra `ray`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError
from ..model import StaticModel
from .arrow import BatchEmbedder, BatchOptions

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Dataset
    from typing_extensions import Unpack


class RayEmbedder:
    """An actor class for `Dataset.map_batches` with `batch_format="pyarrow"`.

    Args:
        model: as in `embed_batches`: a path that each node has, or the name of a model that is
            installed on each node; None: the bundled model.
        options: as in `embed_batches`.

    Raises:
        StaticEmbError: as `embed_batches`.

    Example:
        dataset.map_batches(
            RayEmbedder,
            fn_constructor_kwargs={"model": "model.staticemb", "precision": "int8"},
            batch_format="pyarrow",
            batch_size=None,
            concurrency=2,
        )
    """

    def __init__(
        self,
        model: StaticModel | str | os.PathLike[str] | None = None,
        **options: Unpack[BatchOptions],
    ) -> None:
        self._embed = BatchEmbedder(model, **options)

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        """Return a table with the column of vectors at its end."""
        return self._embed(batch)


def embed_dataset(
    dataset: Dataset,
    model: StaticModel | str | os.PathLike[str] | None = None,
    *,
    concurrency: int | tuple[int, int] = 1,
    ray_options: dict[str, Any] | None = None,
    **options: Unpack[BatchOptions],
) -> Dataset:
    """Add a column of vectors to a dataset of Ray Data.

    Rows that an actor had not finished when it died are embedded again by another one. Blocks are
    bounded by bytes (`DataContext.target_max_block_size`), and no further by rows.

    Args:
        dataset: the dataset.
        model: as in `RayEmbedder`.
        concurrency: the number of actors, or the least and the most of them.
        ray_options: further arguments of `map_batches`, such as `num_cpus`, 1 by default.
        options: as in `embed_batches`.

    Returns:
        The dataset, which is computed when it is read or written.

    Raises:
        MissingPackageError: ray is missing.
        StaticEmbError: as `embed_batches`; the model is opened here, too.
    """
    try:
        from ray.data import ActorPoolStrategy
    except ImportError:
        raise MissingPackageError(
            "embed_dataset needs Ray Data: pip install 'staticemb-runtime[ray]'"
        ) from None
    BatchEmbedder(model, **options)  # refuses invalid options before the start
    least, most = (concurrency, concurrency) if isinstance(concurrency, int) else concurrency
    return dataset.map_batches(
        RayEmbedder,
        fn_constructor_kwargs={"model": model, **options},
        batch_format="pyarrow",
        batch_size=None,
        zero_copy_batch=True,
        compute=ActorPoolStrategy(min_size=least, max_size=most),
        **{"num_cpus": 1, **(ray_options or {})},
    )
