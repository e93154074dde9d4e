"""Files with the part `space`: valid, and with faults that cost the part and not the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from generator.files import File, Tensor, compact, tensor
from generator.valid import Valid, file, numbers, run, with_optional

PROJECTION, OFFSET, PROBES = (f"space.{name}" for name in ("projection", "offset", "probes"))
H, D = 4, 6
Y = [3.0, -1.5, 0.25, 2.0]
MEMBERS = {"dimension": str(H), "documents": "table", "teacher": "a/b"}

Part = dict[str, Tensor]


def project(name: str, vector: list[float], **request: object) -> dict[str, Any]:
    """Return the members of a projector's case."""
    return {"name": name, "vector": vector, "request": request}


def embed_as(name: str, kind: str) -> dict[str, Any]:
    """Return the members of a case of token ids that are a document or a query."""
    return {"name": name, "tokens": [1, 2, 0], "request": {"kind": kind}}


PLAIN = [
    project("a_vector", Y),
    project("prefix", Y, dim=2),
    project("not_normalized", Y, normalize=False),
    project("prefix_not_normalized", Y, dim=4, normalize=False),
    project("zero", [0.0] * H),
    project("zero_not_normalized", [0.0, -0.0, 0.0, 0.0], normalize=False),
    project("long", [x * 2.0**120 for x in Y]),
    project("short", [x * 2.0**-140 for x in Y]),
    project("one_element", [0.0, 0.0, -7.0, 0.0]),
]


def axis(place: int, length: float = 1.0, height: int = H) -> list[float]:
    """Return a vector of one element that is not zero."""
    return [length if j == place % height else 0.0 for j in range(height)]


def tensors(height: int = H, dim: int = D, *, offset: bool = False, probes: bool = False) -> Part:
    """Return the tensors of a part."""
    made = {PROJECTION: tensor("F32", numbers("projection", height * dim), height, dim)}
    if offset:
        made[OFFSET] = tensor("F32", [x / 16 for x in numbers("offset", height)])
    if probes:
        rows = [x for i in range(8) for x in axis(i, -1.0 if i % 3 else 1.0, height)]
        made[PROBES] = tensor("F32", rows, 8, height)
    return made


def made(base: File, part: Part, members: dict[str, Any] | str | None = None) -> File:
    """Add a part to a file."""
    members = MEMBERS if members is None else members
    key = members if isinstance(members, str) else compact(dict(sorted(members.items())))
    return with_optional(base, part, space=key)


