"""The relation of a table's vectors to its teacher's vectors (conformance/SPEC.md, section 6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DocumentSide = Literal["table", "teacher"]


@dataclass(frozen=True, eq=False)
class Space:
    """Whose vectors a table was fitted to, and how they become vectors of the file.

    Attributes:
        teacher: The teacher's name.
        revision: The teacher's revision, or "".
        projection: (H, D) float32, the matrix from the teacher's unit vectors to the file's.
        offset: (H,) float32, subtracted from the unit vectors first; None: zeros.
        probes: (8, H) float32, the teacher's unit vectors of the probe texts; None: unknown.
        documents: "table": the table embeds queries and documents; "teacher": the table embeds
            queries, and documents have the teacher's vectors.
    """

    teacher: str
    revision: str
    projection: NDArray[np.float32]
    offset: NDArray[np.float32] | None = None
    probes: NDArray[np.float32] | None = None
    documents: DocumentSide = "table"

    def project(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Turn the teacher's vectors (N, H) into unit vectors of the file, (N, D) float32.

        A zero vector stays zero.
        """
        return unit(self.centered(vectors) @ self.projection)

    def centered(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scale the teacher's vectors (N, H) to unit length, and subtract the offset."""
        scaled = unit(np.asarray(vectors, np.float32))
        if self.offset is not None:
            scaled[scaled.any(axis=1)] -= self.offset
        return scaled

    def to_teacher(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Turn rows of the table (V, D) into the teacher's centered space, (V, H) float32.

        It inverts `projection` as far as it can be inverted: directions that the projection drops
        are zero.
        """
        return np.asarray(np.asarray(rows, np.float32) @ self._inverse, np.float32)

    @cached_property
    def _inverse(self) -> NDArray[np.float32]:
        projection = self.projection.astype(np.float64)
        # The singular values of a tall matrix take ten times as long as these eigenvalues.
        gram = np.linalg.pinv(projection.T @ projection, rcond=1e-10, hermitian=True)
        inverse: NDArray[np.float32] = (gram @ projection.T).astype(np.float32)
        return inverse


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale vectors (N, D) to unit length; a zero vector stays zero.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0.0] = 1.0
    return np.asarray(vectors / norms, np.float32)
