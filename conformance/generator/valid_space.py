"""Files with the part `space`, and their cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.files import File, Tensor, tensor
from generator.refused_space import refused_files
from generator.space import MEMBERS, OFFSET, PROBES, PROJECTION, D, H, axis, made, tensors
from generator.valid import Valid, file, numbers, run, with_optional

Y = [3.0, -1.5, 0.25, 2.0]


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
    yield from refused_files()


def _with_offset() -> File:
    part = tensors()
    part[OFFSET] = tensor("F32", axis(0))
    return made(file("offset"), part)
