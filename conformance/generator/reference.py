"""Compute vectors from token ids in binary64, each with its tolerance (SPEC 8 and 9)."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generator.files import File, Tensor

ILL_CONDITIONED = 1e-3


@dataclass(frozen=True)
class Expected:
    """A vector or scores, and their tolerance; a head's answer."""

    vector: list[float]
    tolerance: float
    labels: list[str] | None = None

    @property
    def ill_conditioned(self) -> bool:
        """Whether the tolerance is large compared with the result."""
        return self.tolerance > ILL_CONDITIONED * max(map(abs, self.vector))

    def members(self) -> dict[str, Any]:
        """Return the members `expected` and `tolerance` of a case."""
        packed = struct.pack(f"<{len(self.vector)}f", *self.vector)
        rounded = struct.unpack(f"<{len(self.vector)}f", packed)
        labels = {} if self.labels is None else {"labels": self.labels}
        decimal = [float(f"{x:.9g}") for x in rounded]
        return {
            "expected": {"hex": packed.hex(), "decimal": decimal, **labels},
            "tolerance": float(f"{self.tolerance:.3g}"),
        }


class Reference:
    """The stages of section 8 for one file, in binary64 with exactly rounded sums.

    Args:
        file: a valid file.
    """

    def __init__(self, file: File) -> None:
        self.file = file
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

    def classify(self, tokens: Sequence[int], head: str, output: str = "scores") -> Expected:
        """Compute a head's scores or logits, their tolerance, and its answer (SPEC 6.4)."""
        members: dict[str, str] = json.loads(self.metadata[f"head.{head}"])
        tensors = {
            name.removeprefix(f"head.{head}."): tensor
            for name, tensor in self.file.tensors.items()
            if name.startswith(f"head.{head}.")
        }
        prefixes = ["hidden-", ""] if "hidden-weights" in tensors else [""]
        request: dict[str, Any] = {
            "dim": tensors[f"{prefixes[0]}weights"].shape[1],
            "normalize": members["normalize"] == "true",
        }
        if "pooling" in members:
            request["pooling"] = members["pooling"]
        embedded = self.embed(tokens, request)
        values, errors = embedded.vector, [embedded.tolerance] * len(embedded.vector)
        for prefix in prefixes:
            values, errors = _layer(tensors, prefix, values, errors)
            if prefix:
                values = [max(0.0, value) for value in values]
        ends = tensors["label-ends"].values()
        labels = [
            tensors["labels"].data[begin:end].decode()
            for begin, end in zip([0, *ends], ends, strict=False)
        ]
        kind, warmth = members["kind"], float(members.get("temperature", "1"))
        tolerance = max(*errors, 1e-30)
        if kind == "linear" or output == "logits":
            return Expected(values, tolerance, labels if kind == "linear" else None)
        tolerance = min(1.0, tolerance / (2 * warmth) + 1e-6)
        if kind == "softmax":
            powers = [math.exp((value - max(values)) / warmth) for value in values]
            scores = [power / math.fsum(powers) for power in powers]
            best, second = sorted(scores, reverse=True)[:2]
            sure = best - second > 2 * tolerance
            answer = [labels[scores.index(best)]]
        else:
            scores = [_logistic(value / warmth) for value in values]
            limits = [0.5] * len(scores)
            if "thresholds" in tensors:
                limits = tensors["thresholds"].values()
            sure = all(abs(p - at) > tolerance for p, at in zip(scores, limits, strict=True))
            above = zip(labels, scores, limits, strict=True)
            answer = [label for label, p, limit in above if p > limit]
        # Rounding may change a close answer, but not that of the biases alone.
        return Expected(scores, tolerance, answer if sure or not tokens else None)


def _logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def _layer(
    tensors: Mapping[str, Tensor], prefix: str, values: list[float], errors: list[float]
) -> tuple[list[float], list[float]]:
    """Compute a layer of a head, and its tolerances (SPEC 9)."""
    n_rows, width = tensors[f"{prefix}weights"].shape
    stored = tensors[f"{prefix}weights"].values()
    factors = tensors[f"{prefix}scale"].values() if f"{prefix}scale" in tensors else [1.0] * n_rows
    outputs, tolerances = [], []
    for k, bias in enumerate(tensors[f"{prefix}bias"].values()):
        row = [factors[k] * x for x in stored[k * width : (k + 1) * width]]
        summands = [w * y for w, y in zip(row, values, strict=True)]
        outputs.append(math.fsum([*summands, bias]))
        carried = math.fsum(abs(w) * error for w, error in zip(row, errors, strict=True))
        tolerances.append(carried + 1e-5 * (math.fsum(map(abs, summands)) + abs(bias)))
    return outputs, tolerances


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
