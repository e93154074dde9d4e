"""Files with a malformed part `space`, which costs the part and not the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from generator.files import Tensor, tensor
from generator.space import MEMBERS, OFFSET, PROBES, PROJECTION, D, H, Part, axis, made, tensors
from generator.valid import Valid, file, run


def refused_files() -> Iterator[Valid]:
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
