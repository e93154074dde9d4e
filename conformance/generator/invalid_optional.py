"""Files with a fault in an optional tensor: name, entry or position (SPEC 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from generator.faults import Invalid, base, edited
from generator.files import File, Tensor, compact, tensor
from generator.valid import with_optional

HEAD = "head.topic.weights"
LIMIT = 1024


def optional() -> Iterator[Invalid]:
    """Yield every file with a fault in an optional tensor."""
    yield from _names()
    yield from _forms()
    yield from _places()


def _right() -> File:
    """Create a valid file with two optional tensors."""
    head = tensor("F32", [0.5, -1.0, 2.0, 0.25], 2, 2)
    return with_optional(base(), {HEAD: head, "pieces.bytes": tensor("U8", list(b"w0w1w2w3"))})


def _names() -> Iterator[Invalid]:
    for label, name, notes in (
        ("outside", "heads.topic.weights", "The name begins with no namespace."),
        ("prefix", "header.weights", "The name begins with the letters of a namespace."),
        ("case", "Head.topic.weights", "The namespace is spelled with a capital."),
        ("namespace", "head", "The name is a namespace alone."),
        ("empty_label", "head.", "The label is empty."),
        ("empty_label_inside", "head..weights", "A label is empty."),
        ("trailing_dot", "head.topic.", "The last label is empty."),
        ("space", "head.topic weights", "A label holds a space."),
        ("slash", "head.topic/weights", "A label holds a slash."),
        ("newline", "head.topic\n", "A label ends in a line feed."),
        ("letter", "head.größe", "A label holds a letter that is not ASCII."),
        ("long_label", f"head.{'a' * 65}", "A label of 65 characters."),
        ("long", f"head{('.' + 'a' * 62) * 4}.", "The last label of a name of 257 is empty."),
        ("257", f"head{('.' + 'a' * 62) * 4}a", "A name of 257 characters."),
        ("reserved", "spaces", "The name begins with the letters of a namespace."),
    ):
        made = with_optional(base(), {name: tensor("F32", [0.5])})
        yield Invalid(f"optional_name_{label}", "unknown_tensor", notes, made.build())


def _forms() -> Iterator[Invalid]:
    def entry(**members: object) -> bytes:
        return edited(lambda m: m[HEAD].update(members), _right())

    yield Invalid("optional_entry_null", "invalid_tensor_entry", "An optional entry is null.",
                  edited(lambda m: m.update({HEAD: None}), _right()))  # fmt: skip
    yield Invalid("optional_entry_member", "invalid_tensor_entry", "A member too many.",
                  entry(order="C"))  # fmt: skip
    yield Invalid("optional_entry_duplicate", "duplicate_key", "An optional tensor twice.",
                  _twice())  # fmt: skip
    for dtype in ("BF16", "BOOL", "F8_E4M3", "f32", "U4"):
        yield Invalid(f"optional_dtype_{dtype.lower()}{'_spelled_small' * dtype.islower()}",
                      "wrong_dtype", f"An optional tensor is {dtype}.", entry(dtype=dtype),
                      also=("size_mismatch",))  # fmt: skip
    for name, shape, notes in (
        ("scalar", [], "No axis."),
        ("five_axes", [1, 1, 1, 2, 2], "Five axes."),
        ("zero", [0], "An axis of length 0."),
        ("zero_beside_huge", [0, 2**53 - 1], "An axis of length 0, and one as long as can be."),
    ):
        yield Invalid(f"optional_shape_{name}", "wrong_shape", notes, entry(shape=shape),
                      also=("size_mismatch",))  # fmt: skip
    for name, shape in (
        ("larger", [2, 3]),
        ("smaller", [3]),
        ("overflows_32_bits", [2**15, 2**15 + 2**14, 2**15]),
        ("overflows_64_bits", [2**16, 2**16, 2**16, 2**16]),
        ("overflows_binary64", [2**53 - 1] * 4),
    ):
        yield Invalid(f"optional_size_{name}", "size_mismatch", "The bytes are not what dtype and "
                      "shape need.", entry(shape=shape))  # fmt: skip
    most = with_optional(
        base(), {f"head.h.t{i:04}": tensor("U8", [i % 251]) for i in range(LIMIT + 1)}
    )
    yield Invalid("optional_too_many", "limit_exceeded", "One optional tensor more than the limit.",
                  most.build())  # fmt: skip


def _twice() -> bytes:
    made = _right()
    made.text = lambda members: compact(members)[:-1] + f',"{HEAD}":{compact(members[HEAD])}}}'
    return made.build()


def _places() -> Iterator[Invalid]:
    def moved(change: Callable[[dict[str, Any]], None], made: File) -> bytes:
        return edited(change, made)

    def past(members: dict[str, Any]) -> None:
        begin, end = members[HEAD]["data_offsets"]
        members[HEAD]["data_offsets"] = [begin + 64, end + 64]

    yield Invalid("optional_out_of_bounds", "tensor_out_of_bounds", "An optional tensor lies past "
                  "the end.", moved(past, _right()), also=("tensor_gap",))  # fmt: skip

    def shared(members: dict[str, Any]) -> None:
        begin, _ = members[HEAD]["data_offsets"]
        members["pieces.bytes"]["data_offsets"] = [begin, begin + 8]

    over = _right()
    over.raw = lambda raw: raw[:-8]
    yield Invalid("optional_overlap", "tensor_overlap", "Two optional tensors share bytes.",
                  moved(shared, over))  # fmt: skip

    def tokenizer(members: dict[str, Any]) -> None:
        begin, _ = members["tokenizer"]["data_offsets"]
        members["pieces.bytes"]["data_offsets"] = [begin, begin + 8]

    over = _right()
    over.raw = lambda raw: raw[:-8]
    yield Invalid("optional_overlap_tokenizer", "tensor_overlap", "An optional tensor names bytes "
                  "of the tokenizer.", moved(tokenizer, over),
                  also=("tensor_misplaced",))  # fmt: skip
    gap = _right()
    gap.raw = lambda raw: raw[:-8] + bytes(8) + raw[-8:]

    def apart(members: dict[str, Any]) -> None:
        begin, end = members["pieces.bytes"]["data_offsets"]
        members["pieces.bytes"]["data_offsets"] = [begin + 8, end + 8]

    yield Invalid("optional_gap", "tensor_gap", "8 bytes between optional tensors belong to none.",
                  moved(apart, gap))  # fmt: skip
    crooked = _right()
    crooked.tensors["tokenizer"] = Tensor(
        "U8", (63 + len(crooked.tensors["tokenizer"].data),),
        crooked.tensors["tokenizer"].data + b" " * 63,
    )  # fmt: skip
    yield Invalid("optional_misaligned", "tensor_misaligned", "An optional tensor of F32 begins "
                  "one byte before a multiple of 4.", crooked.build())  # fmt: skip
    for name in ("embeddings", "tokenizer"):
        early = _right()
        early.tensors[HEAD] = tensor("F32", [float(i) for i in range(16)], 4, 4)
        order = ["scale", "weights", "rows", "embeddings", "tokenizer", "pieces.bytes"]
        order.insert(order.index(name) if name == "tokenizer" else 0, HEAD)
        if name == "tokenizer":
            early.tensors["embeddings"] = tensor("I8", range(-8, 8), 8, 2)
            early.tensors["rows"] = tensor("U16", [2, 0, 1, 1])
        early.order = order
        yield Invalid(f"optional_before_{name}", "tensor_misplaced", "An optional tensor lies "
                      f"before {name}.", early.build())  # fmt: skip
