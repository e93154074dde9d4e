"""A reader and pooler in plain Python, written from SPEC.md alone, and its adapter.

It needs only the standard library, and is slow and short on purpose. Section numbers refer to
SPEC.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import re
import struct
import sys
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Any, NoReturn

FORMATS = {
    "F64": "d", "F32": "f", "F16": "e", "I64": "q", "I32": "i", "I16": "h", "I8": "b",
    "U64": "Q", "U32": "I", "U16": "H", "U8": "B",
}  # fmt: skip
ALLOWED = {
    "embeddings": ("F32", "F16", "I8"),
    "scale": ("F32",),
    "weights": ("F32",),
    "rows": ("U16", "U32", "I64"),
    "tokenizer": ("U8",),
}
AXES = {
    "embeddings": (16_777_216, 65_536),
    "scale": (65_536,),
    "weights": (16_777_216,),
    "rows": (16_777_216,),
    "tokenizer": (268_435_456,),
}
HEAD_KEY = r"head\.(?!x-)([A-Za-z0-9_-]{1,64})"
HEAD_TENSORS = {
    "weights": ("F32", "I8"), "scale": ("F32",), "bias": ("F32",),
    "hidden-weights": ("F32", "I8"), "hidden-scale": ("F32",), "hidden-bias": ("F32",),
    "labels": ("U8",), "label-ends": ("U32",), "thresholds": ("F32",),
}  # fmt: skip
MAX_OUTPUTS, MAX_LABEL = 65_536, 1024
OPTIONAL_NAME = r"(?=.{1,256}\Z)(?:head|space|pieces)(?:\.[A-Za-z0-9_-]{1,64})+"
MAX_OPTIONAL = 1024
MAX_HEADER = 1_048_576
MAX_PROMPTS, MAX_PROMPT_NAME, MAX_PROMPT = 256, 256, 16_384
NEEDED = (
    "format_version", "features", "dim", "prefixes", "normalize", "pooling", "digest",
    "vectors_digest",
)  # fmt: skip
DECISIVE_KEYS = (
    "damping_beta", "damping_dims", "dim", "features", "max_tokens", "normalize", "pooling",
    "prefixes", "unknown_token_id",
)  # fmt: skip
STRINGS = (
    ["teacher", "teacher_revision", "license", "languages", "recipe", "creator", "description"]
)  # fmt: skip
INTEGER = r"(?:0|[1-9][0-9]{0,15})"
NUMBER = rf"{INTEGER}(?:\.[0-9]{{0,14}}[1-9])?"
LIST = r"(?:[^ ]+(?: [^ ]+)*)?"


class Refused(Exception):  # noqa: N818
    """The refusal of a file or a request, with a code of section 13.3."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def refuse(code: str) -> NoReturn:
    """Refuse the file or the request."""
    raise Refused(code)


@dataclass
class ModelParts:
    """An opened file: its mapped bytes, its settings, and each tensor's position."""

    raw: mmap.mmap | bytes
    start: int
    metadata: dict[str, str]
    tensors: dict[str, dict[str, Any]]
    scale: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None
    rows: tuple[int, ...] | None = None
    refused: tuple[str, ...] = ()

    def bytes_of(self, name: str) -> bytes:
        """Return a tensor's bytes."""
        begin, end = self.tensors[name]["data_offsets"]
        return self.raw[self.start + begin : self.start + end]

    def values(self, name: str) -> tuple[Any, ...] | None:
        """Return all elements of a tensor with one axis, or None if the tensor is missing."""
        if name not in self.tensors:
            return None
        entry = self.tensors[name]
        return struct.unpack(f"<{entry['shape'][0]}{FORMATS[entry['dtype']]}", self.bytes_of(name))

    @property
    def shape(self) -> tuple[int, int]:
        """R and D."""
        n_rows, dim = self.tensors["embeddings"]["shape"]
        return n_rows, dim

    @property
    def n_token_ids(self) -> int:
        """V."""
        return self.tensors["rows"]["shape"][0] if "rows" in self.tensors else self.shape[0]


def open_file(path: str) -> ModelParts:
    """Make the opening checks of section 3."""
    size = Path(path).stat().st_size
    if size < 8:
        refuse("file_too_short")
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            refuse("header_too_large")
        if not 2 <= length <= size - 8:
            refuse("header_truncated")
        if length % 8:
            refuse("header_misaligned")
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    header = parse(raw[8 : 8 + length])
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(type(v) is str for v in metadata.values()):
        refuse("metadata_not_strings")
    opened = ModelParts(raw, 8 + length, metadata, header)
    check_version(metadata)
    check_tensors(header, size - 8 - length)
    check_metadata(metadata, opened)
    check_values(opened)
    return opened


