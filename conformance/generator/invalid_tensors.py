"""Files with a fault in the tensors' positions, dtypes or shapes (SPEC 4, 6 and 13.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from generator.faults import Edit, Invalid, base, changed, edited
from generator.files import File, Tensor, tensor, word_tokenizer
from generator.valid import file, octets


def layout() -> Iterator[Invalid]:
    """Yield files with a fault in the positions or sizes of tensors."""

    def moved(name: str, begin: int, end: int, made: File | None = None) -> Edit:
        def edit(members: dict[str, Any]) -> None:
            old = members[name]["data_offsets"]
            members[name]["data_offsets"] = [old[0] + begin, old[1] + end]

        return edit

    outside = "tensor_out_of_bounds"
    yield Invalid("data_missing", outside, "The file ends with the header.",
                  changed(lambda raw: raw[: 8 + struct.unpack("<Q", raw[:8])[0]]))  # fmt: skip
    yield Invalid("data_cut_by_one", outside, "The last byte is missing.",
                  changed(lambda raw: raw[:-1]))  # fmt: skip
    yield Invalid("offsets_past_the_end", outside, "The last tensor lies 8 bytes too far.",
                  edited(moved("tokenizer", 8, 8)), also=("tensor_gap",))  # fmt: skip
    yield Invalid("offsets_2_to_53", outside, "A tensor lies at the largest integer there is.",
                  edited(lambda m: m["tokenizer"].update(data_offsets=[2**53 - 9, 2**53 - 1])),
                  also=("size_mismatch", "tensor_gap"))  # fmt: skip
    yield Invalid("offsets_reversed", outside, "A tensor ends before it begins.",
                  edited(lambda m: m["rows"]["data_offsets"].reverse()),
                  also=("size_mismatch", "tensor_gap"))  # fmt: skip

    def pulled(members: dict[str, Any]) -> None:
        moved("tokenizer", -1, -1)(members)

    overlap = base()
    overlap.raw = lambda raw: raw[:-1]
    yield Invalid("overlap_by_one", "tensor_overlap", "Two tensors share a byte.",
                  edited(pulled, overlap))  # fmt: skip

    def same(members: dict[str, Any]) -> None:
        members["weights"]["data_offsets"] = members["embeddings"]["data_offsets"]
        moved("tokenizer", -16, -16)(members)

    twice = file("twice", n_rows=4, dim=1, weights=[1.0, 2.0, 3.0, 4.0])
    twice.raw = lambda raw: raw[: -len(word_tokenizer(4)) - 16] + word_tokenizer(4)
    yield Invalid("overlap_whole", "tensor_overlap", "Two tensors are the same bytes.",
                  edited(same, twice))  # fmt: skip
    gap = base()
    gap.raw = lambda raw: raw[: -len(word_tokenizer(4))] + bytes(8) + word_tokenizer(4)
    yield Invalid("gap_between_tensors", "tensor_gap", "8 bytes belong to no tensor.",
                  edited(moved("tokenizer", 8, 8), gap))  # fmt: skip

    def all_moved(members: dict[str, Any]) -> None:
        for name in members:
            if name != "__metadata__":
                moved(name, 8, 8)(members)

    start = base()
    start.raw = lambda raw: _insert(raw, bytes(8))
    yield Invalid("gap_at_the_start", "tensor_gap", "8 bytes before the first tensor.",
                  edited(all_moved, start))  # fmt: skip
    yield Invalid("gap_at_the_end", "tensor_gap", "A byte behind the last tensor.",
                  changed(lambda raw: raw + b"\n"))  # fmt: skip
    for name in ("embeddings", "weights", "rows"):
        crooked = base("F32")
        crooked.tensors["tokenizer"] = octets(word_tokenizer(4).ljust(301))
        first = [n for n in ("embeddings", "weights", "rows") if n != name]
        crooked.order = [*first, "tokenizer", name]
        yield Invalid(f"misaligned_{name}", "tensor_misaligned", f"{name} begins at an odd byte.",
                      crooked.build())  # fmt: skip
    crooked = base("I8")
    crooked.order = ["weights", "rows", "embeddings", "scale", "tokenizer"]
    yield Invalid("misaligned_scale", "tensor_misaligned", "scale begins 2 bytes past a multiple "
                  "of 4.", crooked.build())  # fmt: skip
    for name, shape in (("embeddings", [3, 3]), ("scale", [2]), ("weights", [4]), ("rows", [4]),
                        ("tokenizer", [7])):  # fmt: skip
        made = base()
        if name == "embeddings":
            wrong = Tensor("I8", (3, 2), bytes(9))
        elif name == "tokenizer":
            wrong = Tensor("U8", (len(word_tokenizer(4)) - 1,), word_tokenizer(4))
        else:
            old = made.tensors[name]
            wrong = Tensor(old.dtype, tuple(shape), old.data + bytes(8))
        made.tensors[name] = wrong
        yield Invalid(f"size_of_{name}", "size_mismatch", f"{name} has more bytes than its shape "
                      "needs.", made.build())  # fmt: skip
    huge = file("huge", n_rows=1, dim=1)
    huge.tensors["embeddings"] = Tensor("F32", (2**24, 2**16), b"")
    huge.metadata |= {"dim": "65536", "prefixes": "65536"}
    yield Invalid(
        "size_overflows_32_bits",
        "size_mismatch",
        "A legal shape whose bytes are 0 modulo 2^32, with no data.",
        huge.build(),
    )
    huge = file("huge", n_rows=1, dim=1)
    huge.tensors["embeddings"] = Tensor("F32", (2**32, 2**32), b"")
    yield Invalid("size_overflows_64_bits", "limit_exceeded",
                  "A shape whose product is 0 modulo 2^64, with no data.", huge.build(),
                  also=("size_mismatch", "inconsistent_metadata"))  # fmt: skip


def _insert(raw: bytes, data: bytes) -> bytes:
    """Insert bytes between the header and the first tensor."""
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    return raw[:start] + data + raw[start:]


def shapes() -> Iterator[Invalid]:
    """Yield files with a missing or extra tensor, or a wrong dtype or shape."""

    def replaced(name: str, new: Tensor | None, made: File | None = None) -> bytes:
        made = made or base()
        if new is None:
            del made.tensors[name]
        else:
            made.tensors[name] = new
        return made.build()

    yield Invalid("unknown_tensor", "unknown_tensor", "A tensor called bias.",
                  replaced("bias", tensor("F32", [0.0, 0.0])))  # fmt: skip
    yield Invalid("tensor_name_case", "unknown_tensor", "A tensor called Weights.",
                  replaced("Weights", tensor("F32", [1.0] * 4)))  # fmt: skip
    yield Invalid("tensor_name_empty", "unknown_tensor", "A tensor without a name.",
                  replaced("", tensor("F32", [1.0] * 4)))  # fmt: skip
    for name in ("embeddings", "tokenizer"):
        yield Invalid(f"without_{name}", "missing_tensor", f"No {name}.",
                      replaced(name, None, base("F32")))  # fmt: skip
    yield Invalid("without_scale", "missing_tensor", "An 8-bit table without scale.",
                  replaced("scale", None))  # fmt: skip
    for dtype in ("F32", "F16"):
        yield Invalid(f"scale_with_{dtype.lower()}", "unexpected_tensor", f"scale beside {dtype}.",
                      replaced("scale", tensor("F32", [1.0, 1.0]), base(dtype)))  # fmt: skip
    for name, dtype, count in (
        ("embeddings", "U8", 6), ("embeddings", "I64", 6), ("scale", "F16", 2),
        ("weights", "F16", 4), ("weights", "I8", 4), ("rows", "U8", 4), ("rows", "F32", 4),
        ("tokenizer", "I8", 60),
    ):  # fmt: skip
        made = base("F32" if name == "embeddings" else "I8")
        old = made.tensors[name]
        shape = old.shape if name == "embeddings" else (count,)
        new = tensor(dtype, [1] * count, *shape)
        if name == "tokenizer":
            new = Tensor("I8", old.shape, old.data)
        made.tensors[name] = new
        yield Invalid(f"dtype_of_{name}_{dtype.lower()}", "wrong_dtype", f"{name} is {dtype}.",
                      made.build())  # fmt: skip
    for name, dtype in (("embeddings", "BF16"), ("embeddings", "F64"), ("rows", "I32"),
                        ("tokenizer", "BOOL"), ("weights", "f32")):  # fmt: skip
        yield Invalid(
            f"dtype_of_{name}_{dtype.lower()}_unknown",
            "wrong_dtype",
            f"{name} is {dtype}.",
            edited(lambda m, n=name, d=dtype: m[n].update(dtype=d), base("F32")),
        )
    one = tensor("F32", [1.0])
    for name, shape, dtype in (
        ("embeddings", (6,), "I8"), ("embeddings", (3, 2, 1), "I8"), ("embeddings", (), "I8"),
        ("scale", (1, 2), "F32"), ("scale", (3,), "F32"), ("scale", (), "F32"),
        ("weights", (4, 1), "F32"), ("weights", (3,), "F32"), ("weights", (5,), "F32"),
        ("rows", (2, 2), "U16"), ("tokenizer", (2, 31), "U8"),
    ):  # fmt: skip
        count = 1
        for length in shape:
            count *= length
        made = base()
        if name == "tokenizer":
            data = word_tokenizer(4).ljust(2 * -(-len(word_tokenizer(4)) // 2))
            new = Tensor("U8", (2, len(data) // 2), data)
        elif name == "rows":
            new = tensor("U16", [2, 0, 1, 1], 2, 2)
        else:
            new = Tensor(dtype, shape, one.data * count if dtype == "F32" else bytes(count))
        made.tensors[name] = new
        spelled = "x".join(map(str, shape)) or "scalar"
        if name == "tokenizer":
            spelled = "matrix"
        yield Invalid(f"shape_of_{name}_{spelled}", "wrong_shape", f"{name} has shape "
                      f"{list(new.shape)}.", made.build())  # fmt: skip
    for name in ("embeddings", "tokenizer", "rows"):
        made = base("F32")
        if name == "rows":
            del made.tensors["weights"]
        empty = (0, 2) if name == "embeddings" else (0,)
        made.tensors[name] = Tensor(made.tensors[name].dtype, empty, b"")
        also = {"embeddings": ("row_out_of_range",), "tokenizer": ("tokenizer_not_json",)}
        yield Invalid(f"length_of_{name}_zero", "wrong_shape", f"{name} has no element.",
                      made.build(), also=also.get(name, ("token_id_out_of_range",)))  # fmt: skip
    made = base("F32")
    made.tensors["embeddings"] = Tensor("F32", (3, 0), b"")
    yield Invalid("dim_zero", "wrong_shape", "D is 0.", made.build(),
                  also=("inconsistent_metadata",))  # fmt: skip
    big = 65_537
    yield Invalid("limit_of_dim", "limit_exceeded", "D is one above its limit.",
                  file("", "F16", 1, big, table=[0.0] * big).build())  # fmt: skip
    big = 16_777_217
    made = file("", "I8", 1, 1, table=[1], scale=[1.0])
    made.tensors["embeddings"] = Tensor("I8", (big, 1), bytes(big))
    yield Invalid("limit_of_rows", "limit_exceeded", "R is one above its limit.", made.build())
    made = file("", "F32", 1, 1, rows=("U16", [0]))
    made.tensors["rows"] = Tensor("U16", (big,), bytes(2 * big))
    yield Invalid("limit_of_token_ids", "limit_exceeded", "V is one above its limit.", made.build())
    made = base()
    length = 268_435_457
    yield Invalid("limit_of_tokenizer", "limit_exceeded", "N is one above its limit.",
                  edited(lambda m: m["tokenizer"].update(shape=[length]), made),
                  also=("size_mismatch",))  # fmt: skip