def space_files() -> Iterator[Valid]:
    """Yield every file with the part."""
    yield Valid(
        "space",
        "The part space with the members and the tensor that it needs.",
        made(file("space", prefixes="2 6"), tensors()),
        [run("some_tokens", [1, 2, 0]), *PLAIN, embed_as("document", "document")],
    )
    yield Valid(
        "space_offset",
        "An offset, and a vector that equals it.",
        _with_offset(),
        [*PLAIN, project("equal", axis(0, 4.0)), project("nearly", [4.0, 2.0**-9, 0.0, 0.0])],
    )
    yield Valid(
        "space_probes",
        "Vectors of the probe texts, a revision, and an offset.",
        made(
            file("probes"), tensors(offset=True, probes=True), MEMBERS | {"revision": "sha256:1f"}
        ),
        PLAIN,
    )
    yield Valid(
        "space_i8",
        "An 8-bit table: the projection has nothing to do with its scale.",
        made(file("i8", "I8"), tensors(offset=True)),
        PLAIN,
    )
    yield Valid(
        "space_not_normalized",
        "Vectors of a file without unit length.",
        made(file("plain", normalize="false"), tensors()),
        [*PLAIN, project("normalized", Y, normalize=True)],
    )
    yield Valid(
        "space_damped",
        "Damped pooling, which a projection has not.",
        made(file("damped", damping="1 4"), tensors()),
        [project("a_vector", Y), project("as_mean", Y, pooling="mean")],
    )
    yield Valid(
        "space_teacher",
        "Documents have the teacher's vectors.",
        made(file("asymmetric"), tensors(), MEMBERS | {"documents": "teacher"}),
        [project("a_vector", Y), embed_as("query", "query"), run("a_token", [1])],
    )
    yield Valid(
        "space_lower",
        "A teacher of one dimension.",
        made(file("lower"), tensors(1), MEMBERS | {"dimension": "1"}),
        [project("positive", [2.5]), project("negative", [-2.5])],
    )
    yield Valid(
        "space_higher",
        "A teacher of more dimensions than the file.",
        made(file("higher", dim=2), tensors(300, 2), MEMBERS | {"dimension": "300"}),
        [project("a_vector", numbers("higher", 300))],
    )
    extremes = [2.0**60, -(2.0**60), 2.0**-60, -(2.0**-60), 0.0, -0.0] * H
    yield Valid(
        "space_magnitudes",
        "The largest and the smallest magnitudes, and zeros.",
        made(file("extremes"), {PROJECTION: tensor("F32", extremes, H, D)}),
        [project("a_vector", Y), project("not_normalized", Y, normalize=False)],
    )
    yield Valid(
        "space_bounds",
        "An offset of 1 and -1, lengths of 1 plus and minus 0.0009.",
        made(
            file("bounds"),
            tensors()
            | {
                OFFSET: tensor("F32", [1.0, -1.0, 0.0, 0.5]),
                PROBES: tensor(
                    "F32", [x for i in range(8) for x in axis(i, 1.0009 if i % 2 else 0.9991)], 8, H
                ),
            },
        ),
        [project("a_vector", Y)],
    )
    level = b"\x3c" * (4 * 65_536)
    yield Valid(
        "space_at_limit",
        "As many dimensions as a teacher may have.",
        made(
            file("limit", dim=1),
            {PROJECTION: Tensor("F32", (65_536, 1), level)},
            MEMBERS | {"dimension": "65536"},
        ),
        [],
    )
    more = tensors() | {
        "space.x-mine.count": tensor("U8", [6]),
        "space.projection.other": tensor("F16", [1, 2]),
    }
    yield Valid(
        "space_more",
        "Members and tensors that are not of the part are ignored.",
        made(file("more"), more, MEMBERS | {"x": "", "ä": "\n", "zone": "\U0001f408"}),
        [project("a_vector", Y)],
    )
    absent = with_optional(file("absent"), tensors(offset=True), space_0_other="x")
    yield Valid(
        "space_absent",
        "Tensors of the part without its key: the file has no part.",
        absent,
        [run("a_token", [1])],
    )
    yield from _faults()


def _with_offset() -> File:
    part = tensors()
    part[OFFSET] = tensor("F32", axis(0))
    return made(file("offset"), part)