class Number(str):
    """The spelling of a JSON number."""

    __slots__ = ()


def parse(header: bytes) -> dict[str, Any]:
    """Parse the header's object; numbers keep their spelling (section 4)."""
    try:
        text = header.decode("utf-8")
    except UnicodeDecodeError:
        refuse("header_not_utf8")
    if not text.startswith("{") or not text.rstrip(" ").endswith("}"):
        refuse("header_not_json")
    measure(text)
    members = loads(text, "header_not_json")
    assert isinstance(members, dict)
    return members


def measure(text: str) -> None:
    """Refuse JSON that nests more than three deep, without recursion."""
    depth, in_string, escaped = 0, False, False
    for c in text:
        if in_string:
            in_string = escaped or c != '"'
            escaped = c == "\\" and not escaped
        elif c in "[{":
            depth += 1
            if depth > 3:
                refuse("header_too_deep")
        elif c in "]}":
            depth -= 1
        else:
            in_string = c == '"'


def loads(text: str, code: str) -> object:
    """Parse JSON as in RFC 8259, and refuse duplicate keys."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            refuse("duplicate_key")
        return dict(pairs)

    def constant(spelling: str) -> NoReturn:
        refuse(code)

    try:
        value = json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=Number,
            parse_float=Number,
            parse_constant=constant,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails for half a surrogate pair
    except ValueError:
        refuse(code)
    return value


def integers(value: object) -> list[int]:
    """Parse an array of integers, and check their spelling."""
    if not isinstance(value, list):
        refuse("invalid_tensor_entry")
    for item in value:
        if type(item) is not Number or not re.fullmatch(INTEGER, item) or int(item) >= 2**53:
            refuse("invalid_tensor_entry")
    return [int(item) for item in value]


def check_tensors(entries: dict[str, Any], data_bytes: int) -> None:
    """Check the tensors by sections 4, 6 and 6.1, and convert shapes and offsets to integers."""
    for name, entry in entries.items():
        known = name in ALLOWED
        if not known and not re.fullmatch(OPTIONAL_NAME, name):
            refuse("unknown_tensor")
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            refuse("invalid_tensor_entry")
        if type(entry["dtype"]) is not str:
            refuse("invalid_tensor_entry")
        shape = entry["shape"] = integers(entry["shape"])
        offsets = entry["data_offsets"] = integers(entry["data_offsets"])
        if len(offsets) != 2:
            refuse("invalid_tensor_entry")
        if entry["dtype"] not in (ALLOWED[name] if known else FORMATS):
            refuse("wrong_dtype")
        if 0 in shape or (len(shape) != len(AXES[name]) if known else not 1 <= len(shape) <= 4):
            refuse("wrong_shape")
        if known and any(length > limit for length, limit in zip(shape, AXES[name], strict=True)):
            refuse("limit_exceeded")
        if not offsets[0] <= offsets[1] <= data_bytes:
            refuse("tensor_out_of_bounds")
        item = struct.calcsize("<" + FORMATS[entry["dtype"]])
        if offsets[1] - offsets[0] != item * math.prod(shape):
            refuse("size_mismatch")
        if offsets[0] % item:
            refuse("tensor_misaligned")
    if len(entries.keys() - ALLOWED) > MAX_OPTIONAL:
        refuse("limit_exceeded")
    position = 0
    for begin, end in sorted(entry["data_offsets"] for entry in entries.values()):
        if begin != position:
            refuse("tensor_overlap" if begin < position else "tensor_gap")
        position = end
    if position != data_bytes:
        refuse("tensor_gap")
    if not {"embeddings", "tokenizer"} <= set(entries):
        refuse("missing_tensor")
    behind = max(entry["data_offsets"][1] for name, entry in entries.items() if name in ALLOWED)
    if any(e["data_offsets"][0] < behind for name, e in entries.items() if name not in ALLOWED):
        refuse("tensor_misplaced")
    if (entries["embeddings"]["dtype"] == "I8") != ("scale" in entries):
        refuse("unexpected_tensor" if "scale" in entries else "missing_tensor")
    n_rows, dim = entries["embeddings"]["shape"]
    n_tokens = entries["rows"]["shape"][0] if "rows" in entries else n_rows
    for name, length in (("scale", dim), ("weights", n_tokens)):
        if name in entries and entries[name]["shape"] != [length]:
            refuse("wrong_shape")


def check_version(values: dict[str, str]) -> None:
    """Check version and features (section 12), before all data that a later version may change."""
    if values.get("format") != "staticemb":
        refuse("not_staticemb")
    if not {"format_version", "features"} <= set(values):
        refuse("missing_metadata")
    if not re.fullmatch(rf"{INTEGER}\.{INTEGER}", values["format_version"]):
        refuse("invalid_metadata")
    if values["format_version"].split(".")[0] != "1":
        refuse("unsupported_version")
    features = values["features"].split(" ") if values["features"] else []
    if "" in features or sorted(set(features), key=str.encode) != features:
        refuse("invalid_metadata")
    if set(features) - {"damped_mean"}:
        refuse("unsupported_feature")


def check_metadata(values: dict[str, str], file: ModelParts) -> None:
    """Check the metadata by section 5."""
    damped = values.get("pooling") == "damped_mean"
    if not {*NEEDED, *(("damping_beta", "damping_dims") if damped else ())} <= set(values):
        refuse("missing_metadata")
    spellings = {
        "dim": INTEGER,
        "prefixes": rf"{INTEGER}(?: {INTEGER})*",
        "normalize": "true|false",
        "pooling": "mean|damped_mean",
        "digest": "sha256:[0-9a-f]{64}",
        "vectors_digest": "sha256:[0-9a-f]{64}",
        "max_tokens": INTEGER,
        "unknown_token_id": INTEGER,
        "languages": LIST,
    }
    if damped:
        spellings |= {"damping_beta": NUMBER, "damping_dims": INTEGER}
    elif "damping_beta" in values or "damping_dims" in values:
        refuse("inconsistent_metadata")
    for key, spelling in spellings.items():
        if key in values and not re.fullmatch(spelling, values[key]):
            refuse("invalid_metadata")
    prefixes = [int(item) for item in values["prefixes"].split(" ")]
    if prefixes[0] < 1 or sorted(set(prefixes)) != prefixes:
        refuse("invalid_metadata")
    dim = file.shape[1]
    if (
        int(values["dim"]) != dim
        or prefixes[-1] != dim
        or (values["features"] == "damped_mean") != damped
    ):
        refuse("inconsistent_metadata")
    if damped and (
        float(values["damping_beta"]) > 16 or not 1 <= int(values["damping_dims"]) <= dim
    ):
        refuse("invalid_metadata")
    if not 1 <= int(values.get("max_tokens", 1)) < 2**31:
        refuse("invalid_metadata")
    if int(values.get("unknown_token_id", 0)) >= file.n_token_ids:
        refuse("invalid_metadata")
    prompts_of(values)


def texts_of(text: str) -> dict[str, str]:
    """Parse texts by name, and check their spelling (section 5)."""
    code = "invalid_metadata"
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        refuse(code)
    if not isinstance(members, dict) or not all(type(v) is str for v in members.values()):
        refuse(code)
    spelled = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if spelled != text:
        refuse(code)
    return members


def prompts_of(values: dict[str, str]) -> dict[str, str]:
    """Parse the prompts (section 5)."""
    members, code = texts_of(values.get("prompts", "{}")), "invalid_metadata"
    if len(members) > MAX_PROMPTS:
        refuse(code)
    for name, prompt in members.items():
        if not 1 <= len(name.encode()) <= MAX_PROMPT_NAME or len(prompt.encode()) > MAX_PROMPT:
            refuse(code)
    return members


def check_values(file: ModelParts) -> None:
    """Read the small tensors and check their values (section 6)."""
    file.scale, file.weights = file.values("scale"), file.values("weights")
    file.rows = file.values("rows")
    if file.rows and (min(file.rows) < 0 or max(file.rows) >= file.shape[0]):
        refuse("row_out_of_range")
    if not all(map(math.isfinite, (file.scale or ()) + (file.weights or ()))):
        refuse("value_not_finite")
    if file.scale and min(file.scale) <= 0:
        refuse("scale_not_positive")


def verify(file: ModelParts) -> None:
    """Make the deferred checks of section 3."""
    dtype = file.tensors["embeddings"]["dtype"]
    if dtype != "I8":
        table = struct.iter_unpack("<" + FORMATS[dtype], file.bytes_of("embeddings"))
        if not all(math.isfinite(x) for (x,) in table):
            refuse("value_not_finite")
    digits = file.metadata["digest"].removeprefix("sha256:").encode()
    head = file.raw[: file.start]
    blank = head.replace(digits, b"0" * 64) + file.raw[file.start :]
    if head.count(digits) != 1 or hashlib.sha256(blank).hexdigest().encode() != digits:
        refuse("digest_mismatch")
    sha = hashlib.sha256(b"staticemb 1\n")
    for key in DECISIVE_KEYS:
        if key in file.metadata:
            sha.update(f"{key} {file.metadata[key]}\n".encode())
    for name in sorted(file.tensors.keys() & ALLOWED):
        entry = file.tensors[name]
        sha.update(" ".join([name, entry["dtype"], *map(str, entry["shape"])]).encode() + b"\n")
        sha.update(file.bytes_of(name))
    if f"sha256:{sha.hexdigest()}" != file.metadata["vectors_digest"]:
        refuse("vectors_digest_mismatch")
    check_tokenizer(file.bytes_of("tokenizer"), file.n_token_ids)
    if "pieces.definition" in file.tensors and not right_pieces(file):
        file.refused = ("pieces",)
    if "space" in file.metadata and space_of(file) is None:
        file.refused += ("space",)
    for key in sorted(file.metadata):
        if re.fullmatch(HEAD_KEY, key) and head_of(file, key.removeprefix("head.")) is None:
            file.refused += (key,)


@dataclass
class Space:
    """The part `space`: the teacher's dimension, its tensors, and who embeds documents."""

    dimension: int
    documents: str
    projection: tuple[float, ...]
    offset: tuple[float, ...]


