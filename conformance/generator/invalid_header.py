"""Files with a fault in the header, which a reader finds before it checks tensors (SPEC 4)."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator

from generator.faults import Invalid, base, edited
from generator.files import compact
from generator.valid import file


def framing() -> Iterator[Invalid]:
    """Yield files with a fault in the length word or at the header's end."""
    right = base().build()
    size = struct.unpack("<Q", right[:8])[0]
    yield Invalid("empty_file", "file_too_short", "No byte at all.", b"")
    yield Invalid("seven_bytes", "file_too_short", "The length word is cut.", right[:7])
    yield Invalid("header_length_alone", "header_truncated", "Nothing behind it.", right[:8])
    yield Invalid("header_cut", "header_truncated", "The file ends within the header.", right[:200])
    yield Invalid("header_cut_by_one", "header_truncated", "The header lacks its last byte.",
                  right[: 8 + size - 1])  # fmt: skip
    yield Invalid("header_length_zero", "header_truncated", "H is 0.", bytes(8) + right[8:])
    too_long = file("big", n_rows=3, dim=2)
    too_long.header = lambda header: header.ljust(1_048_584)
    yield Invalid("header_above_limit", "header_too_large", "H is 8 above its limit.",
                  too_long.build())  # fmt: skip
    for name, length in (("2_to_63", 1 << 63), ("2_to_64_less_8", (1 << 64) - 8)):
        yield Invalid(
            f"header_length_{name}",
            "header_too_large",
            "A header length that overflows when 8 is added, or turns negative.",
            struct.pack("<Q", length) + right[8:],
            also=("header_truncated",),
        )
    yield Invalid("header_length_big_endian", "header_too_large", "H in the wrong byte order.",
                  struct.pack(">Q", size) + right[8:], also=("header_truncated",))  # fmt: skip
    odd = base()
    odd.header = lambda header: header.rstrip(b" ").ljust(-(-len(header) // 8) * 8 + 4)
    yield Invalid("header_misaligned", "header_misaligned", "H is 4 above a multiple of 8.",
                  odd.build())  # fmt: skip


def _header(change: Callable[[bytes], bytes]) -> bytes:
    """Change the header's bytes before the padding, then pad the header again."""

    def padded(header: bytes) -> bytes:
        changed = change(header.rstrip(b" "))
        return changed + b" " * (-(8 + len(changed)) % 64)

    made = base(description="here")
    made.header = padded
    return made.build()


def spelling() -> Iterator[Invalid]:
    """Yield files whose header is invalid JSON or has a duplicate key."""

    def swap(old: str | bytes, new: str | bytes) -> bytes:
        """Create a file with `new` in place of `old`, which the header holds once."""
        old, new = (x.encode() if isinstance(x, str) else x for x in (old, new))

        def change(header: bytes) -> bytes:
            assert header.count(old) == 1, old
            return header.replace(old, new)

        return _header(change)

    yield Invalid("header_latin_1", "header_not_utf8", "A byte that UTF-8 never holds.",
                  swap('"here"', b'"h\xe9re"'))  # fmt: skip
    yield Invalid("header_overlong_utf8", "header_not_utf8", "A slash spelled in two bytes.",
                  swap('"here"', b'"h\xc0\xafre"'))  # fmt: skip
    yield Invalid("header_utf8_surrogate", "header_not_utf8", "A surrogate spelled in UTF-8.",
                  swap('"here"', b'"h\xed\xa0\x80re"'))  # fmt: skip
    for name, notes, change in (
        ("byte_order_mark", "A byte order mark before the header.",
         lambda h: b"\xef\xbb\xbf" + h),
        ("leading_space", "The header begins with a space.", lambda h: b" " + h),
        ("array", "The header is an array.", lambda h: b"[1]"),
        ("json_cut", "The JSON ends too early.", lambda h: h[:-1]),
        ("two_objects", "A second object after the first.", lambda h: h + b"{}"),
        ("nul_padding", "A zero byte as padding.", lambda h: h + b"\x00"),
        ("newline_padding", "A line feed as padding.", lambda h: h + b"\n"),
        ("trailing_comma", "A comma before the last brace.", lambda h: h[:-1] + b",}"),
        ("comment", "A comment.", lambda h: h.replace(b",", b",/**/", 1)),
        ("single_quotes", "Strings in single quotes.", lambda h: h.replace(b'"here"', b"'here'")),
        ("control_character", "A line feed, not escaped, in a string.",
         lambda h: h.replace(b'"here"', b'"he\nre"')),
        ("unknown_escape", "An escape that JSON does not have.",
         lambda h: h.replace(b'"here"', b'"he\\xre"')),
        ("high_surrogate", "An escaped high surrogate alone.",
         lambda h: h.replace(b'"here"', b'"he\\ud800re"')),
        ("low_surrogate", "An escaped low surrogate alone.",
         lambda h: h.replace(b'"here"', b'"he\\udc00re"')),
        ("leading_zero", "An integer with a leading zero, which JSON does not have.",
         lambda h: h.replace(b'"shape":[3,2]', b'"shape":[03,2]')),
        ("plus_sign", "An integer with a plus sign, which JSON does not have.",
         lambda h: h.replace(b'"shape":[3,2]', b'"shape":[+3,2]')),
        ("nan", "NaN, which JSON does not have.",
         lambda h: h.replace(b'"shape":[3,2]', b'"shape":[NaN,2]')),
    ):  # fmt: skip
        yield Invalid(f"header_{name}", "header_not_json", notes, _header(change))
    yield Invalid("header_depth_4", "header_too_deep", "One level more than allowed.",
                  swap('"here"', "[[]]"), also=("metadata_not_strings",))  # fmt: skip
    yield Invalid(
        "header_depth_100000",
        "header_too_deep",
        "So deep that a parser which recurses runs out of stack.",
        swap('"here"', "[" * 100_000 + "]" * 100_000),
        also=("metadata_not_strings",),
    )
    yield Invalid("header_depth_unclosed", "header_too_deep", "Deep, and never closed.",
                  _header(lambda h: b'{"a":' * 5000), also=("header_not_json",))  # fmt: skip
    for name, notes, tail in (
        # With 499,994 quotes the header needs no padding, so its last byte is the backslash.
        ("escaped_quotes", "An unterminated string of escaped quotes that ends in a backslash: a "
         "scan that starts again at each quote takes time that grows with the square.",
         b'"a' + b'\\"' * 499_994 + b"\\"),
        ("escaped_quotes_closed", "An unterminated string of escaped quotes that ends in a brace.",
         b'"' + b'\\"' * 500_000 + b"}"),
        ("quotes", "Quotes and nothing else.", b'"' * 1_000_001),
        ("backslashes", "An unterminated string of backslashes.", b'"' + b"\\" * 1_000_001),
    ):  # fmt: skip
        yield Invalid(f"header_{name}", "header_not_json", notes,
                      _header(lambda h, tail=tail: b"{" + tail))  # fmt: skip
    yield Invalid("duplicate_tensor", "duplicate_key", "A tensor's name twice.",
                  _header(lambda h: _repeat(h, "tokenizer")))  # fmt: skip
    yield Invalid("duplicate_metadata", "duplicate_key", "__metadata__ twice.",
                  _header(lambda h: _repeat(h, "__metadata__")))  # fmt: skip
    yield Invalid(
        "duplicate_metadata_key",
        "duplicate_key",
        "A metadata key twice, same value.",
        swap('"description":"here"', '"description":"here","description":"here"'),
    )
    yield Invalid(
        "duplicate_key_escaped",
        "duplicate_key",
        "A key twice, once with an escape.",
        swap('"description":"here"', '"description":"here","\\u0064escription":"here"'),
    )
    yield Invalid("duplicate_entry_member", "duplicate_key", "A member of an entry twice.",
                  swap('"shape":[3,2]', '"shape":[3,2],"shape":[3,2]'))  # fmt: skip
    yield Invalid("duplicate_proto", "duplicate_key", "A key that is special to some languages.",
                  swap('"description":"here"', '"__proto__":"a","__proto__":"a"'))  # fmt: skip


def _repeat(header: bytes, key: str) -> bytes:
    members = json.loads(header)
    spelled = compact({key: members[key]})[1:-1]
    # Zeros are the placeholder of the digest. A second placeholder would be a second fault.
    spelled = spelled.replace("0" * 64, "f" * 64)
    return header[:-1] + b"," + spelled.encode() + b"}"


def entries() -> Iterator[Invalid]:
    """Yield files with a fault in the metadata's types or in a tensor's entry."""

    def entry(name: str, **members: object) -> bytes:
        return edited(lambda m: m[name].update(members))

    meta = "metadata_not_strings"
    yield Invalid("metadata_missing", meta, "No __metadata__.",
                  edited(lambda m: m.pop("__metadata__") and None))  # fmt: skip
    yield Invalid("metadata_null", meta, "__metadata__ is null.",
                  edited(lambda m: m.update(__metadata__=None)))  # fmt: skip
    yield Invalid("metadata_array", meta, "__metadata__ is an array.",
                  edited(lambda m: m.update(__metadata__=[])))  # fmt: skip
    values = {"integer": 6, "negative": -6, "fraction": 6.5, "null": None, "boolean": True}
    for name, value in {**values, "array": ["6"]}.items():
        yield Invalid(
            f"metadata_value_{name}",
            meta,
            f"A metadata value is {name}.",
            edited(lambda m, value=value: m["__metadata__"].update(description=value)),
        )
    bad = "invalid_tensor_entry"
    yield Invalid("entry_null", bad, "An entry is null.",
                  edited(lambda m: m.update(rows=None)))  # fmt: skip
    yield Invalid("entry_array", bad, "An entry is an array.",
                  edited(lambda m: m.update(rows=["U16", [4], [0, 8]])))  # fmt: skip
    for key in ("dtype", "shape", "data_offsets"):
        yield Invalid(f"entry_without_{key}", bad, f"No {key}.",
                      edited(lambda m, key=key: m["rows"].pop(key) and None))  # fmt: skip
    yield Invalid("entry_other_member", bad, "A member too many.", entry("rows", order="C"))
    for name, member in (
        ("dtype_number", {"dtype": 16}),
        ("shape_number", {"shape": 4}),
        ("shape_string", {"shape": ["4"]}),
        ("shape_negative", {"shape": [-4]}),
        ("shape_true", {"shape": [True]}),
        ("shape_2_to_53", {"shape": [2**53]}),
        ("shape_2_to_64", {"shape": [2**64 + 4]}),
        ("offsets_three", {"data_offsets": [0, 8, 8]}),
        ("offsets_one", {"data_offsets": [8]}),
        ("offsets_negative", {"data_offsets": [-8, 8]}),
        ("offsets_null", {"data_offsets": None}),
    ):
        yield Invalid(f"entry_{name}", bad, "A member of a wrong type or range.",
                      entry("rows", **member))  # fmt: skip
    for name, spelling in (("fraction", "4.0"), ("exponent", "4e0"), ("minus_zero", "-0")):
        made = base()
        made.text = lambda m, spelling=spelling: compact(m).replace(
            '"shape":[4],"data_offsets":[8', f'"shape":[{spelling}],"data_offsets":[8'
        )
        yield Invalid(f"entry_shape_{name}", bad, f"A length spelled {spelling}.", made.build())
