"""Heads in an ONNX graph: from the file's token rows to logits and probabilities.

A head NAME has the outputs `NAME_logits` and `NAME_probabilities`, (B, K) float, or `NAME_values`
if it predicts numbers. The labels are in the model's metadata, under `head.NAME`, as JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from staticemb_runtime.errors import PartError
from staticemb_runtime.format import head_names, read_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from staticemb_runtime.format import Head, Layer, ModelParts

    from .onnx_graph import Steps


def exported_heads(file: ModelParts) -> list[Head]:
    """Return a file's heads that a graph can have: without a prompt, and not malformed."""
    heads = []
    for name in head_names(file.metadata):
        try:
            head = read_head(file, name)
        except PartError:
            continue
        if head.prompt is None:
            heads.append(head)
    return heads


def add_head(steps: Steps, head: Head, vector: str, direction: Callable[[str], str]) -> list[str]:
    """Add the nodes of a head.

    Args:
        steps: The graph so far.
        head: The head.
        vector: The (B, D) vector of the head's pooling before normalization.
        direction: Adds the nodes that give a vector unit length.

    Returns:
        The names of its outputs.
    """
    begin, end, axis = steps.ints([0]), steps.ints([head.dimension]), steps.ints([1])
    value = steps.add("Slice", [vector, begin, end, axis])
    if head.normalize:
        value = direction(value)
    if head.hidden is not None:
        value = steps.add("Relu", [_layer(steps, f"{head.name}_hidden", head.hidden, value)])
    value = _layer(steps, f"{head.name}_output", head.output, value)
    if head.kind == "linear":
        return [steps.add("Identity", [value], output=f"{head.name}_values")]
    logits = steps.add("Identity", [value], output=f"{head.name}_logits")
    scaled = steps.add("Div", [value, steps.number(head.temperature)])
    kind, options = ("Softmax", {"axis": -1}) if head.kind == "softmax" else ("Sigmoid", {})
    return [logits, steps.add(kind, [scaled], output=f"{head.name}_probabilities", **options)]


def head_facts(head: Head) -> str:
    """Return a head's kind, labels and thresholds as JSON."""
    facts: dict[str, Any] = {"kind": head.kind, "labels": list(head.labels)}
    if head.thresholds is not None:
        facts["thresholds"] = [round(float(value), 6) for value in head.thresholds]
    return json.dumps(facts, ensure_ascii=False)


def _layer(steps: Steps, name: str, layer: Layer, value: str) -> str:
    """Add the nodes of a linear layer; int8 weights keep their dtype."""
    weights = steps.constant(f"{name}_weights", layer.weights)
    if layer.scale is not None:
        weights = steps.add("Cast", [weights], to=1)  # float
        scale = steps.constant(f"{name}_scale", layer.scale[:, None])
        weights = steps.add("Mul", [weights, scale])
    turned = steps.add("Transpose", [weights], perm=[1, 0])
    product = steps.add("MatMul", [value, turned])
    return steps.add("Add", [product, steps.constant(f"{name}_bias", layer.bias)])
