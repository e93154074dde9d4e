"""The optional part `head`: classifiers and regressors, as tensors and metadata of a file.

The rules are in conformance/SPEC.md, section 6.4. This module does not import the runtime: writer
and reader are independent implementations.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from .optional_parts import MAX_PROMPT_BYTES
from .writer import spell

if TYPE_CHECKING:
    from collections.abc import Iterable

HeadKind = Literal["softmax", "sigmoid", "linear"]
HeadPrecision = Literal["float32", "int8"]

MAX_OUTPUTS: Final = 65_536
MAX_LABEL_BYTES: Final = 1_024
MAX_WEIGHT: Final = 2.0**30
TEMPERATURES: Final = (1e-6, 1e6)

_NAME: Final = r"(?!x-)[A-Za-z0-9_-]{1,64}"
_STEPS: Final = 127


class Head(NamedTuple):
    """A classifier or regressor on top of a file's vectors.

    Attributes:
        name: Its name in the file: 1 to 64 of A–Z, a–z, 0–9, `_` and `-`, not beginning with `x-`.
        kind: `softmax` for one of K classes, `sigmoid` for each of K labels by itself, `linear` for
            K numbers.
        labels: The K names of the outputs, which differ.
        weights: (K, d) numbers, or (K, Q) after a hidden layer of Q outputs.
        bias: (K,) numbers.
        hidden: The weights, (Q, d), and biases, (Q,), of a layer that ends with max(0, x).
        temperature: The number by which logits are divided before they become probabilities, from
            0.000001 to 1,000,000; 1 with `linear`.
        thresholds: For `sigmoid`, the probability above which each label is given; None: 0.5.
        dimension: d, the length of the vectors that the head reads; None: the file's dimension.
        normalize: Whether the head reads vectors of unit length.
        pooling: The pooling of the vectors; None: the file's.
        prompt: Text to put before each text; None: none.
    """

    name: str
    kind: HeadKind
    labels: tuple[str, ...]
    weights: NDArray[np.floating[Any]]
    bias: NDArray[np.floating[Any]]
    hidden: tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None = None
    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None
    dimension: int | None = None
    normalize: bool = True
    pooling: Literal["mean", "damped_mean"] | None = None
    prompt: str | None = None


def head_parts(
    head: Head, dim: int, *, precision: HeadPrecision = "float32"
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return a head for `Parts.optional` and for `Settings.optional`.

    Args:
        head: The head.
        dim: The file's dimension.
        precision: The number format of the weights. With int8 each row of weights has 255 steps.

    Returns:
        The tensors `head.NAME.…` and the metadata key `head.NAME`.

    Raises:
        OutputError: The head breaks a rule of the specification.

    Example:
        >>> weights = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> tensors, metadata = head_parts(
        ...     Head("spam", "softmax", ("no", "yes"), weights, np.zeros(2)), dim=2
        ... )
        >>> metadata
        {'head.spam': '{"kind":"softmax","normalize":"true"}'}
        >>> sorted(tensors)[:2]
        ['head.spam.bias', 'head.spam.label-ends']
    """
    if not re.fullmatch(_NAME, head.name):
        expected = "names of 1 to 64 letters, digits, _ and -, not beginning with x-"
        raise OutputError(f"head: expected {expected}, found {head.name!r:.80}")
    return _Spelling(head).parts(dim, precision)


