"""The head of a model2vec folder: `head.safetensors`, described by `config.json`.

It holds linear layers with max(0, x) between them. This package has at most one hidden layer. A
head that it cannot express, or a malformed one, is refused, and not its folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from ..errors import InvalidConfigError, PartError, StaticEmbError
from ..format.heads import MAX_LABEL_BYTES, MAX_OUTPUTS, MAX_WEIGHT, Head, HeadKind, Layer
from ..format.surrogates import lone_surrogate
from ..format.tensors import SafetensorsFile
from .foreign_folder import CONFIG, HEAD_FILE, head_config

NAME: Final = "default"
"""The name of the head of a folder, which has no name of its own."""

_KINDS: Final[dict[str, HeadKind]] = {
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "identity": "linear",
}
_FLOATS: Final = {"F32": np.float32, "F64": np.float64, "F16": np.float16}


def has_head(folder: str) -> bool:
    """Return whether a folder of model2vec has a head."""
    try:
        return bool(head_config(Path(folder))) and (Path(folder) / HEAD_FILE).is_file()
    except (InvalidConfigError, OSError):
        return False


def read_foreign_head(folder: str, dim: int, *, normalize: bool) -> Head:
    """Read and check the head of a folder of model2vec.

    Args:
        folder: the folder.
        dim: the dimension of its vectors.
        normalize: whether its vectors have unit length.

    Raises:
        PartError: the head is malformed, or has more than one hidden layer.
    """
    path = Path(folder) / HEAD_FILE
    try:
        config, tensors = head_config(Path(folder)), SafetensorsFile(path, mmap=False)
    except StaticEmbError as error:
        raise PartError(str(error)) from error
    activation, n_layers = config.get("activation", "identity"), config.get("n_layers")
    kind = _KINDS.get(activation) if isinstance(activation, str) else None
    if kind is None:
        expected = "an activation of softmax, sigmoid or identity"
        _refuse(folder, expected, repr(activation))
    if type(n_layers) is not int or n_layers not in (1, 2):
        _refuse(folder, "one linear layer, or two with a hidden layer", f"{n_layers!r} layers")
    layers, width = [], dim
    for number in range(n_layers):
        layer = _layer(tensors, path, number, width)
        width = len(layer.bias)
        layers.append(layer)
    labels = _labels(config.get("classes"), kind, width, folder)
    return Head(
        name=NAME,
        kind=kind,
        labels=labels,
        hidden=layers[0] if n_layers == 2 else None,
        output=layers[-1],
        thresholds=np.full(width, 0.5, np.float32) if kind == "sigmoid" else None,
        temperature=1.0,
        normalize=normalize,
        pooling=None,
        prompt=None,
    )


def _layer(tensors: SafetensorsFile, path: Path, number: int, columns: int) -> Layer:
    weights = _tensor(tensors, path, f"head.{number}.weight")
    bias = _tensor(tensors, path, f"head.{number}.bias")
    shapes = f"{weights.shape} and {bias.shape}"
    if weights.ndim != 2 or weights.shape[1] != columns or bias.shape != weights.shape[:1]:
        _refuse(path, f"weights of {columns} columns and a bias for each row", shapes)
    if len(weights) > MAX_OUTPUTS:
        _refuse(path, f"at most {MAX_OUTPUTS:,} rows", shapes)
    return Layer(weights, None, bias)


def _tensor(tensors: SafetensorsFile, path: Path, name: str) -> Any:  # noqa: ANN401 - an array
    entry = tensors.tensors.get(name)
    if entry is None or entry.dtype not in _FLOATS:
        found = "none" if entry is None else entry.dtype
        _refuse(path, f"a tensor {name!r} of {', '.join(_FLOATS)}", found)
    values = np.array(tensors.view(name), np.float32)
    if not values.size or not (np.abs(values) <= MAX_WEIGHT).all():  # False for NaN
        _refuse(path, f"magnitudes of at most 2^30 in {name!r}", "others")
    return values


def _labels(classes: object, kind: HeadKind, count: int, folder: str) -> tuple[str, ...]:
    """Return the names of the outputs; those of numbers are their indices."""
    if kind == "linear":
        return tuple(map(str, range(count)))
    plain = isinstance(classes, list) and all(isinstance(c, (str, int, float)) for c in classes)
    if not isinstance(classes, list) or not plain or len(classes) != count:
        size = len(classes) if isinstance(classes, list) else 0
        _refuse(f"{folder}/{CONFIG}", f"{count} classes, strings or numbers", str(size))
    labels = tuple(map(str, classes))
    for label in labels:
        if lone_surrogate(label) or not 1 <= len(label.encode()) <= MAX_LABEL_BYTES:
            _refuse(f"{folder}/{CONFIG}", f"classes of 1 to {MAX_LABEL_BYTES:,} bytes", repr(label))
    if len(set(labels)) != count or (kind == "softmax" and count < 2):
        _refuse(f"{folder}/{CONFIG}", "classes that differ, at least 2", f"{labels!r:.60}")
    return labels


def _refuse(reading: object, expected: str, found: str) -> NoReturn:
    raise PartError(f"{reading}: head: expected {expected}, found {found:.60}")