def space_of(file: ModelParts) -> Space | None:
    """Read the part `space` (section 6.3); None if the file has none, or a malformed one."""
    try:
        members = texts_of(file.metadata.get("space", ""))
    except Refused:
        return None
    spelled, documents = members.get("dimension", ""), members.get("documents", "")
    if not members.get("teacher") or documents not in ("table", "teacher"):
        return None
    if not re.fullmatch(INTEGER, spelled) or not 1 <= int(spelled) <= 65_536:
        return None
    height = int(spelled)
    values: dict[str, tuple[float, ...]] = {}
    shapes = {"projection": [height, file.shape[1]], "offset": [height], "probes": [8, height]}
    for label, shape in shapes.items():
        entry = file.tensors.get(f"space.{label}")
        if entry is not None:
            if entry["dtype"] != "F32" or entry["shape"] != shape:
                return None
            letters = f"<{math.prod(shape)}f"
            values[label] = struct.unpack(letters, file.bytes_of(f"space.{label}"))
    projection, offset = values.get("projection", ()), values.get("offset", (0.0,) * height)
    if not any(projection) or not all(abs(x) <= 1 for x in offset):
        return None
    if not all(x == 0 or 2.0**-60 <= abs(x) <= 2.0**60 for x in projection):
        return None
    probes = values.get("probes", ())
    lengths = [math.hypot(*probes[i : i + height]) for i in range(0, len(probes), height)]
    if not all(abs(length - 1) <= 1e-3 for length in lengths):
        return None
    return Space(height, documents, projection, offset)


