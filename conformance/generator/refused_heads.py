"""Files with a malformed head, which costs the head and not the file (SPEC 6.4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from generator.files import Tensor, tensor
from generator.head import LABELS, MEMBERS, D, K, Part, Q, head, layer, made, names
from generator.valid import Valid, file, octets, run

LEVEL = b"\x3c" * 4  # a small number; the same byte throughout keeps the case file short
SIGMOID = MEMBERS | {"kind": "sigmoid"}
LINEAR = MEMBERS | {"kind": "linear"}


def refused_files() -> Iterator[Valid]:
    """Yield files with one malformed head `bad` beside a valid one."""
    for name, notes, part, members in _faults():
        heads = {"bad": (part, members), "good": (head("good"), MEMBERS)}
        valid = Valid(
            f"head_refused_{name}",
            f"{notes} The head is refused, and not the file.",
            made(file(f"head refused {name}"), heads),
            [
                run("a_token", [1]),
                {"name": "good", "tokens": [1], "request": {"head": "good"}},
            ],
        )
        valid.refused = ["head.bad"]
        yield valid


def _faults() -> Iterator[tuple[str, str, Part, dict[str, Any] | str]]:
    part = head("bad")
    yield "empty", "The key is empty.", part, ""
    yield "not_json", "The key is not JSON.", part, "{"
    yield "array", "The key is an array.", part, '["softmax"]'
    yield "deep", "The key nests deeply.", part, "[" * 2000
    yield "spaced", "White space.", part, '{"kind": "softmax","normalize":"true"}'
    yield "unsorted", "Members do not ascend.", part, '{"normalize":"true","kind":"softmax"}'
    twice = '{"kind":"softmax","kind":"softmax","normalize":"true"}'
    yield "twice", "A member twice.", part, twice
    for name, notes, changes in (
        ("kind_other", "An unknown kind.", {"kind": "tree"}),
        ("kind_case", "A kind in another case.", {"kind": "Softmax"}),
        ("kind_number", "A kind that is a number.", {"kind": 1}),
        ("normalize_boolean", "A boolean that is no string.", {"normalize": True}),
        ("normalize_other", "No boolean.", {"normalize": "yes"}),
        ("pooling_other", "An unknown pooling.", {"pooling": "max"}),
        ("pooling_damped", "A pooling that the file has not.", {"pooling": "damped_mean"}),
        ("temperature_zero", "A temperature of 0.", {"temperature": "0"}),
        ("temperature_negative", "A negative temperature.", {"temperature": "-1"}),
        ("temperature_small", "A temperature below the least.", {"temperature": "0.0000001"}),
        ("temperature_large", "A temperature above the largest.", {"temperature": "1000001"}),
        ("temperature_spelled", "A fraction of 0.", {"temperature": "1.0"}),
        ("temperature_nan", "A temperature that is no number.", {"temperature": "nan"}),
        ("temperature_linear", "A temperature of numbers.", {"kind": "linear", "temperature": "2"}),
        ("prompt_long", "A prompt above the limit.", {"prompt": "a" * 16_385}),
        ("prompt_null", "A prompt that is no string.", {"prompt": None}),
    ):
        yield name, notes, part, MEMBERS | changes
    for member in MEMBERS:
        fewer = {key: value for key, value in MEMBERS.items() if key != member}
        yield f"without_{member}", f"The member {member} is missing.", part, fewer
    yield from _tensor_faults()
    yield from _label_faults()


def _tensor_faults() -> Iterator[tuple[str, str, Part, dict[str, Any] | str]]:
    part, deep = head("bad"), head("bad", hidden=Q)
    quantized = head("bad", hidden=Q, dtypes="I8 I8")
    for label in part:
        fewer = {key: value for key, value in part.items() if key != label}
        yield f"without_{_key(label)}", f"{label} is missing.", fewer, MEMBERS
    for label, base in (
        ("hidden-weights", deep), ("hidden-bias", deep), ("scale", quantized),
        ("hidden-scale", quantized),
    ):  # fmt: skip
        fewer = {key: value for key, value in base.items() if key != label}
        yield f"without_{_key(label)}", f"{label} is missing.", fewer, MEMBERS
    for label, base in (("scale", part), ("hidden-scale", deep)):
        rows = K if label == "scale" else Q
        extra = base | {label: tensor("F32", [1.0] * rows)}
        yield f"{_key(label)}_beside_f32", f"{label} beside F32 weights.", extra, MEMBERS
    extra = part | {"hidden-bias": tensor("F32", [1.0] * Q)}
    yield "hidden_bias_alone", "hidden-bias without a hidden layer.", extra, MEMBERS
    for label, dtype in (
        ("weights", "F16"), ("weights", "F64"), ("bias", "F64"), ("hidden-weights", "F16"),
        ("hidden-bias", "F16"), ("label-ends", "U64"), ("label-ends", "I32"), ("labels", "I8"),
    ):  # fmt: skip
        base = deep if label.startswith("hidden") else head("bad", ("a", "b", "c"))
        other = tensor(dtype, base[label].values(), *base[label].shape)
        name = f"{_key(label)}_{dtype.lower()}"
        yield name, f"{label} is {dtype}.", base | {label: other}, MEMBERS
    yield from _shape_faults()
    for label, base in (
        ("weights", part), ("bias", part), ("hidden-weights", deep), ("hidden-bias", deep),
        ("scale", quantized), ("hidden-scale", quantized),
    ):  # fmt: skip
        values = {"nan": math.nan, "infinite": -math.inf, "large": 2.0**30 + 128}
        if label.endswith("scale"):
            values = {"nan": math.nan, "infinite": math.inf, "zero": 0.0, "negative": -0.5}
        for kind, value in values.items():
            items = base[label].values()
            items[1] = value
            changed = base | {label: tensor("F32", items, *base[label].shape)}
            yield f"{_key(label)}_{kind}", f"A value of {value:g} in {label}.", changed, MEMBERS
    for kind, value in {"nan": math.nan, "above": 1.25, "below": -0.25}.items():
        extra = part | {"thresholds": tensor("F32", [0.5, value, 0.5])}
        yield f"thresholds_{kind}", f"A threshold of {value:g}.", extra, SIGMOID
    extra = part | {"thresholds": tensor("F32", [0.5] * K)}
    yield "thresholds_softmax", "Thresholds with softmax.", extra, MEMBERS
    yield "thresholds_linear", "Thresholds with linear.", extra, LINEAR
    extra = part | {"thresholds": tensor("F32", [0.5] * (K + 1))}
    yield "thresholds_longer", "A threshold too many.", extra, SIGMOID
    extra = part | {"thresholds": tensor("F64", [0.5] * K)}
    yield "thresholds_f64", "thresholds is F64.", extra, SIGMOID


def _shape_faults() -> Iterator[tuple[str, str, Part, dict[str, Any] | str]]:
    part, deep = head("bad"), head("bad", hidden=Q)
    yield "dimension_above", "Weights for a longer vector.", head("bad", columns=D + 1), MEMBERS
    inner = head("bad", columns=D + 1, hidden=Q)
    yield "hidden_dimension_above", "Hidden weights for a longer vector.", inner, MEMBERS
    other = deep | layer("other", K, Q - 1)
    yield "hidden_other", "Weights for another number of hidden outputs.", other, MEMBERS
    flat = {"weights": Tensor("F32", (K * D,), part["weights"].data)}
    yield "weights_flat", "weights has one axis.", part | flat, MEMBERS
    three = {"weights": Tensor("F32", (K, D, 1), part["weights"].data)}
    yield "weights_three_axes", "weights has three axes.", part | three, MEMBERS
    more = {"bias": tensor("F32", [0.0] * (K + 1))}
    yield "bias_longer", "A bias too many.", part | more, MEMBERS
    more = {"hidden-bias": tensor("F32", [0.0] * (Q - 1))}
    yield "hidden_bias_shorter", "A hidden bias too few.", deep | more, MEMBERS
    two = {"bias": Tensor("F32", (K, 1), part["bias"].data)}
    yield "bias_two_axes", "bias has two axes.", part | two, MEMBERS
    quantized = head("bad", dtypes="I8 F32")
    more = {"scale": tensor("F32", [1.0] * D)}
    yield "scale_of_columns", "A factor for each column.", quantized | more, MEMBERS
    yield "softmax_of_one", "One class.", head("bad", ("a",)), MEMBERS
    count = 65_537
    many = {
        "weights": Tensor("I8", (count, 1), bytes(count)),
        "scale": Tensor("F32", (count,), LEVEL * count),
        "bias": Tensor("F32", (count,), bytes(4 * count)),
    }
    yield "outputs_above_limit", "Outputs above the limit.", part | many, MEMBERS
    many = {
        "hidden-weights": Tensor("I8", (count, 1), bytes(count)),
        "hidden-scale": many["scale"],
        "hidden-bias": many["bias"],
        "weights": Tensor("I8", (K, count), bytes(K * count)),
        "scale": tensor("F32", [1.0] * K),
    }
    yield "hidden_above_limit", "Hidden outputs above the limit.", part | many, MEMBERS


def _label_faults() -> Iterator[tuple[str, str, Part, dict[str, Any] | str]]:
    part = head("bad")
    for name, notes, labels in (
        ("fewer", "A label too few.", LABELS[:2]),
        ("more", "A label too many.", (*LABELS, "d")),
        ("equal", "Two equal labels.", ("a", "b", "a")),
        ("empty", "An empty label.", ("a", "", "b")),
        ("long", "A label of 1,025 bytes.", ("a", "b" * 1025, "c")),
    ):
        yield f"labels_{name}", notes, part | names(labels), MEMBERS
    for name, notes, data, ends in (
        ("not_utf8", "A label that is not UTF-8.", b"a\xffc", [1, 2, 3]),
        ("cut_character", "A label that ends inside a character.", "aä".encode() + b"c", [1, 2, 4]),
        ("surrogate", "Half a surrogate pair.", b"a\xed\xa0\xbdc", [1, 4, 5]),
        ("rest", "Bytes after the last label.", b"abcd", [1, 2, 3]),
        ("short", "Fewer bytes than the last end.", b"abc", [1, 2, 4]),
        ("descending", "Ends that descend.", b"abcd", [2, 1, 4]),
        ("huge", "An end of 4 GB.", b"abc", [1, 2, 2**32 - 1]),
    ):
        changed = {"labels": octets(data), "label-ends": tensor("U32", ends)}
        yield f"labels_{name}", notes, part | changed, MEMBERS
    two = {"labels": Tensor("U8", (1, len(part["labels"].data)), part["labels"].data)}
    yield "labels_two_axes", "labels has two axes.", part | two, MEMBERS


def _key(label: str) -> str:
    return label.replace("-", "_")
