"""The optional part `head`: classifiers and regressors on top of the vectors (SPEC 6.4).

A head is read and checked when it is first used. A malformed head is refused, and not its file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, cast, get_args

import numpy as np

from ..errors import PartError
from .metadata import MAX_PROMPT_BYTES, NUMBER, Pooling, parse_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .metadata import Metadata
    from .parts import ModelParts

HeadKind = Literal["softmax", "sigmoid", "linear"]
"""One label a text, several labels, or numbers."""

MAX_OUTPUTS: Final = 65_536
MAX_LABEL_BYTES: Final = 1_024
MAX_WEIGHT: Final = 2.0**30  # so that float32 holds the logits of vectors of unit length
TEMPERATURES: Final = (1e-6, 1e6)
HEAD_TENSORS: Final = {
    "weights": ("F32", "I8"),
    "scale": ("F32",),
    "bias": ("F32",),
    "hidden-weights": ("F32", "I8"),
    "hidden-scale": ("F32",),
    "hidden-bias": ("F32",),
    "labels": ("U8",),
    "label-ends": ("U32",),
    "thresholds": ("F32",),
}

_KEY: Final = re.compile(r"head\.(?!x-)([A-Za-z0-9_-]{1,64})")
_DTYPES: Final = {"F32": "float32", "I8": "int8", "U8": "uint8", "U32": "uint32"}
_BLOCK: Final = 1 << 18  # elements that are checked at a time


class Layer(NamedTuple):
    """A linear layer, as views of the mapped file.

    Attributes:
        weights: (K, N) float32, or int8 with a scale.
        scale: (K,) float32, the factor of each row of int8 weights, or None.
        bias: (K,) float32.
    """

    weights: NDArray[Any]
    scale: NDArray[np.float32] | None
    bias: NDArray[np.float32]


class Head(NamedTuple):
    """A classifier or regressor on top of a file's vectors.

    Attributes:
        name: its name in the file.
        kind: `softmax` for one of K classes, `sigmoid` for each of K labels by itself, `linear` for
            K numbers.
        labels: the K names of the outputs, which differ.
        hidden: the hidden layer, which ends with max(0, x); None: none.
        output: the layer that gives the logits, or the numbers.
        thresholds: (K,) the probability above which a label of `sigmoid` is given; None otherwise.
        temperature: the number by which logits are divided before they become probabilities.
        normalize: whether the head reads vectors of unit length.
        pooling: the pooling of the vectors; None: the file's.
        prompt: text to put before each text, or None.
    """

    name: str
    kind: HeadKind
    labels: tuple[str, ...]
    hidden: Layer | None
    output: Layer
    thresholds: NDArray[np.float32] | None
    temperature: float
    normalize: bool
    pooling: Pooling | None
    prompt: str | None

    @property
    def dimension(self) -> int:
        """The length of the vectors that the head reads: a prefix of the file's."""
        return int((self.output if self.hidden is None else self.hidden).weights.shape[1])


def head_names(metadata: Metadata) -> tuple[str, ...]:
    """Return the names of a file's heads, malformed ones included, in ascending order."""
    matches = map(_KEY.fullmatch, sorted(metadata.extra))
    return tuple(match[1] for match in matches if match)


def read_head(file: ModelParts, name: str) -> Head:
    """Read and check a head of a file.

    Args:
        file: the parts of the file.
        name: one of `head_names`.

    Raises:
        PartError: the head is malformed.
    """
    return _Reader(file.optional, f"head.{name}").read(
        name, file.metadata.extra[f"head.{name}"], file.metadata.dim, file.metadata.pooling
    )


