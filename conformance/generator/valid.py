"""How right files are described, and what is expected of reading and using one."""

from __future__ import annotations

import hashlib
import json
import random
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
    """A right file and its cases, each (name, members of the case without its expectation).

    `refused`: the optional parts that full verification refuses.
    """

    name: str
    notes: str
    file: File
    cases: list[dict[str, Any]]
    refused: list[str] = field(default_factory=list)


def metadata(dim: int, **settings: str) -> dict[str, str]:
    """Metadata of a file of plain pooling, with changes; `damping="1 4"` sets β and k."""
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
    """Numbers that binary16 holds exactly."""
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
    """A right file of drawn numbers, or of those given."""
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
    """The file with optional tensors, aligned by spaces behind the tokenizer (SPEC 6.1, 11).

    Args:
        made: a file without any.
        tensors: the optional ones.
        keys: more metadata, `_0_` for a dot.
    """
    definition = made.tensors["tokenizer"].data
    before = sum(len(each.data) for each in made.tensors.values())
    made.tensors["tokenizer"] = octets(definition + b" " * (-before % 64))
    made.order = [*_by_size(made.tensors), *_by_size(tensors)]
    made.tensors |= tensors
    made.metadata |= {key.replace("_0_", "."): value for key, value in keys.items()}
    return made


def octets(data: bytes) -> Tensor:
    """A tensor of bytes, as the tokenizer is."""
    return Tensor("U8", (len(data),), data)


def run(name: str, tokens: Sequence[int] | None = None, **more: object) -> dict[str, Any]:
    """A case of the pooler; `runs` in place of `tokens` holds pairs of an id and its count."""
    request = {key: more.pop(key) for key in ("dim", "pooling", "normalize") if key in more}
    case = {"name": name} | ({} if tokens is None else {"tokens": list(tokens)}) | more
    return case | {"request": request}


def parts(file: File) -> dict[str, Any]:
    """What a reader gives of a file."""
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


def cases(valid: Valid) -> Iterator[dict[str, Any]]:
    """All cases of a file: the reading of it, then its vectors."""
    prefix = f"valid/{valid.name}"
    given = parts(valid.file)
    if "pieces.definition" in valid.file.tensors:
        given["refused"] = valid.refused
    yield {"id": f"{prefix}/read", "class": "reader", "flags": [], "parts": given}
    reference = Reference(valid.file)
    for case in valid.cases:
        tokens = case.get("tokens")
        if tokens is None:
            tokens = [token for token, count in case["runs"] for _ in range(count)]
        expected = reference.embed(tokens, case["request"])
        given: dict[str, Any] = {
            key: case[key] for key in ("text", "tokens", "runs") if key in case
        }
        yield {
            "id": f"{prefix}/{case['name']}",
            "class": "text" if "text" in case else "pooler",
            "flags": case.get("flags", [])
            + (["ill-conditioned"] if expected.ill_conditioned else []),
            **given,
            "request": case["request"],
            **expected.members(),
        }
