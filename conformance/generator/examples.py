"""Generate the examples in SPEC.md from files of the conformance suite."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from generator.files import Tensor, vectors_input

Files = Mapping[str, bytes]


def fill(spec: str, files: Files) -> str:
    """Replace the text between the marks of each example.

    Args:
        spec: the text of SPEC.md.
        files: every file of vectors/, by its path relative to vectors/.
    """

    def example(mark: re.Match[str]) -> str:
        return f"{mark[1]}\n{EXAMPLES[mark[2]](files)}\n{mark[3]}"

    return re.sub(
        r"(<!-- example: (\w+) -->)\n.*?(<!-- /example -->)", example, spec, flags=re.DOTALL
    )


def _dump(files: Files) -> str:
    name = "valid/header_padding_0.staticemb"
    raw = files[name]
    lines = []
    for at in range(0, len(raw), 16):
        piece = raw[at : at + 16]
        shown = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in piece)
        lines.append(f"{at:06x}  {piece.hex(' '):<47}  {shown}")
    return f"`vectors/{name}`, {len(raw)} bytes:\n\n```\n" + "\n".join(lines) + "\n```"


def _metadata(files: Files) -> str:
    name = "valid/damped.staticemb"
    raw = files[name]
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    rows = [f"| `{key}` | `{value}` |" for key, value in header.pop("__metadata__").items()]
    tensors = [
        f"| `{key}` | `{entry['dtype']}` | `{entry['shape']}` | `{entry['data_offsets']}` |"
        for key, entry in header.items()
    ]
    return "\n".join(
        [
            f"`vectors/{name}` has these metadata:\n\n| key | value |\n|---|---|",
            *rows,
            "\nand these tensors:\n\n| name | dtype | shape | data_offsets |\n|---|---|---|---|",
            *tensors,
        ]
    )


def _digest(files: Files) -> str:
    name = "valid/damped"
    raw = files[f"{name}.staticemb"]
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    metadata = header.pop("__metadata__")
    tensors = {
        key: Tensor(entry["dtype"], tuple(entry["shape"]),
                    raw[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]])
        for key, entry in header.items()
    }  # fmt: skip
    data = {each.data for each in tensors.values()}
    shown = "".join(
        f"({len(piece)} bytes)" if piece in data else piece.decode()
        for piece in vectors_input(metadata, tensors)
    )
    digest = metadata["vectors_digest"]
    return (
        f"`vectors/{name}.staticemb`:\n\n```\n{shown}\n```\n\n"
        f"with the tensors' bytes in the places named: `{digest}`."
    )


def _pooling(files: Files) -> str:
    name = "valid/damped_beta_half"
    case = _case(files, name, "some_tokens")
    plain = _case(files, name, "as_mean")
    header, table = _table(files[f"{name}.staticemb"])
    beta, dims = header["damping_beta"], header["damping_dims"]
    ids = ", ".join(map(str, case["tokens"]))
    rows = [
        f"| {t} | {' | '.join(f'{x:.9g}' for x in table[t])} |" for t in sorted(set(case["tokens"]))
    ]
    mean, damped = (c["expected"]["decimal"] for c in (plain, case))
    return "\n".join(
        [
            f"`vectors/{name}.staticemb`, β = {beta}, k = {dims}, not normalized, token ids {ids}. "
            "Their rows:\n",
            "| id " + "".join(f"| {j} " for j in range(len(table[0]))) + "|",
            "|---" * (1 + len(table[0])) + "|",
            *rows,
            f"\nThe plain mean of the {len(case['tokens'])} rows, "
            f"with a tolerance of {plain['tolerance']:g} (section 9):\n",
            f"    {_spelled(mean)}\n    {_hex(plain)}",
            f"\nand the damped mean, with a tolerance of {case['tolerance']:g}:\n",
            f"    {_spelled(damped)}\n    {_hex(case)}",
            "\nThe second line of each is the same in little-endian binary32.",
        ]
    )


def _case(files: Files, name: str, case: str) -> dict[str, Any]:
    cases = json.loads(files[f"{name}.json"])["cases"]
    found: dict[str, Any] = next(c for c in cases if c["id"] == f"{name}/{case}")
    return found


def _table(raw: bytes) -> tuple[dict[str, str], list[tuple[float, ...]]]:
    """Read the metadata and the rows of a file with a binary32 table."""
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    entry = header["embeddings"]
    begin, end = entry["data_offsets"]
    rows = struct.iter_unpack(f"<{entry['shape'][1]}f", raw[start + begin : start + end])
    return header["__metadata__"], list(rows)


def _spelled(vector: list[float]) -> str:
    """Format a vector in decimals of seven significant digits."""
    return " ".join(f"{x:.7g}" for x in vector)


def _hex(case: dict[str, Any]) -> str:
    """Format a case's expected vector in hexadecimal, with a space between elements."""
    digits = case["expected"]["hex"]
    return " ".join(digits[i : i + 8] for i in range(0, len(digits), 8))


EXAMPLES: dict[str, Callable[[Files], str]] = {
    "dump": _dump,
    "metadata": _metadata,
    "digest": _digest,
    "pooling": _pooling,
}
