"""Write static embedding files, valid or with a fault on purpose (SPEC 4 to 6 and 10)."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# dtype -> the letter of `struct`, and the bytes of an element.
ITEM = {
    "F64": ("d", 8),
    "F32": ("f", 4),
    "F16": ("e", 2),
    "I64": ("q", 8),
    "I32": ("i", 4),
    "I16": ("h", 2),
    "I8": ("b", 1),
    "U64": ("Q", 8),
    "U32": ("I", 4),
    "U16": ("H", 2),
    "U8": ("B", 1),
}
ZEROS = "0" * 64
# A placeholder for `vectors_digest`: `File.build` replaces it by the computed digest.
RIGHT = "right"
VECTOR_KEYS = (
    "damping_beta",
    "damping_dims",
    "dim",
    "features",
    "max_tokens",
    "normalize",
    "pooling",
    "prefixes",
    "unknown_token_id",
)
VECTOR_TENSORS = ("embeddings", "rows", "scale", "tokenizer", "weights")
ALIGNMENT = 64
# Files above this size are not stored. Their case file describes them by pieces.
STORED_BYTES = 40_000
# A run has at least this many repetitions; shorter repetitions are spelled out.
RUN_BYTES = 1024


@dataclass(frozen=True)
class Tensor:
    """A tensor's dtype, shape and bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @property
    def item_bytes(self) -> int:
        """The bytes of one element."""
        return ITEM[self.dtype][1]

    def values(self) -> list[Any]:
        """Return the elements in row-major order."""
        return list(struct.unpack(f"<{len(self.data) // self.item_bytes}{self._letter}", self.data))

    @property
    def _letter(self) -> str:
        return ITEM[self.dtype][0]


def tensor(dtype: str, values: Iterable[float], *shape: int) -> Tensor:
    """Create a tensor; without a shape it has one axis."""
    items = list(values)
    return Tensor(
        dtype, shape or (len(items),), struct.pack(f"<{len(items)}{ITEM[dtype][0]}", *items)
    )


def word_tokenizer(n_tokens: int) -> bytes:
    """Create a `tokenizer.json` of the words w0, w1, …, which splits text at white space."""
    vocabulary = {f"w{i}": i for i in range(n_tokens)}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"}
    return tokenizer_bytes(model, pre_tokenizer={"type": "WhitespaceSplit"})


def tokenizer_bytes(model: Mapping[str, Any], **members: object) -> bytes:
    """Create a `tokenizer.json` with the given model; `members` replace the empty defaults."""
    definition: dict[str, object] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": dict(model),
    }
    return compact(definition | members).encode()


def compact(value: object) -> str:
    """Format JSON without white space and without needless escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass
class File:
    """The parts of a file. The functions can put a fault into it; `build` calls them in this order.

    Attributes:
        metadata: the metadata. `build` replaces a `vectors_digest` of `RIGHT` and a `digest` of
            zeros by the computed digests.
        tensors: the tensors.
        order: the order of the tensors; None: the order of the reference writer.
        entries: changes the header's object.
        text: converts the header's object to text.
        header: changes the header's bytes, padding included.
        raw: changes the whole file's bytes.
    """

    metadata: dict[str, Any]
    tensors: dict[str, Tensor]
    order: list[str] | None = None
    entries: Callable[[dict[str, Any]], None] = field(default=lambda members: None)
    text: Callable[[dict[str, Any]], str] = field(default=compact)
    header: Callable[[bytes], bytes] = field(default=lambda header: header)
    raw: Callable[[bytes], bytes] = field(default=lambda raw: raw)

    def build(self) -> bytes:
        """Write the file; return its bytes."""
        tensors = self.tensors
        order = self.order or sorted(tensors, key=lambda name: (-tensors[name].item_bytes, name))
        metadata = dict(sorted(self.metadata.items()))
        if metadata.get("vectors_digest") == RIGHT:
            metadata["vectors_digest"] = vectors_digest(metadata, tensors)
        members: dict[str, Any] = {"__metadata__": metadata}
        position = 0
        for name in order:
            end = position + len(tensors[name].data)
            members[name] = {
                "dtype": tensors[name].dtype,
                "shape": list(tensors[name].shape),
                "data_offsets": [position, end],
            }
            position = end
        self.entries(members)
        header = self.text(members).encode("utf-8", "surrogatepass")
        header = self.header(header + b" " * (-(8 + len(header)) % ALIGNMENT))
        data = b"".join(tensors[name].data for name in order)
        return sign(self.raw(len(header).to_bytes(8, "little") + header + data))


def vectors_input(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Iterator[bytes]:
    """Yield the input of `vectors_digest` in pieces (SPEC 10)."""
    yield b"staticemb 1\n"
    for key in VECTOR_KEYS:
        if key in metadata:
            yield f"{key} {metadata[key]}\n".encode()
    for name in VECTOR_TENSORS:
        if name in tensors:
            axes = " ".join([name, tensors[name].dtype, *map(str, tensors[name].shape)])
            yield f"{axes}\n".encode()
            yield tensors[name].data


def vectors_digest(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """Compute `vectors_digest` (SPEC 10)."""
    return f"sha256:{hashlib.sha256(b''.join(vectors_input(metadata, tensors))).hexdigest()}"


def sign(raw: bytes) -> bytes:
    """Replace the 64 zeros of `digest` by the digest of the file.

    A file that does not have exactly one `digest` of zeros stays as it is.
    """
    place = f"sha256:{ZEROS}".encode()
    if raw.count(place) != 1:
        return raw
    return raw.replace(place, b"sha256:" + hashlib.sha256(raw).hexdigest().encode())


def stored(name: str, raw: bytes) -> dict[str, Any]:
    """Return the members of a case file that name its file, or list the file's pieces.

    Example:
        >>> stored("tiny", b"ab")
        {'file': 'tiny.staticemb'}
    """
    if len(raw) <= STORED_BYTES:
        return {"file": f"{name}.staticemb"}
    pieces: list[dict[str, Any]] = []
    position = 0
    for run in re.finditer(rb"(.|..)\1{%d,}" % (RUN_BYTES - 1), raw, re.DOTALL):
        if run.start() > position:
            pieces.append({"hex": raw[position : run.start()].hex()})
        pieces.append({"hex": run[1].hex(), "times": len(run[0]) // len(run[1])})
        position = run.end()
    if position < len(raw):
        pieces.append({"hex": raw[position:].hex()})
    return {"assemble": pieces}
