"""The methods of `StaticModel` for vectors of the file's teacher (SPEC section 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..encoding.vectors import Precision
    from ..format.space import Space
    from .encoder import Encoder


class SpaceMethods:
    """The methods of `StaticModel` for vectors of the file's teacher."""

    _encoder: Encoder

    @property
    def space(self) -> Space | None:
        """The teacher whose vectors `project` takes; None if the file does not hold them together.

        A namedtuple of `teacher`, `revision`, `dimension` and `documents`. With `documents` of
        `teacher`, the file embeds queries alone, and documents have the teacher's vectors.
        """
        part = self._encoder.space.part
        return None if part is None else part.space

    def project(
        self,
        vectors: ArrayLike,
        *,
        truncate_dim: int | None = None,
        normalize_embeddings: bool | None = None,
        precision: Precision = "float32",
    ) -> NDArray[Any]:
        """Turn vectors of the file's teacher into vectors that compare with those of `encode`.

        So an index of the teacher's vectors serves queries of this model. Vectors are processed in
        blocks: apart from the result a call needs constant memory, and `vectors` may be a mapped
        array.

        Args:
            vectors: (N, H) or (H,) numbers; H is `space.dimension`. Their lengths have no effect.
            truncate_dim: as in `encode`.
            normalize_embeddings: as in `encode`.
            precision: as in `encode`.

        Returns:
            (N, d) or (d,), as `encode`. A zero vector stays zero.

        Raises:
            TypeError: the elements are not real numbers.
            MissingSpaceError: the file has no part `space`, or a malformed one.
            InvalidVectorError: a vector has another length than H, or a value that is not finite.
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension, or
                `vectors` has another number of axes.
            InvalidOptionError: another parameter has an invalid value, or `vectors` is uint8.
            FileChangedError: the file was modified after it was loaded (see `load`).

        Example:
            >>> from staticemb_runtime import StaticModel
            >>> model = StaticModel()
            >>> model.project([[1.0] * model.space.dimension]).shape == (1, model.dim)
            True
        """
        from ..encoding.projection import project  # late: most programs embed texts alone

        part = self._encoder.space.needed()
        request = self._encoder.request(truncate_dim, normalize_embeddings, precision, None)
        self._encoder.embedder.check_file()
        projected = project(vectors, part, request)
        self._encoder.embedder.check_file()
        return projected

    def check_space(self, other: SpaceMethods | ArrayLike) -> None:
        """Check that other vectors compare with this model's vectors.

        Args:
            other: another model, whose vectors of texts must compare with those of this model; or
                (8, H) vectors of `PROBE_TEXTS` by the encoder whose vectors `project` shall take.
                Each cosine must be at least 0.999.

        Raises:
            SpaceMismatchError: the spaces differ, or the lengths of the two models' vectors do.
            MissingSpaceError: it cannot be known: a file has no part `space`, or one without
                vectors of the probe texts, and the two files do not give the same vectors.
            TypeError, InvalidVectorError, InvalidDimensionError, InvalidOptionError: `other` holds
                no such vectors.

        Example:
            >>> from staticemb_runtime import StaticModel
            >>> model = StaticModel()
            >>> model.check_space(StaticModel())
        """
        from ..encoding.file_space import check_models, check_probes

        encoder = self._encoder
        if isinstance(other, SpaceMethods):
            other_encoder = other._encoder
            check_models(encoder.space, other_encoder.space, (encoder.dim, other_encoder.dim))
        else:
            check_probes(encoder.space, other)