class _Spelling:
    """Checks a head, and spells it."""

    def __init__(self, head: Head) -> None:
        self.head = head

    def parts(
        self, dim: int, precision: HeadPrecision
    ) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        head = self.head
        width = dim if head.dimension is None else head.dimension
        self.demand(1 <= width <= dim, "dimension", f"1 to {dim}, the file's dimension", width)
        tensors: dict[str, NDArray[Any]] = {}
        if head.hidden is not None:
            weights, bias = head.hidden
            tensors |= self._layer("hidden-", weights, bias, width, precision)
            width = len(bias)
        tensors |= self._layer("", head.weights, head.bias, width, precision)
        count = len(head.bias)
        kinds = ("softmax", "sigmoid", "linear")
        self.demand(head.kind in kinds, "kind", " or ".join(kinds), repr(head.kind))
        self.demand(head.kind != "softmax" or count > 1, "labels", "at least 2", count)
        tensors |= self._labels(count)
        if head.thresholds is not None:
            thresholds = np.array(head.thresholds, np.float32)
            self.demand(head.kind == "sigmoid", "thresholds", "none", f"some with {head.kind}")
            self.demand(thresholds.shape == (count,), "thresholds", count, len(thresholds))
            legal = bool(((thresholds >= 0) & (thresholds <= 1)).all())
            self.demand(legal, "thresholds", "values from 0 to 1", head.thresholds)
            tensors["thresholds"] = thresholds
        spelled = json.dumps(
            self._members(), ensure_ascii=False, separators=(",", ":"), sort_keys=True
        )
        name = f"head.{head.name}"
        return {f"{name}.{label}": tensor for label, tensor in tensors.items()}, {name: spelled}

    def demand(self, holds: bool, name: str, expected: object, found: object) -> None:
        if not holds:
            reading = f"head {self.head.name!r}: {name}"
            raise OutputError(f"{reading}: expected {expected}, found {found!s:.80}")

    def _members(self) -> dict[str, str]:
        head = self.head
        members = {"kind": head.kind, "normalize": "true" if head.normalize else "false"}
        if head.pooling is not None:
            poolings = ("mean", "damped_mean")
            legal = head.pooling in poolings
            self.demand(legal, "pooling", " or ".join(poolings), repr(head.pooling))
            members["pooling"] = head.pooling
        if head.temperature != 1:
            low, high = TEMPERATURES
            expected = f"{low:f} to {high:.0f}, and 1 with linear"
            legal = head.kind != "linear" and low <= head.temperature <= high
            self.demand(legal, "temperature", expected, head.temperature)
            members["temperature"] = spell(head.temperature)
        if head.prompt:
            size = len(self._encoded("prompt", head.prompt))
            expected = f"at most {MAX_PROMPT_BYTES:,} bytes"
            self.demand(size <= MAX_PROMPT_BYTES, "prompt", expected, size)
            members["prompt"] = head.prompt
        return members

    def _layer(
        self,
        prefix: str,
        weights: NDArray[np.floating[Any]],
        bias: NDArray[np.floating[Any]],
        columns: int,
        precision: HeadPrecision,
    ) -> dict[str, NDArray[Any]]:
        name = f"{prefix}weights"
        shape = (len(bias), columns)
        self.demand(0 < len(bias) <= MAX_OUTPUTS, name, f"1 to {MAX_OUTPUTS:,} rows", len(bias))
        self.demand(weights.shape == shape, name, f"the shape {shape}", weights.shape)
        numbers = {name: np.array(weights, np.float32), f"{prefix}bias": np.array(bias, np.float32)}
        for label, tensor in numbers.items():
            largest = float(np.abs(tensor).max())  # NaN if an element is
            self.demand(largest <= MAX_WEIGHT, label, "magnitudes of at most 2^30", largest)
        if precision == "float32":
            return numbers
        scale = np.abs(numbers[name]).max(axis=1) / _STEPS
        scale[scale < np.finfo(np.float32).tiny] = 1
        steps = np.rint(numbers[name] / scale[:, None]).astype(np.int8)
        return {**numbers, name: steps, f"{prefix}scale": scale}

    def _labels(self, count: int) -> dict[str, NDArray[Any]]:
        labels = self.head.labels
        self.demand(len(labels) == count, "labels", f"{count}, one per row of weights", len(labels))
        encoded = [self._encoded("labels", label) for label in labels]
        for label, octets in zip(labels, encoded, strict=True):
            legal = 0 < len(octets) <= MAX_LABEL_BYTES
            self.demand(legal, "labels", f"1 to {MAX_LABEL_BYTES:,} bytes each", repr(label))
        if len(set(labels)) != count:
            twice = next(label for i, label in enumerate(labels) if label in labels[:i])
            self.demand(False, "labels", "labels that differ", f"{twice!r} twice")
        ends = np.cumsum([len(octets) for octets in encoded], dtype=np.uint32)
        return {"labels": np.frombuffer(b"".join(encoded), np.uint8), "label-ends": ends}

    def _encoded(self, name: str, text: str) -> bytes:
        self.demand(isinstance(text, str), name, "text", repr(text))
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.demand(False, name, "valid Unicode", repr(text))
            raise


def names_of(heads: Iterable[Head]) -> list[str]:
    """Return the names of heads, which must differ.

    Raises:
        OutputError: Two heads have one name.
    """
    names = [head.name for head in heads]
    for name in names:
        if names.count(name) > 1:
            raise OutputError(f"heads: expected names that differ, found {name!r} twice")
    return names