class _Reader:
    """Reads the tensors of one head; each method checks sizes before values.

    Args:
        tensors: the optional tensors of the file.
        part: `head.` and the head's name.
    """

    def __init__(self, tensors: Any, part: str) -> None:  # noqa: ANN401 - a mapping of arrays
        self.part = part
        self.tensors = {
            label: tensors[f"{part}.{label}"]
            for label in HEAD_TENSORS
            if f"{part}.{label}" in tensors
        }

    def read(self, name: str, spelling: str, dim: int, pooling: Pooling) -> Head:
        members = self._members(spelling, pooling)
        kind = cast(HeadKind, members["kind"])
        for label, tensor in self.tensors.items():
            dtypes = [_DTYPES[dtype] for dtype in HEAD_TENSORS[label]]
            if tensor.dtype.name not in dtypes:
                self.refuse(label, " or ".join(dtypes), str(tensor.dtype))
        hidden = None
        width = dim
        if "hidden-weights" in self.tensors:
            hidden = self._layer("hidden-", dim, at_most=True)
            width = len(hidden.bias)
        else:
            self._absent("without a hidden layer", "hidden-scale", "hidden-bias")
        output = self._layer("", width, at_most=hidden is None)
        if kind == "softmax" and len(output.bias) < 2:
            self.refuse("weights", "at least 2 rows", "1")
        return Head(
            name=name,
            kind=kind,
            labels=self._labels(len(output.bias)),
            hidden=hidden,
            output=output,
            thresholds=self._thresholds(kind, len(output.bias)),
            temperature=float(members.get("temperature", "1")),
            normalize=members["normalize"] == "true",
            pooling=cast("Pooling | None", members.get("pooling")),
            prompt=members.get("prompt") or None,
        )

    def refuse(self, reading: str, expected: str, found: str) -> NoReturn:
        raise PartError(f"{self.part}: {reading}: expected {expected}, found {found}")

    def _members(self, spelling: str, pooling: Pooling) -> dict[str, str]:
        """Parse the metadata key; other members are ignored."""
        members = parse_texts(spelling)
        if members is None:
            self.refuse("metadata", "a JSON object of strings", f"{spelling!r:.60}")
        choices = {
            "kind": get_args(HeadKind),
            "normalize": ("true", "false"),
            "pooling": tuple(dict.fromkeys(("mean", pooling))),
        }
        for member, legal in choices.items():
            if member in members or member != "pooling":
                value = members.get(member, "")
                if value not in legal:
                    self.refuse(member, " or ".join(legal), f"{value!r:.60}")
        temperature = members.get("temperature")
        if temperature is not None:
            low, high = TEMPERATURES
            valid = members["kind"] != "linear" and re.fullmatch(NUMBER, temperature)
            if not (valid and low <= float(temperature) <= high):
                expected = f"a number from {low:f} to {high:.0f}, and none with linear"
                self.refuse("temperature", expected, f"{temperature!r:.60}")
        size = len(members.get("prompt", "").encode())
        if size > MAX_PROMPT_BYTES:
            self.refuse("prompt", f"at most {MAX_PROMPT_BYTES} bytes", str(size))
        return members

    def _tensor(self, label: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if label not in self.tensors:
            self.refuse(label, "a tensor", "none")
        tensor: NDArray[Any] = self.tensors[label]
        if tensor.shape != shape:
            self.refuse(label, f"the shape {shape}", str(tensor.shape))
        return tensor

    def _absent(self, condition: str, *labels: str) -> None:
        for label in labels:
            if label in self.tensors:
                self.refuse(label, f"no such tensor {condition}", "one")

    def _layer(self, prefix: str, columns: int, *, at_most: bool) -> Layer:
        """Read a layer of `columns` columns, or of 1 to `columns`."""
        name = f"{prefix}weights"
        if name not in self.tensors:
            self.refuse(name, "a tensor", "none")
        weights: NDArray[Any] = self.tensors[name]
        found = str(weights.shape)
        if weights.ndim != 2 or len(weights) > MAX_OUTPUTS:
            self.refuse(name, f"at most {MAX_OUTPUTS:,} rows of numbers", f"the shape {found}")
        if weights.shape[1] > columns or not (at_most or weights.shape[1] == columns):
            expected = f"{'at most ' * at_most}{columns} columns"
            self.refuse(name, expected, f"the shape {found}")
        bias = self._tensor(f"{prefix}bias", (len(weights),))
        self._check_sizes(f"{prefix}bias", bias)
        scale = None
        if weights.dtype == np.int8:
            scale = self._tensor(f"{prefix}scale", (len(weights),))
            self._check_sizes(f"{prefix}scale", scale)
            if not (scale > 0).all():
                self.refuse(f"{prefix}scale", "values above 0", str(scale[~(scale > 0)][0]))
        else:
            self._absent("beside weights of float32", f"{prefix}scale")
            self._check_sizes(name, weights)
        return Layer(weights, scale, bias)

    def _check_sizes(self, name: str, tensor: NDArray[Any]) -> None:
        step = max(1, _BLOCK // max(1, tensor[0].size))
        for first in range(0, len(tensor), step):
            block = tensor[first : first + step]
            small = np.abs(block) <= MAX_WEIGHT  # False for NaN
            if not small.all():
                self.refuse(name, "magnitudes of at most 2^30", str(block[~small][0]))

    def _labels(self, count: int) -> tuple[str, ...]:
        ends = self._tensor("label-ends", (count,)).astype(np.int64)
        if "labels" not in self.tensors:
            self.refuse("labels", "a tensor", "none")
        octets: NDArray[np.uint8] = self.tensors["labels"]
        lengths = np.diff(ends, prepend=0)
        if not (lengths.min() >= 1 and lengths.max() <= MAX_LABEL_BYTES):
            wrong = lengths[(lengths < 1) | (lengths > MAX_LABEL_BYTES)][0]
            self.refuse("label-ends", f"labels of 1 to {MAX_LABEL_BYTES:,} bytes", str(wrong))
        if octets.shape != (ends[-1],):
            self.refuse("labels", f"the shape ({ends[-1]},)", str(octets.shape))
        raw, begins = octets.tobytes(), [0, *ends[:-1].tolist()]
        try:
            labels = tuple(
                raw[begin:end].decode() for begin, end in zip(begins, ends.tolist(), strict=True)
            )
        except UnicodeDecodeError as error:
            self.refuse("labels", "UTF-8", repr(error.object[:60]))
        if len(set(labels)) != count:
            first = {label: place for place, label in reversed(list(enumerate(labels)))}
            twice = next(label for place, label in enumerate(labels) if first[label] != place)
            self.refuse("labels", "labels that differ", f"{twice!r:.60} twice")
        return labels

    def _thresholds(self, kind: HeadKind, count: int) -> NDArray[np.float32] | None:
        if kind != "sigmoid":
            self._absent(f"with {kind}", "thresholds")
            return None
        if "thresholds" not in self.tensors:
            return np.full(count, 0.5, np.float32)
        thresholds = self._tensor("thresholds", (count,))
        legal = (thresholds >= 0) & (thresholds <= 1)
        if not legal.all():
            self.refuse("thresholds", "values from 0 to 1", str(thresholds[~legal][0]))
        return thresholds
