"""Create valid files and their cases, with the expected parts and vectors."""

from __future__ import annotations

import hashlib
import json
import random
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from generator.files import RIGHT, VECTOR_TENSORS, ZEROS, File, Tensor, tensor, word_tokenizer
from generator.reference import Reference

STRINGS = (
    "teacher",
    "teacher_revision",
    "license",
    "languages",
    "recipe",
    "creator",
    "description",
)


@dataclass
class Valid:
    """A valid file and its cases.

    Attributes:
        name: the file's name.
        notes: the subject of the cases in words.
        file: the file.
        cases: the members of each case, without the expected vector; see `run`.
        refused: the optional parts that full verification refuses.
    """

    name: str
    notes: str
    file: File
    cases: list[dict[str, Any]]
    refused: list[str] = field(default_factory=list)


def metadata(dim: int, **settings: str) -> dict[str, str]:
    """Return the metadata of a file with plain pooling, with changes.

    Args:
        dim: D.
        settings: keys and values to add or replace. `__` in a key becomes a dash, and
            `damping="1 4"` sets damped pooling with β = 1 and k = 4.
    """
    values = {
        "format": "staticemb",
        "format_version": "1.0",
        "features": "",
        "dim": str(dim),
        "prefixes": str(dim),
        "normalize": "true",
        "pooling": "mean",
        "digest": f"sha256:{ZEROS}",
        "vectors_digest": RIGHT,
    }
    if damping := settings.pop("damping", None):
        beta, dims = damping.split()
        values |= {"pooling": "damped_mean", "features": "damped_mean"}
        values |= {"damping_beta": beta, "damping_dims": dims}
    return values | {key.replace("__", "-"): value for key, value in settings.items()}


def numbers(seed: str, count: int) -> list[float]:
    """Draw numbers that binary16 holds exactly."""
    draw = random.Random(seed)
    return [draw.randrange(-512, 513) / 64 for _ in range(count)]


def file(
    seed: str,
    dtype: str = "F32",
    n_rows: int = 8,
    dim: int = 6,
    rows: tuple[str, Sequence[int]] | None = None,
    weights: Sequence[float] | None = None,
    table: Sequence[float] | None = None,
    scale: Sequence[float] | None = None,
    **settings: str,
) -> File:
    """Create a valid file; a table and a scale that are not given are drawn.

    Args:
        seed: the seed of the drawn numbers.
        dtype: the table's dtype.
        n_rows: R.
        dim: D.
        rows: the dtype and the elements of the row map; None: no row map.
        weights: one weight per token id; None: no weights.
        table: the R × D elements; None: drawn.
        scale: the D elements; None: drawn for I8.
        settings: changes of the metadata, as `metadata` takes them.
    """
    if dtype == "I8":
        draw = random.Random(seed)
        values: Sequence[float] = [draw.randrange(-128, 128) for _ in range(n_rows * dim)]
        scale = scale or [draw.randrange(1, 64) / 1024 for _ in range(dim)]
    else:
        values = numbers(seed, n_rows * dim)
    tensors = {"embeddings": tensor(dtype, table or values, n_rows, dim)}
    if dtype == "I8" and scale:
        tensors["scale"] = tensor("F32", scale)
    if rows:
        tensors["rows"] = tensor(rows[0], rows[1])
    if weights:
        tensors["weights"] = tensor("F32", weights)
    tensors["tokenizer"] = octets(word_tokenizer(len(rows[1]) if rows else n_rows))
    return File(metadata(dim, **settings), tensors)


def _by_size(tensors: dict[str, Tensor]) -> list[str]:
    return sorted(tensors, key=lambda name: (-tensors[name].item_bytes, name))


def with_optional(made: File, tensors: dict[str, Tensor], **keys: str) -> File:
    """Add optional tensors; spaces after the tokenizer align them (SPEC 6.1 and 11).

    Args:
        made: a file without optional tensors, which is changed.
        tensors: the optional tensors.
        keys: metadata to add; `_0_` in a key becomes a dot.
    """
    definition = made.tensors["tokenizer"].data
    before = sum(len(each.data) for each in made.tensors.values())
    made.tensors["tokenizer"] = octets(definition + b" " * (-before % 64))
    made.order = [*_by_size(made.tensors), *_by_size(tensors)]
    made.tensors |= tensors
    made.metadata |= {key.replace("_0_", "."): value for key, value in keys.items()}
    return made


