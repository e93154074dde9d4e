"""What the adapters share: a model with a name and a digest for the framework's configuration.

Frameworks make adapters again and again, some for each query. The adapters of a process share one
open model a file, with its word cache.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

from ..encoding.vectors import check_dim
from ..errors import MissingPackageError, SpaceMismatchError
from ..loading.installed import DEFAULT_FILE, DEFAULT_MODEL, locate
from ..model import StaticModel
from ..model.identity import identity
from ..model.shared import shared_model

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from numpy.typing import NDArray

Source: TypeAlias = StaticModel | str | os.PathLike[str] | None
"""An open model, a file, a folder, or an installed model's name; None: the bundled model."""

Config: TypeAlias = dict[str, Any]
"""What a framework stores of an adapter."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class OpenedModel(NamedTuple):
    """A model and what a configuration says about it.

    Attributes:
        model: the model.
        name: the name or the absolute path that opens it again.
        digest: the digest of what determines its vectors.
        truncate_dim: the length of the adapter's vectors; None: the file's dimension.
    """

    model: StaticModel
    name: str
    digest: str
    truncate_dim: int | None

    @classmethod
    def open(
        cls,
        model: Source,
        truncate_dim: int | None = None,
        digest: str | None = None,
    ) -> OpenedModel:
        """Open the model of an adapter, or take an open one.

        Args:
            model: the model.
            truncate_dim: the length of vectors; None: the model's default.
            digest: the digest in a configuration; None: every model is right.

        Raises:
            TypeError, StaticEmbError: as `StaticModel.load`.
            SpaceMismatchError: the model's digest is another.
        """
        if isinstance(model, StaticModel):
            opened, opened_digest, path = model, identity(model), model._encoder.place
            name = path
        else:
            located = locate(model)
            path = os.path.abspath(located)
            opened = shared_model(path)
            opened_digest = _identity(opened)
            name = path if model is None or located == os.fspath(model) else os.fspath(model)
        if path == DEFAULT_FILE:  # another environment has it at another place
            name = DEFAULT_MODEL
        if digest is not None and digest != opened_digest:
            raise SpaceMismatchError(
                f"{name}: expected the model whose digest is {digest!r:.90}, found one with "
                f"{opened_digest!r}: vectors of the two do not compare"
            )
        if truncate_dim is None:
            truncate_dim = opened.truncate_dim
        else:
            check_dim(truncate_dim, opened.metadata.dim)
        return cls(opened, name, opened_digest, truncate_dim)

    @property
    def settings(self) -> Config:
        """The values of a framework's configuration that make the adapter again."""
        return {"truncate_dim": self.truncate_dim, "digest": self.digest}

    @property
    def dim(self) -> int:
        """The length of the adapter's vectors."""
        return self.truncate_dim or self.model.metadata.dim

    def documents(self, texts: Iterable[str]) -> NDArray[Any]:
        """Return the vectors of documents, (n, dim) float32, by one call of `encode_document`.

        Raises:
            TypeError: `texts` is one string, whose characters are no documents.
            TypeError, StaticEmbError: as `StaticModel.encode_document`.
        """
        return self.model.encode_document(_several(texts), truncate_dim=self.dim)

    def queries(self, texts: Iterable[str]) -> NDArray[Any]:
        """Return the vectors of queries, (n, dim) float32, by one call of `encode_query`.

        Raises:
            TypeError, StaticEmbError: as `documents` and `StaticModel.encode_query`.
        """
        return self.model.encode_query(_several(texts), truncate_dim=self.dim)


def _several(texts: Iterable[str]) -> Iterable[str]:
    if isinstance(texts, str):
        raise TypeError("texts: expected a list of strings, found a string")
    return texts


# The digest of a folder is computed from the whole table.
_identity = lru_cache(maxsize=8)(identity)


def lists(vectors: NDArray[Any]) -> list[list[float]]:
    """Return vectors, (n, dim), as lists of Python floats."""
    numbers: list[list[float]] = vectors.tolist()
    return numbers


def check_update(stored: Config, new: Config) -> None:
    """Refuse a configuration for other vectors; the same model may stand at another path.

    Raises:
        SpaceMismatchError: the length of vectors or the digest is another.
    """
    for key in ("truncate_dim", "digest"):
        stored_value, new_value = stored.get(key), new.get(key)
        if stored_value != new_value:
            raise SpaceMismatchError(
                f"{key}: expected {stored_value!r:.90}, found {new_value!r:.90}"
            )


def in_thread(
    method: Callable[_Parameters, _Result],
) -> Callable[_Parameters, Coroutine[Any, Any, _Result]]:
    """Make the asynchronous form of a method, which computes in a thread."""

    @wraps(method)
    async def call(*args: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        return await asyncio.to_thread(method, *args, **options)

    return call


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Name the extra of this package that brings a framework, if a block cannot import it.

    Raises:
        MissingPackageError: the framework cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        message = f"{error}: pip install 'staticemb-runtime[{extra}]'"
        raise MissingPackageError(message) from None
