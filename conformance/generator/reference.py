"""Compute vectors from token ids in binary64, each with its tolerance (SPEC 8 and 9)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from generator.files import File

ILL_CONDITIONED = 1e-3


@dataclass(frozen=True)
class Expected:
    """A vector and its tolerance."""

    vector: list[float]
    tolerance: float

    @property
    def ill_conditioned(self) -> bool:
        """Whether the tolerance is large compared with the result."""
        return self.tolerance > ILL_CONDITIONED * max(map(abs, self.vector))

    def members(self) -> dict[str, Any]:
        """Return the members `expected` and `tolerance` of a case."""
        packed = struct.pack(f"<{len(self.vector)}f", *self.vector)
        rounded = struct.unpack(f"<{len(self.vector)}f", packed)
        return {
            "expected": {"hex": packed.hex(), "decimal": [float(f"{x:.9g}") for x in rounded]},
            "tolerance": float(f"{self.tolerance:.3g}"),
        }


class Reference:
    """The stages of section 8 for one file, in binary64 with exactly rounded sums.

    Args:
        file: a valid file.
    """

    def __init__(self, file: File) -> None:
        self.metadata = file.metadata
        table = file.tensors["embeddings"]
        self.n_rows, self.dim = table.shape
        self._table = table.values()
        values = {name: tensor.values() for name, tensor in file.tensors.items()}
        self._scale = values.get("scale", [1.0] * self.dim)
        self._rows = values.get("rows", range(self.n_rows))
        self._weights = values.get("weights", [1.0] * len(self._rows))
        self._space = {name: values.get(name, []) for name in ("space.projection", "space.offset")}

    def kept(self, tokens: Sequence[int]) -> list[int]:
        """Drop unknown ids and truncate (stages 2 and 3)."""
        unknown = self.metadata.get("unknown_token_id")
        ids = [t for t in tokens if unknown is None or t != int(unknown)]
        return ids[: int(self.metadata.get("max_tokens", len(ids)))]

    def row(self, token: int) -> list[float]:
        """Return a token's row with scale and weight applied (stage 4)."""
        begin = self._rows[token] * self.dim
        row = self._table[begin : begin + self.dim]
        return [
            self._weights[token] * (s * x) if x else 0.0
            for s, x in zip(self._scale, row, strict=True)
        ]

    def embed(self, tokens: Sequence[int], request: dict[str, Any]) -> Expected:
        """Compute a request's vector and its tolerance (stages 2 to 7)."""
        length = request.get("dim", self.dim)
        damped = "damped_mean" in (self.metadata["pooling"], request.get("pooling"))
        damped = damped and request.get("pooling") != "mean"
        normalize = request.get("normalize", self.metadata["normalize"] == "true")
        kept = self.kept(tokens)
        if not kept:
            return Expected([0.0] * length, 0.0)
        cache = {token: self.row(token) for token in set(kept)}
        rows = [cache[token] for token in kept]
        factors, condition = [1.0] * len(rows), 0.0
        if damped:
            beta = float(self.metadata["damping_beta"])
            dims = int(self.metadata["damping_dims"])
            factors, kappa = _damping(rows, beta, dims)
            condition = beta * kappa
        total = math.fsum(factors)
        pooled = [
            math.fsum(a * row[j] for a, row in zip(factors, rows, strict=True)) / total
            for j in range(length)
        ]
        size = max(
            math.fsum(a * abs(row[j]) for a, row in zip(factors, rows, strict=True)) / total
            for j in range(length)
        )
        return _finished(pooled, 1e-5 * size * (1 + condition), normalize=normalize)

    def project(self, vector: Sequence[float], request: dict[str, Any]) -> Expected:
        """Compute the vector of a teacher's vector, and its tolerance (SPEC 6.3)."""
        length = request.get("dim", self.dim)
        normalize = request.get("normalize", self.metadata["normalize"] == "true")
        norm = _norm(vector)
        if norm == 0:
            return Expected([0.0] * length, 0.0)
        offset = self._space["space.offset"] or [0.0] * len(vector)
        projection = self._space["space.projection"]
        unit = [y / norm - o for y, o in zip(vector, offset, strict=True)]
        sizes = [abs(y) / norm + abs(o) for y, o in zip(vector, offset, strict=True)]
        columns = [projection[j :: self.dim] for j in range(length)]
        projected = [
            math.fsum(u * p for u, p in zip(unit, column, strict=True)) for column in columns
        ]
        size = max(
            math.fsum(s * abs(p) for s, p in zip(sizes, column, strict=True)) for column in columns
        )
        return _finished(projected, 1e-5 * size, normalize=normalize)


def _finished(vector: list[float], tolerance: float, *, normalize: bool) -> Expected:
    """Normalize a vector that is cut to its prefix (stage 7), and its tolerance (SPEC 9)."""
    if not normalize:
        return Expected(vector, max(tolerance, 1e-30) if any(vector) else 0.0)
    norm = _norm(vector)
    if norm == 0:
        return Expected(vector, 0.0)
    return Expected([x / norm for x in vector], tolerance / norm + 1e-6)


def _damping(rows: list[list[float]], beta: float, dims: int) -> tuple[list[float], float]:
    """Compute the factors a_i of section 8, and κ of section 9."""
    heads = [row[:dims] for row in rows]
    mean = [math.fsum(column) / len(rows) for column in zip(*heads, strict=True)]
    length = _norm(mean)
    lengths = [_norm(head) for head in heads]
    if length == 0:
        return [1.0] * len(rows), 1.0
    unit = [x / length for x in mean]
    cosines = [
        math.fsum(x / size * u for x, u in zip(head, unit, strict=True)) if size else 0.0
        for head, size in zip(heads, lengths, strict=True)
    ]
    return [math.exp(-beta * c) for c in cosines], max(1.0, math.fsum(lengths) / len(rows) / length)


def _norm(vector: Sequence[float]) -> float:
    """Compute the length of a vector, scaled so that no square overflows."""
    largest = max(map(abs, vector))
    if largest == 0:
        return 0.0
    return largest * math.sqrt(math.fsum((x / largest) ** 2 for x in vector))
