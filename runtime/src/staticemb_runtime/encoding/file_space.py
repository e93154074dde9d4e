"""A file's part `space` while its model is in use: read once, and compared with other vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import (
    InvalidDimensionError,
    InvalidVectorError,
    MissingSpaceError,
    PartError,
    SpaceMismatchError,
)
from ..format.space import LEAST_COSINE, PROBE_TEXTS, SpacePart, read_space
from .projection import centered, signed_vectors
from .vectors import normalize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..format.parts import ModelParts


class FileSpace(NamedTuple):
    """The part `space` of a file, or why the file has none.

    Attributes:
        path: the file.
        vectors_digest: the file's digest of what determines vectors.
        part: the part, or None.
        fault: the fault of a malformed part, or an empty string.
    """

    path: str
    vectors_digest: str
    part: SpacePart | None
    fault: str

    @classmethod
    def of(cls, file: ModelParts) -> FileSpace:
        """Read the part of a file."""
        try:
            part, fault = read_space(file), ""
        except PartError as error:
            part, fault = None, str(error)
        return cls(file.path, file.metadata.vectors_digest, part, fault)

    @property
    def query_only(self) -> bool:
        """Whether documents have the teacher's vectors, and not the table's."""
        return self.part is not None and self.part.space.documents == "teacher"

    def needed(self) -> SpacePart:
        """Return the part.

        Raises:
            MissingSpaceError: the file has none, or a malformed one.
        """
        if self.part is None:
            found = f"a malformed one: {self.fault}" if self.fault else "none"
            raise MissingSpaceError(f"{self.path}: expected the part 'space', found {found}")
        return self.part

    def probes(self) -> NDArray[np.float32]:
        """Return the teacher's vectors of the probe texts, (8, H).

        Raises:
            MissingSpaceError: the file does not hold them.
        """
        part = self.needed()
        if part.probes is None:
            expected = "expected vectors of the probe texts in the part 'space'"
            raise MissingSpaceError(f"{self.path}: {expected}, found none")
        return part.probes

    def projected_probes(self, length: int) -> NDArray[np.float32]:
        """Return the probe texts' vectors in the file's space, (8, length) of unit length.

        Raises:
            MissingSpaceError: as `probes`.
        """
        part = self.needed()
        return normalize(centered(self.probes(), part.offset) @ part.projection[:, :length])


def check_models(first: FileSpace, second: FileSpace, lengths: tuple[int, int]) -> None:
    """Check that two models' vectors compare.

    Args:
        first: a file's part.
        second: another file's part.
        lengths: the lengths of the two models' vectors.

    Raises:
        SpaceMismatchError: their spaces or lengths differ.
        MissingSpaceError: it cannot be known.
    """
    if lengths[0] != lengths[1]:
        raise SpaceMismatchError(
            f"{first.path} and {second.path}: expected vectors of one length, found {lengths[0]} "
            f"and {lengths[1]}"
        )
    if first.vectors_digest == second.vectors_digest and first.vectors_digest:
        return
    sides = [space.projected_probes(lengths[0]) for space in (first, second)]
    _check_cosines(sides[0], sides[1], f"{first.path} and {second.path}")


def check_probes(space: FileSpace, vectors: ArrayLike) -> None:
    """Check that vectors of the probe texts are those of a file's teacher.

    Args:
        space: the file's part.
        vectors: (8, H) numbers, of any length.

    Raises:
        SpaceMismatchError: they are another encoder's.
        MissingSpaceError: it cannot be known.
        TypeError, InvalidDimensionError, InvalidVectorError, InvalidOptionError: they are no eight
            vectors.
    """
    probes = space.probes()
    given = signed_vectors(vectors, "vectors of the probe texts")
    if given.ndim != 2 or len(given) != len(PROBE_TEXTS):
        expected = f"vectors of the probe texts: expected ({len(PROBE_TEXTS)}, {probes.shape[1]})"
        raise InvalidDimensionError(f"{expected}, found {given.shape}")
    compared = f"the teacher of {space.path} and the given vectors"
    if given.shape != probes.shape:
        raise SpaceMismatchError(
            f"{compared}: expected one dimension, found {probes.shape[1]} and {given.shape[1]}"
        )
    unit = centered(given, None)
    if not unit.any(axis=1).all():
        raise InvalidVectorError("vectors of the probe texts: expected nonzero vectors, found zero")
    _check_cosines(probes, unit, compared)


def _check_cosines(a: NDArray[np.float32], b: NDArray[np.float32], compared: str) -> None:
    cosines = np.einsum("ij,ij->i", normalize(a), normalize(b))
    if not (cosines >= LEAST_COSINE).all():
        raise SpaceMismatchError(
            f"{compared}: expected cosines of at least {LEAST_COSINE} for each probe text, "
            f"found {cosines.min():.3f}"
        )
