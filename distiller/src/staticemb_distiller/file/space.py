"""The optional part `space`: the teacher of a file, and the projection of its vectors.

The rules are in conformance/SPEC.md, section 6.3.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from staticemb_runtime import PROBE_TEXTS
from staticemb_runtime.format import read_space as read_part

from ..errors import OutputError
from ..table.space import Space, unit
from ..teacher.cached import cached_vectors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

    from ..teacher.text_encoder import TextEncoder

MAX_DIMENSION: Final = 65_536
MAGNITUDES: Final = (2.0**-60, 2.0**60)
# Numbers that are rounded to multiples of one step compress to less than half their size. A cosine
# with a projected vector changes by some 1e-6, far less than by rounding the table to int8. The
# length of a probe text's vector changes by 1 / 2,048 at most; the specification allows 1 / 1,000.
_PROJECTION_STEPS: Final = 128
_PROBE_STEPS: Final = 1024


def probe_vectors(teacher: TextEncoder, cache: Path | None = None) -> NDArray[np.float32] | None:
    """Encode the probe texts.

    Args:
        teacher: The teacher.
        cache: A folder for the teacher's vectors, which are float16 there; None: no cache.

    Returns:
        (8, H) float32 unit vectors; None if the teacher gives a zero vector.

    Raises:
        TeacherError: The teacher cannot encode.
        CacheError: The cache is damaged or cannot be written.
    """
    texts = list(PROBE_TEXTS)
    made = (
        teacher.encode(texts) if cache is None else cached_vectors(teacher, texts, cache, kind=None)
    )
    vectors = unit(np.asarray(made, np.float32))
    return vectors if vectors.any(axis=1).all() else None


def space_parts(space: Space) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """Return the part for `Parts.optional` and for `Settings.optional`.

    The projection and the probe texts' vectors are rounded, to compress well.

    Args:
        space: The space.

    Returns:
        The tensors `space.projection`, `space.offset` and `space.probes`, float32, and the metadata
        key `space`.

    Raises:
        OutputError: The space breaks a rule of the specification.

    Example:
        >>> tensors, metadata = space_parts(Space("a/b", "", np.eye(2, dtype=np.float32)))
        >>> metadata["space"]
        '{"dimension":"2","documents":"table","teacher":"a/b"}'
    """
    _demand(bool(space.teacher), "teacher", "a name", "none")
    projection = _rounded(space.projection, _PROJECTION_STEPS)
    tensors = {"space.projection": projection}
    if space.offset is not None:
        tensors["space.offset"] = np.array(space.offset, np.float32)
    if space.probes is not None:
        tensors["space.probes"] = _rounded(space.probes, _PROBE_STEPS)
    height = len(projection)
    _demand(projection.ndim == 2, "projection", "(H, D)", str(projection.shape))
    _demand(0 < height <= MAX_DIMENSION, "projection", f"H at most {MAX_DIMENSION}", str(height))
    shapes = {"space.offset": (height,), "space.probes": (len(PROBE_TEXTS), height)}
    for name, shape in shapes.items():
        if name in tensors:
            actual = tensors[name].shape
            _demand(actual == shape, name, str(shape), str(actual))
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


def _rounded(tensor: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Round numbers to multiples of a power of two, at most their root mean square over `steps`.

    >>> _rounded(np.array([0.75, 0.1, 0.0], np.float32), 4).tolist()
    [0.75, 0.125, 0.0]
    """
    size = np.sqrt(np.mean(np.square(tensor, dtype=np.float64)))
    if not (np.isfinite(size) and size > 0):
        return np.array(tensor, np.float32)
    step = 2.0 ** np.floor(np.log2(size / steps))
    return np.asarray(np.rint(tensor / step) * step, np.float32)


def _demand(holds: bool, name: str, expected: str, found: str) -> None:
    if not holds:
        raise OutputError(f"space: {name}: expected {expected}, found {found}")
