"""The optional part `space`: the teacher of a file, and the projection of its vectors.

The rules are in conformance/SPEC.md, section 6.3.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from staticemb_runtime import PROBE_TEXTS
from staticemb_runtime.format import read_space as read_part

from ..errors import UnwritablePartsError
from ..table.space import Space, unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

MAX_DIMENSION: Final = 65_536
MAGNITUDES: Final = (2.0**-60, 2.0**60)
# Rounded numbers compress to half their size. Their relative error of 2^-12 is far below the
# difference between the table's vectors and the teacher's.
_BITS: Final = 12


class _Encoder(Protocol):
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


def probe_vectors(teacher: _Encoder) -> NDArray[np.float32] | None:
    """Encode the probe texts.

    Args:
        teacher: The teacher.

    Returns:
        (8, H) float32 unit vectors; None if the teacher gives a zero vector.

    Raises:
        TeacherError: The teacher cannot encode.
    """
    vectors = unit(np.asarray(teacher.encode(list(PROBE_TEXTS)), np.float32))
    return vectors if vectors.any(axis=1).all() else None


def space_parts(space: Space) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """Return the part for `Parts.optional` and for `Settings.optional`.

    The tensors are rounded to 12 significant bits.

    Args:
        space: The space.

    Returns:
        The tensors `space.projection`, `space.offset` and `space.probes`, float32, and the metadata
        key `space`.

    Raises:
        UnwritablePartsError: The space breaks a rule of the specification.

    Example:
        >>> tensors, metadata = space_parts(Space("a/b", "", np.eye(2, dtype=np.float32)))
        >>> metadata["space"]
        '{"dimension":"2","documents":"table","teacher":"a/b"}'
    """
    _demand(bool(space.teacher), "teacher", "a name", "none")
    given = {"projection": space.projection, "offset": space.offset, "probes": space.probes}
    tensors = {
        f"space.{name}": _rounded(np.asarray(tensor))
        for name, tensor in given.items()
        if tensor is not None
    }
    projection = tensors["space.projection"]
    height = len(projection)
    _demand(projection.ndim == 2, "projection", "(H, D)", str(projection.shape))
    _demand(0 < height <= MAX_DIMENSION, "projection", f"H at most {MAX_DIMENSION}", str(height))
    shapes = {"space.offset": (height,), "space.probes": (len(PROBE_TEXTS), height)}
    for name, shape in shapes.items():
        if name in tensors:
            found = tensors[name].shape
            _demand(found == shape, name, str(shape), str(found))
    for name, tensor in tensors.items():
        _demand(bool(np.isfinite(tensor).all()), name, "finite values", "NaN or infinity")
    projection[np.abs(projection) < MAGNITUDES[0]] = 0
    largest = float(np.abs(projection).max())
    _demand(0 < largest <= MAGNITUDES[1], "projection", "1 value and 2^60 at most", str(largest))
    if "space.offset" in tensors:
        largest = float(np.abs(tensors["space.offset"]).max())
        _demand(largest <= 1, "offset", "values from -1 to 1", str(largest))
    members = {
        "dimension": str(height),
        "documents": space.documents,
        "teacher": space.teacher,
        **({"revision": space.revision} if space.revision else {}),
    }
    spelling = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return tensors, {"space": spelling}


def read_space(file: ModelParts) -> Space | None:
    """Read the part of a file.

    Returns:
        The space, with views of the mapped file; None if the file has no part, or a malformed one.
    """
    try:
        part = read_part(file)
    except ValueError:  # a PartError: the file is used as if it had no such part
        return None
    if part is None:
        return None
    space = part.space
    return Space(
        space.teacher, space.revision, part.projection, part.offset, part.probes, space.documents
    )


def _rounded(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round numbers to `_BITS` significant bits.

    >>> _rounded(np.array([1 + 2**-20, 0.1, 0.0], np.float32)).tolist()
    [1.0, 0.10000610351562, 0.0]
    """
    with np.errstate(invalid="ignore"):
        mantissas, exponents = np.frexp(np.asarray(tensor, np.float32))
        rounded = np.rint(mantissas * np.float32(2**_BITS))
    scaled: NDArray[np.float32] = np.ldexp(rounded, exponents - _BITS).astype(np.float32)
    return scaled


def _demand(holds: bool, name: str, expected: str, found: str) -> None:
    if not holds:
        raise UnwritablePartsError(f"space: {name}: expected {expected}, found {found}")