def project(file: ModelParts, vector: tuple[float, ...], request: dict[str, Any]) -> list[float]:
    """Turn a vector of the teacher into a vector of the file (section 6.3)."""
    space, dim = space_of(file), file.shape[1]
    if space is None:
        refuse("request_space_missing")
    if len(vector) != space.dimension or not all(map(math.isfinite, vector)):
        refuse("request_vector_invalid")
    length = request.get("dim", dim)
    if not 1 <= length <= dim:
        refuse("request_dim_out_of_range")
    norm = math.hypot(*vector)
    if not norm:
        return [0.0] * length
    unit = [y / norm - o for y, o in zip(vector, space.offset, strict=True)]
    columns = [space.projection[j::dim] for j in range(length)]
    projected = [math.fsum(map(mul, unit, column)) for column in columns]
    if request.get("normalize", file.metadata["normalize"] == "true"):
        norm = math.hypot(*projected)
        projected = [x / norm for x in projected] if norm else projected
    return projected


@dataclass
class Head:
    """A part `head`: its members, and for each layer its columns, weights and biases."""

    members: dict[str, str]
    layers: list[tuple[int, list[float], tuple[float, ...]]]
    labels: list[str]
    thresholds: tuple[float, ...]


def head_of(file: ModelParts, name: str) -> Head | None:
    """Read a part `head` (section 6.4); None if the file has none, or a malformed one."""
    if not re.fullmatch(HEAD_KEY, f"head.{name}"):
        return None
    try:
        members = texts_of(file.metadata.get(f"head.{name}", ""))
    except Refused:
        return None
    poolings = ("mean", file.metadata["pooling"])
    if members.get("kind") not in ("softmax", "sigmoid", "linear"):
        return None
    if members.get("normalize") not in ("true", "false"):
        return None
    if members.get("pooling", "mean") not in poolings:
        return None
    if "temperature" in members:
        spelled = members["temperature"]
        if members["kind"] == "linear" or not re.fullmatch(NUMBER, spelled):
            return None
        if not 1e-6 <= float(spelled) <= 1e6:
            return None
    if len(members.get("prompt", "").encode()) > MAX_PROMPT:
        return None
    tensors = {label: file.tensors.get(f"head.{name}.{label}") for label in HEAD_TENSORS}
    entries = {label: entry for label, entry in tensors.items() if entry is not None}
    if any(entry["dtype"] not in HEAD_TENSORS[label] for label, entry in entries.items()):
        return None

    def values(label: str) -> tuple[Any, ...]:
        shape, dtype = entries[label]["shape"], entries[label]["dtype"]
        letters = f"<{math.prod(shape)}{FORMATS[dtype]}"
        return struct.unpack(letters, file.bytes_of(f"head.{name}.{label}"))

    layers = []
    width, exact = file.shape[1], False
    if "hidden-weights" not in entries and entries.keys() & {"hidden-scale", "hidden-bias"}:
        return None
    for prefix in ("hidden-", "") if "hidden-weights" in entries else ("",):
        entry = entries.get(f"{prefix}weights")
        if entry is None or len(entry["shape"]) != 2 or entry["shape"][0] > MAX_OUTPUTS:
            return None
        count, columns = entry["shape"]
        if columns > width or (exact and columns != width):
            return None
        quantized = entry["dtype"] == "I8"
        if quantized != (f"{prefix}scale" in entries):
            return None
        for label in (f"{prefix}bias", *((f"{prefix}scale",) if quantized else ())):
            if label not in entries or entries[label]["shape"] != [count]:
                return None
        scale = values(f"{prefix}scale") if quantized else (1.0,) * count
        bias, stored = values(f"{prefix}bias"), values(f"{prefix}weights")
        floats = (scale, bias) if quantized else (bias, stored)
        if not all(abs(x) <= 2**30 for numbers in floats for x in numbers) or min(scale) <= 0:
            return None
        weights = [scale[i // columns] * x for i, x in enumerate(stored)]
        layers.append((columns, weights, bias))
        width, exact = count, True
    if members["kind"] == "softmax" and width < 2:
        return None
    if "label-ends" not in entries or entries["label-ends"]["shape"] != [width]:
        return None
    ends = values("label-ends")
    begins = (0, *ends[:-1])
    lengths = [end - begin for begin, end in zip(begins, ends, strict=True)]
    if not all(1 <= length <= MAX_LABEL for length in lengths):
        return None
    if "labels" not in entries or entries["labels"]["shape"] != [ends[-1]]:
        return None
    octets = file.bytes_of(f"head.{name}.labels")
    try:
        labels = [octets[begin:end].decode() for begin, end in zip(begins, ends, strict=True)]
    except UnicodeDecodeError:
        return None
    thresholds = (0.5,) * width
    if "thresholds" in entries:
        if members["kind"] != "sigmoid" or entries["thresholds"]["shape"] != [width]:
            return None
        thresholds = values("thresholds")
    if len(set(labels)) != width or not all(0 <= x <= 1 for x in thresholds):
        return None
    return Head(members, layers, labels, thresholds)


def classify(
    file: ModelParts, tokens: list[int], request: dict[str, Any]
) -> tuple[list[float], list[str]]:
    """Compute the scores, or logits, and the answer of a head (section 6.4)."""
    head = head_of(file, request["head"])
    if head is None:
        refuse("request_head_missing")
    members = head.members
    asked: dict[str, Any] = {
        "dim": head.layers[0][0],
        "normalize": members["normalize"] == "true",
        "pooling": members.get("pooling", file.metadata["pooling"]),
    }
    vector = embed(file, tokens, asked)
    for at, (columns, weights, biases) in enumerate(head.layers):
        if at:
            vector = [max(0.0, x) for x in vector]
        rows = [weights[i : i + columns] for i in range(0, len(weights), columns)]
        vector = [
            math.fsum(map(mul, row, vector)) + bias for row, bias in zip(rows, biases, strict=True)
        ]
    if members["kind"] == "linear":
        return vector, head.labels
    warmth, most = float(members.get("temperature", "1")), max(vector)
    if members["kind"] == "softmax":
        powers = [math.exp((z - most) / warmth) for z in vector]
        scores = [power / math.fsum(powers) for power in powers]
        labels = [head.labels[scores.index(max(scores))]]
    else:
        scores = [sigmoid(z / warmth) for z in vector]
        above = zip(head.labels, scores, head.thresholds, strict=True)
        labels = [label for label, p, threshold in above if p > threshold]
    return (vector if request.get("output") == "logits" else scores), labels


def sigmoid(z: float) -> float:
    """Compute the logistic function without overflow."""
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def right_pieces(file: ModelParts) -> bool:
    """Compute the part `pieces` from the tokenizer, and compare (section 6.2)."""
    dtypes = {"definition": "U8", "text": "U8", "ends": "U32", "scores": "F64", "slots": "U64"}
    entries = {name: file.tensors.get(f"pieces.{name}") for name in dtypes}
    if any(e is None or e["dtype"] != dtypes[n] for n, e in entries.items()):
        return False
    members = json.loads(file.bytes_of("tokenizer"), parse_int=Number, parse_float=Number)
    vocabulary = members["model"]["vocab"]
    if not isinstance(vocabulary, list) or len(vocabulary) >= 2**24:
        return False
    try:
        pieces = [piece.encode() for piece, _ in vocabulary]
    except (ValueError, TypeError, AttributeError):
        return False  # no piece and score, or half a surrogate pair
    if not all(type(number) is Number for _, number in vocabulary):
        return False
    if max(map(len, pieces)) > 255 or file.tensors["pieces.definition"]["shape"][0] > 2**24:
        return False
    members["model"]["vocab"] = []
    try:
        given = json.loads(file.bytes_of("pieces.definition"), parse_int=Number, parse_float=Number)
    except (ValueError, RecursionError):
        return False
    table, scores = hash_table(pieces), [score(number) for _, number in vocabulary]
    if table is None or not all(map(math.isfinite, scores)) or not equal_json(members, given):
        return False
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    expected = {
        "text": b"".join(pieces),
        "ends": struct.pack(f"<{len(pieces)}I", *ends[1:]),
        "scores": struct.pack(f"<{len(pieces)}d", *scores),
        "slots": struct.pack(f"<{len(table)}Q", *table),
    }
    return all(
        len(file.tensors[f"pieces.{name}"]["shape"]) == 1
        and file.bytes_of(f"pieces.{name}") == data
        for name, data in expected.items()
    )


def equal_json(a: object, b: object) -> bool:
    """Tell whether two JSON values are equal; numbers as binary64 values."""
    if isinstance(a, Number) and isinstance(b, Number):
        return float(a) == float(b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal_json(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal_json, a, b))
    return a == b


def score(number: str) -> float:
    """Compute a score from its spelling (section 6.2)."""
    sign, whole, point, exponent = re.fullmatch(  # type: ignore[union-attr]
        r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?", number
    ).groups()
    n, e, full = 0, int(exponent or 0), False
    for at, digit in enumerate(whole + (point or "")):
        full = full or n * 10 + int(digit) >= 2**64
        if not full:
            n = n * 10 + int(digit)
            e -= at >= len(whole)
        else:
            e += at < len(whole)
    value = float(n)
    while e < -308 and value != 0:
        value, e = value / 1e308, e + 308
    if value != 0:
        value = value * float(f"1e{e}") if e >= 0 else value / float(f"1e{-e}")
    return -value if sign else value


def hash_table(pieces: list[bytes]) -> list[int] | None:
    """Compute the hash table from piece to id; None if an entry is too far from its home."""
    entries = []
    for piece, token_id in {piece: i for i, piece in enumerate(pieces) if piece}.items():
        h = 0
        for byte in piece:
            h = (h * 0x9E3779B97F4A7C15 + byte + 1) % 2**64
        entries.append(((h ^ h >> 32) * 0xBF58476D1CE4E5B9 % 2**64, token_id))
    bits = max(0, 2 * len(entries) - 1).bit_length()
    table, place = [0] * (2**bits + 64), -1
    for t, token_id in sorted(entries):
        home = t >> (64 - bits)
        place = max(home, place + 1)
        if place - home > 63:
            return None
        table[place] = t - t % 2**24 + token_id + 1
    return table


def check_tokenizer(definition: bytes, n_token_ids: int) -> None:
    """Check a tokenizer by section 7."""
    try:
        text = definition.decode("utf-8")
    except UnicodeDecodeError:
        refuse("tokenizer_not_utf8")

    def constant(spelling: str) -> NoReturn:
        refuse("tokenizer_not_json")

    try:
        members = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=constant)
    except (ValueError, RecursionError):
        refuse("tokenizer_not_json")
    if not isinstance(members, dict):
        refuse("tokenizer_not_json")
    model, added = members.get("model"), members.get("added_tokens")
    added = [] if added is None else added
    kind = model_type(model) if isinstance(model, dict) else None
    if kind not in ("WordPiece", "BPE", "Unigram", "WordLevel") or not isinstance(added, list):
        refuse("tokenizer_invalid")
    assert isinstance(model, dict)
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, list if kind == "Unigram" else dict):
        refuse("tokenizer_invalid")
    ids: list[Any] = [token.get("id") if isinstance(token, dict) else None for token in added]
    if isinstance(vocabulary, dict):
        ids += vocabulary.values()
    else:
        ids.append(Number(max(0, len(vocabulary) - 1)))
    if not all(type(i) is Number and re.fullmatch("0|-?[1-9][0-9]*", i) for i in ids):
        refuse("tokenizer_invalid")
    if not all(0 <= int(i) < n_token_ids for i in ids):
        refuse("token_id_out_of_range")
    if isinstance(vocabulary, list):
        unknown = model.get("unk_id")
        whole = type(unknown) is Number and re.fullmatch("0|-?[1-9][0-9]*", unknown)
        lacking = not whole or not 0 <= int(unknown) < len(vocabulary)
    else:
        unknown = model.get("unk_token")
        lacking = kind != "BPE" and (type(unknown) is not str or unknown not in vocabulary)
    if lacking:
        refuse("tokenizer_invalid")


