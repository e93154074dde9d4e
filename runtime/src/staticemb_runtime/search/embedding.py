"""The model of an index: whose vectors it holds, and how texts and given vectors become such."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..encoding.vectors import as_vectors, normalize
from ..errors import IndexModelError, InvalidDimensionError, InvalidOptionError, QueryOnlyError
from ..model import StaticModel
from ..model.identity import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..encoding.empty_texts import EmptyTexts


def by_teacher(model: StaticModel) -> bool:
    """Tell whether the teacher embeds the documents, and this model queries alone."""
    space = model.space
    return space is not None and space.documents == "teacher"


def described(model: StaticModel) -> dict[str, object]:
    """Return the settings that tell whose vectors an index holds."""
    space = model.space
    return {
        "vectors_digest": identity(model),
        "vectors_from": "teacher" if by_teacher(model) else "model",
        "teacher": "" if space is None else str(space.teacher),
        "teacher_revision": "" if space is None else str(space.revision or ""),
        "format_version": model.metadata.format_version,
    }


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
        return self._embedded(self.model.encode_query, texts)

    def documents(
        self, texts: Sequence[str], empty: EmptyTexts | None = None
    ) -> NDArray[np.float32]:
        """Embed documents: (n, D) float32 of unit length, or zero without a known token.

        Args:
            texts: n texts.
            empty: counts the texts without a known token.

        Raises:
            QueryOnlyError: the model embeds queries alone.
            InvalidTextError: a text is not valid Unicode.
        """
        space = self.model.space
        if space is not None and space.documents == "teacher":
            raise QueryOnlyError(
                f"vectors: expected the vectors of {space.teacher}, as this model embeds queries "
                "alone, found none"
            )
        return self._embedded(self.model.encode_document, texts, empty, workers="auto")

    def _embedded(
        self,
        encode: Callable[..., NDArray[Any]],
        texts: Sequence[str],
        empty: EmptyTexts | None = None,
        workers: int | Literal["auto"] = 1,
    ) -> NDArray[np.float32]:
        vectors = encode(
            list(texts),
            normalize_embeddings=True,
            truncate_dim=self.dimension,
            on_empty=empty or "zero",
            workers=workers,
        )
        return np.asarray(vectors, np.float32)

    def given(self, vectors: ArrayLike, count: int) -> NDArray[np.float32]:
        """Check vectors that were made elsewhere; project those of the model's teacher.

        Args:
            vectors: (n, H) of the teacher, if the model's file has a space; or (n, D) or longer of
                the model, unless its file says that the teacher embeds the documents.
            count: n.

        Returns:
            (n, D) float32 of unit length, or zero.

        Raises:
            TypeError: the elements are not numbers.
            InvalidDimensionError: the shape is another.
            InvalidOptionError: an element is not finite.
        """
        array = as_vectors(vectors, "vectors")
        space = self.model.space
        own = set() if by_teacher(self.model) else {self.dimension, self.model.metadata.dim}
        allowed = own | ({space.dimension} if space is not None else set())
        if array.ndim != 2 or len(array) != count or array.shape[1] not in allowed:
            expected = " or ".join(str((count, length)) for length in sorted(allowed))
            raise InvalidDimensionError(
                f"vectors: expected the shape {expected}, found {array.shape}"
            )
        if not np.isfinite(array).all():
            raise InvalidOptionError("vectors: expected finite numbers, found others")
        if array.shape[1] in own:
            return normalize(array[:, : self.dimension])
        projected = self.model.project(
            array, truncate_dim=self.dimension, normalize_embeddings=True
        )
        return np.asarray(projected, np.float32)


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
    digest = identity(model)
    if digest != settings["vectors_digest"]:
        raise IndexModelError(
            f"{path}: the index holds vectors of {settings['model']} "
            f"({settings['vectors_digest']:.23}…), found {model!r} ({digest:.23}…); open it with "
            "the former, or make its vectors anew with reindex"
        )