def _faults() -> Iterator[Valid]:
    """Yield files with a malformed part."""

    def refused(name: str, notes: str, part: Part, members: dict[str, Any] | str) -> Valid:
        valid = Valid(
            f"space_refused_{name}",
            f"{notes} The part is refused, and not the file.",
            made(file(f"refused {name}"), part, members),
            [run("a_token", [1])],
        )
        valid.refused = ["space"]
        return valid

    for name, notes, value in (
        ("empty", "The key is empty.", ""),
        ("not_json", "The key is not JSON.", "{"),
        ("array", "The key is an array.", "[]"),
        ("deep", "The key nests deeply.", "[" * 2000),
        (
            "spaced",
            "White space outside strings.",
            '{"dimension": "4","documents":"table","teacher":"a/b"}',
        ),
        (
            "unsorted",
            "Members that do not ascend.",
            '{"documents":"table","dimension":"4","teacher":"a/b"}',
        ),
        (
            "twice",
            "A member twice.",
            '{"dimension":"4","dimension":"4","documents":"table","teacher":"a/b"}',
        ),
        (
            "escaped",
            "A needless escape.",
            '{"dimension":"4","documents":"table","teacher":"a\\/b"}',
        ),
        (
            "surrogate",
            "Half a surrogate pair.",
            '{"dimension":"4","documents":"table","teacher":"\\ud83d"}',
        ),
    ):
        yield refused(name, notes, tensors(), value)
    for name, notes, changes in (
        ("dimension_number", "The dimension is a number.", {"dimension": 4}),
        ("dimension_zero", "A dimension of 0.", {"dimension": "0"}),
        ("dimension_zeros", "A dimension with a zero before it.", {"dimension": "04"}),
        ("dimension_fraction", "A dimension with a fraction.", {"dimension": "4.0"}),
        ("dimension_negative", "A negative dimension.", {"dimension": "-4"}),
        ("dimension_above", "A dimension above the limit.", {"dimension": "65537"}),
        ("dimension_other", "Another dimension than the tensor's.", {"dimension": "5"}),
        ("dimension_large", "A dimension of 30 digits.", {"dimension": "4" * 30}),
        ("teacher_empty", "A teacher without a name.", {"teacher": ""}),
        ("documents_other", "Unknown documents.", {"documents": "both"}),
        ("documents_case", "Documents in another case.", {"documents": "Table"}),
        ("revision_null", "A revision that is no string.", {"revision": None}),
    ):
        yield refused(name, notes, tensors(), MEMBERS | changes)
    for member in MEMBERS:
        fewer = {key: value for key, value in MEMBERS.items() if key != member}
        yield refused(f"without_{member}", f"The member {member} is missing.", tensors(), fewer)

    def changed(name: str, value: Tensor | None) -> Part:
        part = tensors(offset=True, probes=True)
        if value is None:
            del part[name]
        else:
            part[name] = value
        return part

    yield refused(
        "without_projection", "space.projection is missing.", changed(PROJECTION, None), MEMBERS
    )
    for label, name, count in (
        ("projection", PROJECTION, H * D),
        ("offset", OFFSET, H),
        ("probes", PROBES, 8 * H),
    ):
        base = changed(name, tensors(offset=True, probes=True)[name])[name]
        for dtype in ("F64", "F16"):
            yield refused(
                f"{label}_{dtype.lower()}",
                f"{name} is {dtype}.",
                changed(name, tensor(dtype, base.values(), *base.shape)),
                MEMBERS,
            )
        yield refused(
            f"{label}_axes",
            f"{name} has another number of axes.",
            changed(name, Tensor("F32", (1, count, 1), base.data)),
            MEMBERS,
        )
        longer = (base.shape[0] + 1, *base.shape[1:])
        items = base.values() + base.values()[: count // base.shape[0]]
        yield refused(
            f"{label}_longer",
            f"{name} is longer by one.",
            changed(name, tensor("F32", items, *longer)),
            MEMBERS,
        )

        def put(value: float, base: Tensor = base, name: str = name) -> Part:
            items = base.values()
            items[1] = value
            return changed(name, tensor("F32", items, *base.shape))

        yield refused(f"{label}_nan", f"A value of {name} is no number.", put(math.nan), MEMBERS)
        yield refused(
            f"{label}_infinite", f"A value of {name} is infinite.", put(-math.inf), MEMBERS
        )
        yield from _beyond(label, put, refused)
    yield refused(
        "projection_transposed",
        "space.projection is [D, H].",
        changed(PROJECTION, Tensor("F32", (D, H), tensors()[PROJECTION].data)),
        MEMBERS,
    )
    zeros = tensor("F32", [0.0, -0.0] * (H * D // 2), H, D)
    yield refused(
        "projection_zero", "All of space.projection is 0.", changed(PROJECTION, zeros), MEMBERS
    )
    yield refused(
        "probe_zero",
        "A vector of a probe text is zero.",
        changed(PROBES, tensor("F32", axis(0, 0.0) + [x for i in range(7) for x in axis(i)], 8, H)),
        MEMBERS,
    )


def _beyond(
    label: str,
    put: Callable[[float], Part],
    refused: Callable[[str, str, Part, dict[str, Any]], Valid],
) -> Iterator[Valid]:
    """Yield files with a value out of range."""
    values = {
        "projection": {"large": 2.0**61, "small": -(2.0**-61)},
        "offset": {"large": 1.25, "negative": -1.0 - 2.0**-20},
        "probes": {"longer": 1.25},
    }
    for kind, value in values[label].items():
        yield refused(
            f"{label}_value_{kind}", f"A value of {value:g} in space.{label}.", put(value), MEMBERS
        )