def model_type(model: dict[str, Any]) -> object:
    """Return a model's type; if the type is missing, infer it from the other members."""
    if "type" in model:
        return model["type"]
    if isinstance(model.get("vocab"), list):
        return "Unigram"
    if "merges" in model:
        return "BPE"
    if {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word"} <= model.keys():
        return "WordPiece"
    return "WordLevel" if "unk_token" in model else None


def embed(file: ModelParts, tokens: list[int], request: dict[str, Any]) -> list[float]:
    """Compute stages 2 to 7 of section 8, unless the text is a document of the teacher (6.3)."""
    dim = file.shape[1]
    length = request.get("dim", dim)
    if not 1 <= length <= dim:
        refuse("request_dim_out_of_range")
    if not all(0 <= t < file.n_token_ids for t in tokens):
        refuse("request_token_out_of_range")
    if request.get("kind") == "document":
        space = space_of(file)
        if space is not None and space.documents == "teacher":
            refuse("request_query_only")
    unknown = int(file.metadata.get("unknown_token_id", -1))
    kept = [t for t in tokens if t != unknown][: int(file.metadata.get("max_tokens", 2**31))]
    if not kept:
        return [0.0] * length
    known = {token: row_of(file, token) for token in set(kept)}
    rows = [known[token] for token in kept]
    factors = [1.0] * len(rows)
    if request.get("pooling", file.metadata["pooling"]) == "damped_mean":
        beta, k = float(file.metadata["damping_beta"]), int(file.metadata["damping_dims"])
        mean = [math.fsum(column) / len(rows) for column in list(zip(*rows, strict=True))[:k]]
        factors = [math.exp(-beta * cosine(row[:k], mean)) for row in rows]
    total = math.fsum(factors)
    columns = list(zip(*rows, strict=True))[:length]
    vector = [
        math.fsum(a * x for a, x in zip(factors, column, strict=True)) / total for column in columns
    ]
    if request.get("normalize", file.metadata["normalize"] == "true"):
        norm = math.hypot(*vector)
        vector = [x / norm for x in vector] if norm else vector
    return vector


def row_of(file: ModelParts, token: int) -> list[float]:
    """Compute stage 4 of section 8."""
    row = file.rows[token] if file.rows else token
    entry, dim = file.tensors["embeddings"], file.shape[1]
    letters = f"<{dim}{FORMATS[entry['dtype']]}"
    at = file.start + entry["data_offsets"][0] + row * struct.calcsize(letters)
    values = struct.unpack_from(letters, file.raw, at)
    weight = file.weights[token] if file.weights else 1.0
    scale = file.scale or (1.0,) * dim
    return [weight * (s * x) for s, x in zip(scale, values, strict=True)]


def cosine(a: list[float], b: list[float]) -> float:
    """Compute the cosine; 0 if a vector has length 0."""
    long_a, long_b = math.hypot(*a), math.hypot(*b)
    if not long_a or not long_b:
        return 0.0
    return math.fsum(x / long_a * (y / long_b) for x, y in zip(a, b, strict=True))


def parts(file: ModelParts) -> dict[str, Any]:
    """Return the parts of a file as the protocol requires them."""
    values = file.metadata
    known = "pieces.definition" in file.tensors or "space" in values
    known = known or any(re.fullmatch(HEAD_KEY, key) for key in values)

    def number(key: str, kind: type) -> float | int | None:
        return kind(values[key]) if key in values else None

    return {
        "format_version": values["format_version"],
        "features": values["features"].split(),
        "dim": file.shape[1],
        "prefixes": [int(item) for item in values["prefixes"].split(" ")],
        "normalize": values["normalize"] == "true",
        "pooling": values["pooling"],
        "damping_beta": number("damping_beta", float),
        "damping_dims": number("damping_dims", int),
        "max_tokens": number("max_tokens", int),
        "unknown_token_id": number("unknown_token_id", int),
        "strings": {k: v for k, v in values.items() if k in STRINGS or k.startswith("x-")},
        "prompts": prompts_of(values),
        "tensors": {name: described(file, name) for name in file.tensors if name in ALLOWED},
        "optional": {name: described(file, name) for name in file.tensors if name not in ALLOWED},
        **({"refused": list(file.refused)} if known else {}),
    }


def described(file: ModelParts, name: str) -> dict[str, Any]:
    """Return a tensor's dtype, shape and digest."""
    entry = file.tensors[name]
    digest = hashlib.sha256(file.bytes_of(name)).hexdigest()
    return {"dtype": entry["dtype"], "shape": entry["shape"], "sha256": digest}


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """Compute the answer to a message of the protocol (README.md)."""
    if message["op"] == "start":
        classes = ["reader", "pooler", "projector", "classifier"]
        return {"protocol": 1, "implementation": "minimal.py", "classes": classes}
    try:
        file = open_file(message["file"])
        if message["class"] == "reader":
            if message["verify"]:
                verify(file)
            return {"id": message["id"], "result": {"parts": parts(file)}}
        if message["class"] == "projector" and "vector" in message:
            packed = bytes.fromhex(message["vector"])
            given = struct.unpack(f"<{len(packed) // 4}f", packed)
            vector = project(file, given, message["request"])
            packed = struct.pack(f"<{len(vector)}f", *vector)
            return {"id": message["id"], "result": {"vector": packed.hex()}}
        if message["class"] == "classifier":
            scores, labels = classify(file, message["tokens"], message["request"])
            packed = struct.pack(f"<{len(scores)}f", *scores)
            result = {"vector": packed.hex(), "labels": labels}
            return {"id": message["id"], "result": result}
        if message["class"] in ("pooler", "projector"):
            vector = embed(file, message["tokens"], message["request"])
            packed = struct.pack(f"<{len(vector)}f", *vector)
            return {"id": message["id"], "result": {"vector": packed.hex()}}
    except Refused as refusal:
        return {"id": message["id"], "rejected": {"code": refusal.code}}
    return {"id": message["id"], "skipped": {"why": f"no class {message['class']}"}}


def main() -> None:
    """Answer each line of standard input with a line on standard output."""
    for line in sys.stdin:
        message = json.loads(line)
        if message["op"] == "stop":
            break
        print(json.dumps(answer(message)), flush=True)


if __name__ == "__main__":
    main()