def octets(data: bytes) -> Tensor:
    """Create a tensor of U8, the dtype of the tokenizer."""
    return Tensor("U8", (len(data),), data)


def run(name: str, tokens: Sequence[int] | None = None, **more: object) -> dict[str, Any]:
    """Return the members of a pooler's case.

    Args:
        name: the case's name.
        tokens: token ids; None: `runs` has them.
        more: `dim`, `pooling` and `normalize` of the request, and further members of the case,
            such as `runs`: pairs of an id and its count.
    """
    request = {key: more.pop(key) for key in ("dim", "pooling", "normalize") if key in more}
    case = {"name": name} | ({} if tokens is None else {"tokens": list(tokens)}) | more
    return case | {"request": request}


def parts(file: File) -> dict[str, Any]:
    """Return the parts that a reader must give for a file."""
    values = file.metadata
    optional: dict[str, Any] = {
        key: int(values[key]) if key in values else None
        for key in ("damping_dims", "max_tokens", "unknown_token_id")
    }
    beta = values.get("damping_beta")
    return {
        "format_version": values["format_version"],
        "features": values["features"].split(),
        "dim": int(values["dim"]),
        "prefixes": [int(item) for item in values["prefixes"].split()],
        "normalize": values["normalize"] == "true",
        "pooling": values["pooling"],
        "damping_beta": None if beta is None else float(beta),
        **optional,
        "strings": {
            key: value
            for key, value in sorted(values.items())
            if key in STRINGS or key.startswith("x-")
        },
        "prompts": json.loads(values.get("prompts", "{}")),
        "tensors": _described({n: t for n, t in file.tensors.items() if n in VECTOR_TENSORS}),
        "optional": _described({n: t for n, t in file.tensors.items() if n not in VECTOR_TENSORS}),
    }


def _described(tensors: dict[str, Tensor]) -> dict[str, Any]:
    return {
        name: {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "sha256": hashlib.sha256(tensor.data).hexdigest(),
        }
        for name, tensor in sorted(tensors.items())
    }


def knows_part(file: File) -> bool:
    """Tell whether a file has a part that the specification defines."""
    heads = any(re.fullmatch(r"head\.(?!x-)[^.]+", key) for key in file.metadata)
    return heads or "pieces.definition" in file.tensors or "space" in file.metadata


def cases(valid: Valid) -> Iterator[dict[str, Any]]:
    """Yield all cases of a file: first the parts, then the vectors."""
    prefix = f"valid/{valid.name}"
    given = parts(valid.file)
    if knows_part(valid.file):
        given["refused"] = valid.refused
    yield {"id": f"{prefix}/read", "class": "reader", "flags": [], "parts": given}
    reference = Reference(valid.file)
    for case in valid.cases:
        given: dict[str, Any] = {
            key: case[key] for key in ("text", "tokens", "runs") if key in case
        }
        kind = "text" if "text" in case else "pooler"
        if "vector" in case:
            packed = struct.pack(f"<{len(case['vector'])}f", *case["vector"])
            given, kind = {"vector": packed.hex()}, "projector"
            expected = reference.project(case["vector"], case["request"])
        else:
            tokens = case.get("tokens")
            if tokens is None:
                tokens = [token for token, count in case["runs"] for _ in range(count)]
            if "kind" in case["request"]:
                kind = "projector"
            if "head" in case["request"]:
                kind = "classifier"
                expected = reference.classify(tokens, **case["request"])
            else:
                expected = reference.embed(tokens, case["request"])
        yield {
            "id": f"{prefix}/{case['name']}",
            "class": kind,
            "flags": case.get("flags", [])
            + (["ill-conditioned"] if expected.ill_conditioned else []),
            **given,
            "request": case["request"],
            **expected.members(),
        }
