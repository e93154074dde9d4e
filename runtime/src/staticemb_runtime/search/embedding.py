"""The model of an index: whose vectors it holds, and how texts and given vectors become such."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from ..encoding.vectors import normalize
from ..errors import IndexModelError, InvalidDimensionError, InvalidOptionError
from ..model import StaticModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class Space(Protocol):
    """Whose vectors a model compares with; the optional part `space` of its file."""

    teacher: str
    revision: str
    dimension: int
    documents: str


class _Projects(Protocol):
    """What a model with a space also has."""

    space: Space | None

    def project(self, vectors: ArrayLike) -> NDArray[np.float32]: ...


def space_of(model: StaticModel) -> Space | None:
    """Return the model's space, or None if its file has none."""
    space: Space | None = getattr(model, "space", None)
    return space


def by_teacher(model: StaticModel) -> bool:
    """Tell whether the teacher embeds the documents, and this model queries alone."""
    space = space_of(model)
    return space is not None and space.documents == "teacher"


def identity(model: StaticModel) -> str:
    """Return a digest of what determines the model's vectors.

    Optional parts of a file, such as heads, do not change it. A folder of another library has no
    such digest; its table and tokenizer are read.
    """
    digest = model.metadata.vectors_digest
    if digest:
        return digest
    file = model._encoder.embedder.file
    sha = hashlib.sha256(repr(file.metadata._replace(extra={}, prompts={})).encode())
    for part in (file.embeddings, file.scale, file.weights, file.rows, file.tokenizer_view):
        if part is not None:
            sha.update(np.ascontiguousarray(part).tobytes())
    return f"folder:{sha.hexdigest()}"


class DocumentVectors:
    """Makes vectors of a fixed length for an index.

    Args:
        model: the model.
        dimension: the length of the vectors.
    """

    def __init__(self, model: StaticModel, dimension: int) -> None:
        self.model = model
        self.dimension = dimension

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed queries: (n, D) float32 of unit length, or zero without a known token."""
        vectors = self.model.encode_query(
            list(texts),
            normalize_embeddings=True,
            truncate_dim=self.dimension,
            on_empty="zero",
        )
        return np.asarray(vectors, np.float32)

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed documents: (n, D) float32 of unit length, or zero without a known token.

        Raises:
            InvalidOptionError: the model embeds queries alone.
            InvalidTextError: a text is not valid Unicode.
        """
        if by_teacher(self.model):
            space = space_of(self.model)
            teacher = space.teacher if space else ""
            raise InvalidOptionError(
                f"vectors: expected the vectors of {teacher}, as this model embeds queries alone, "
                "found none"
            )
        vectors = self.model.encode_document(
            list(texts),
            normalize_embeddings=True,
            truncate_dim=self.dimension,
            on_empty="zero",
        )
        return np.asarray(vectors, np.float32)

    def given(self, vectors: ArrayLike, count: int) -> NDArray[np.float32]:
        """Check vectors that were made elsewhere; project those of the model's teacher.

        Args:
            vectors: (n, H) the teacher's vectors if the model has a space; else (n, D) or longer,
                this model's vectors, which are cut to D.
            count: n.

        Raises:
            InvalidDimensionError: the shape is another.
            InvalidOptionError: an element is not finite.
        """
        array = np.asarray(vectors)
        space = space_of(self.model)
        width = space.dimension if space is not None else self.model.metadata.dim
        allowed = {width} if space is not None else {width, self.dimension}
        if array.ndim != 2 or len(array) != count or array.shape[1] not in allowed:
            expected = " or ".join(str((count, length)) for length in sorted(allowed))
            raise InvalidDimensionError(
                f"vectors: expected the shape {expected}, found {array.shape}"
            )
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise InvalidOptionError("vectors: expected finite numbers, found others")
        if space is not None:
            array = cast(_Projects, self.model).project(array)
        return normalize(array[:, : self.dimension])


def open_model(model: StaticModel | str | os.PathLike[str] | None) -> tuple[StaticModel, str]:
    """Open a model; return it with the name or path by which it can be opened again.

    Raises:
        StaticEmbError: as `StaticModel.load`.
    """
    if isinstance(model, StaticModel):
        return model, model._encoder.place
    from ..loading.installed import DEFAULT_MODEL, locate

    loaded = StaticModel.load(model)
    if model is None:
        return loaded, DEFAULT_MODEL
    name = os.fspath(model)
    return loaded, name if locate(model) != name else os.path.abspath(name)


def check_identity(model: StaticModel, settings: dict[str, Any], path: str) -> None:
    """Check that a model gives the vectors of an index.

    Raises:
        IndexModelError: it gives others.
    """
    found = identity(model)
    if found != settings["vectors_digest"]:
        raise IndexModelError(
            f"{path}: the index holds vectors of {settings['model']} "
            f"({settings['vectors_digest']:.23}…), found {model!r} ({found:.23}…); open it with "
            "the former, or make its vectors anew with reindex"
        )
