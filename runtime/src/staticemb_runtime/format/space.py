"""The optional part `space`: how vectors of a file's teacher become vectors of the file (SPEC 6.3).

It is read and checked when it is first used. A malformed part is refused, and not its file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, cast, get_args

import numpy as np

from ..errors import PartError
from .metadata import SPACE_KEY, parse_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .parts import ModelParts

Documents = Literal["table", "teacher"]

PROBE_TEXTS: Final = (
    "The quick brown fox jumps over the lazy dog.",
    "A heart attack is treated with aspirin.",
    "Interest rates rose by half a percent in March.",
    "how do I reset my password",
    "Der Zug nach Berlin hat zwanzig Minuten Verspätung.",
    "東京は日本の首都です。",
    "def add(a, b): return a + b",
    "42",
)
"""The texts whose vectors by a teacher tell its space from others (SPEC section 6.3)."""

MAX_TEACHER_DIM: Final = 65_536
# Magnitudes in this range can be multiplied and summed in float32.
MAGNITUDES: Final = (2.0**-60, 2.0**60)
LENGTH_ERROR: Final = 1e-3  # of a probe text's unit vector
LEAST_COSINE: Final = 0.999  # of the vectors of a probe text in the same space

_BLOCK_BYTES: Final = 1 << 20


class Space(NamedTuple):
    """The teacher of a file, and what the file is made for.

    Attributes:
        teacher: the teacher's name.
        revision: the teacher's revision, or an empty string.
        dimension: H, the dimension of the teacher's vectors.
        documents: `table`: the file embeds queries and documents; `teacher`: it embeds queries, and
            documents have the teacher's vectors.
    """

    teacher: str
    revision: str
    dimension: int
    documents: Documents


class SpacePart(NamedTuple):
    """The part `space` of a file, as views of the mapped file.

    Attributes:
        space: the teacher.
        projection: (H, D) float32, from the teacher's unit vectors to the file's vectors.
        offset: (H,) float32, subtracted from the unit vectors first; None: zeros.
        probes: (8, H) float32, the teacher's unit vectors of `PROBE_TEXTS`, or None.
    """

    space: Space
    projection: NDArray[np.float32]
    offset: NDArray[np.float32] | None
    probes: NDArray[np.float32] | None


def read_space(file: ModelParts) -> SpacePart | None:
    """Read and check the part `space` of a file.

    Returns:
        The part; None if the file has none.

    Raises:
        PartError: the part is malformed.
    """
    spelling = file.metadata.extra.get(SPACE_KEY)
    if spelling is None:
        return None
    space = _space(spelling)
    height = space.dimension
    shapes = {
        "projection": (height, file.metadata.dim),
        "offset": (height,),
        "probes": (len(PROBE_TEXTS), height),
    }
    tensors = {label: _tensor(file, label, shape) for label, shape in shapes.items()}
    if tensors["projection"] is None:
        _refuse("space.projection", "a tensor", "none")
    part = SpacePart(space, **tensors)
    _check_values(part)
    return part


def _space(spelling: str) -> Space:
    """Parse the metadata key `space`; other members are ignored."""
    members = parse_texts(spelling)
    if members is None:
        _refuse("metadata 'space'", "a JSON object of strings", f"{spelling!r:.60}")
    if not members.get("teacher"):
        _refuse("metadata 'space'", "a teacher's name", "none")
    dimension = members.get("dimension", "")
    if not re.fullmatch("[1-9][0-9]{0,4}", dimension) or int(dimension) > MAX_TEACHER_DIM:
        expected = f"a dimension from 1 to {MAX_TEACHER_DIM}"
        _refuse("metadata 'space'", expected, f"{dimension!r:.60}")
    documents = members.get("documents", "")
    if documents not in get_args(Documents):
        expected = f"documents of {' or '.join(get_args(Documents))}"
        _refuse("metadata 'space'", expected, f"{documents!r:.60}")
    revision = members.get("revision", "")
    return Space(members["teacher"], revision, int(dimension), cast(Documents, documents))


def _tensor(file: ModelParts, label: str, shape: tuple[int, ...]) -> Any:  # noqa: ANN401
    name = f"space.{label}"
    if name not in file.optional:
        return None
    tensor = file.optional[name]
    if tensor.dtype != np.float32 or tensor.shape != shape:
        _refuse(name, f"float32 {shape}", f"{tensor.dtype} {tensor.shape}")
    return tensor


def _check_values(part: SpacePart) -> None:
    least, most = MAGNITUDES
    any_values = False
    step = max(1, _BLOCK_BYTES // part.projection[0].nbytes)
    for first in range(0, len(part.projection), step):
        sizes = np.abs(part.projection[first : first + step])
        sizes = sizes[sizes != 0]
        any_values = any_values or bool(sizes.size)
        if not ((sizes >= least) & (sizes <= most)).all():  # False for NaN
            expected = "magnitudes of 0 or from 2^-60 to 2^60"
            found = f"{sizes[~((sizes >= least) & (sizes <= most))][0]}"
            _refuse("space.projection", expected, found)
    if not any_values:
        _refuse("space.projection", "values other than 0", "zeros")
    if part.offset is not None and not (np.abs(part.offset) <= 1).all():
        found = f"{part.offset[~(np.abs(part.offset) <= 1)][0]}"
        _refuse("space.offset", "values from -1 to 1", found)
    if part.probes is not None:
        squares = np.einsum("ij,ij->i", part.probes, part.probes, dtype=np.float64)
        if not (np.abs(np.sqrt(squares) - 1) <= LENGTH_ERROR).all():
            lengths = ", ".join(f"{length:.4g}" for length in np.sqrt(squares))
            _refuse("space.probes", "vectors of length 1", f"lengths of {lengths}")


def _refuse(reading: str, expected: str, found: str) -> NoReturn:
    raise PartError(f"{reading}: expected {expected}, found {found}")
