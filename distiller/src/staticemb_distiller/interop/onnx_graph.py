"""An ONNX graph that computes a vector from token ids (SPEC section 8, stages 2 to 7).

Inputs, as for any text model: `input_ids` and `attention_mask`, (B, T) int64. Outputs:

- `sentence_embedding` (B, D): the vector;
- `last_hidden_state` (B, T, D): each token's contribution, scaled so that the mean over the
  attention mask is the vector before normalization. A pipeline that pools by the mean itself, such
  as the one of transformers.js, thus gives the right vector;
- for each head its logits and probabilities, or its numbers (`onnx_heads.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import ConvertError
from .onnx_heads import add_head, exported_heads, head_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts, Pooling

OPSET = 17
IR_VERSION = 8
MOST_BYTES = 2**31 - 2**20  # a protocol buffer holds at most 2 GiB


def build_graph(file: ModelParts) -> onnx.ModelProto:
    """Build the graph of a model with its table; int8 and float16 rows keep their dtype.

    Raises:
        ConvertError: the table is larger than an ONNX file can be.
    """
    if file.embeddings.nbytes > MOST_BYTES:
        raise ConvertError(
            f"{file.path}: expected a table of at most {MOST_BYTES} bytes, as one ONNX file holds, "
            f"found {file.embeddings.nbytes}"
        )
    steps = Steps()
    keep = _kept_tokens(steps, file)
    rows = _token_rows(steps, file)
    shares = _shares(steps, file, rows, keep, file.metadata.pooling)
    pooled = {file.metadata.pooling: _pooled(steps, rows, shares)}
    vector = pooled[file.metadata.pooling]
    if file.metadata.normalize:
        vector = _direction(steps, vector)
    steps.add("Identity", [vector], output="sentence_embedding")
    outputs: list[tuple[str, int]] = []
    facts: dict[str, str] = {}
    for head in exported_heads(file):
        pooling = head.pooling or file.metadata.pooling
        if pooling not in pooled:
            pooled[pooling] = _pooled(steps, rows, _shares(steps, file, rows, keep, pooling))
        names = add_head(steps, head, pooled[pooling], lambda value: _direction(steps, value))
        outputs += [(output, len(head.labels)) for output in names]
        facts[f"head.{head.name}"] = head_facts(head)
    mask = steps.add("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    count = steps.add("ReduceSum", [mask, steps.ints([1])], keepdims=1)
    count = steps.add("Unsqueeze", [count, steps.ints([2])])
    scaled = steps.add("Mul", [steps.add("Mul", [rows, shares]), count])
    steps.add("Identity", [scaled], output="last_hidden_state")
    return _model(steps, file.metadata.dim, outputs, facts)


@dataclass
class Steps:
    """The graph's nodes and constants, in the order of their addition."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, kind: str, inputs: list[str], output: str = "", **options: Any) -> str:  # noqa: ANN401
        """Add a node; return the name of its output."""
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **options))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add an array; return its name."""
        self.constants[name] = value
        return name

    def ints(self, values: list[int] | int) -> str:
        """Add integers, or one integer, once; return their name."""
        spelled = "_".join(map(str, np.atleast_1d(values)))
        shape = "" if isinstance(values, int) else "axis_"
        return self.constant(f"int_{shape}{spelled}".replace("-", "minus"), np.array(values))

    def number(self, value: float) -> str:
        """Add a number once; return its name."""
        return self.constant(f"number_{value!r}", np.array(value, np.float32))


def _kept_tokens(steps: Steps, file: ModelParts) -> str:
    """Add the nodes for (B, T, 1) float: 1 for tokens that count, 0 for others."""
    keep = steps.add("Cast", ["attention_mask"], to=TensorProto.BOOL)
    if file.metadata.unknown_token_id is not None:
        unknown = steps.add("Equal", ["input_ids", steps.ints(file.metadata.unknown_token_id)])
        keep = steps.add("And", [keep, steps.add("Not", [unknown])])
    if file.metadata.max_tokens is not None:
        counted = steps.add("Cast", [keep], to=TensorProto.INT64)
        position = steps.add("CumSum", [counted, steps.ints(1)])
        early = steps.add("LessOrEqual", [position, steps.ints(file.metadata.max_tokens)])
        keep = steps.add("And", [keep, early])
    keep = steps.add("Cast", [keep], to=TensorProto.FLOAT)
    return steps.add("Unsqueeze", [keep, steps.ints([2])])


def _token_rows(steps: Steps, file: ModelParts) -> str:
    """Add the nodes for the token rows of stage 4, (B, T, D) float."""
    ids = "input_ids"
    if file.rows is not None:
        ids = steps.add("Gather", [steps.constant("rows", file.rows.astype(np.int64)), ids])
    rows = steps.add("Gather", [steps.constant("embeddings", file.embeddings), ids])
    if file.embeddings.dtype != np.float32:
        rows = steps.add("Cast", [rows], to=TensorProto.FLOAT)
    if file.scale is not None:
        rows = steps.add("Mul", [rows, steps.constant("scale", file.scale)])
    if file.weights is not None:
        weights = steps.add("Gather", [steps.constant("weights", file.weights), "input_ids"])
        rows = steps.add("Mul", [rows, steps.add("Unsqueeze", [weights, steps.ints([2])])])
    return rows


def _pooled(steps: Steps, rows: str, shares: str) -> str:
    """Add the nodes for the sum of rows by their shares, (B, D) float."""
    return steps.add("ReduceSum", [steps.add("Mul", [rows, shares]), steps.ints([1])], keepdims=0)


def _shares(steps: Steps, file: ModelParts, rows: str, keep: str, pooling: Pooling) -> str:
    """Add the nodes for each token's share of the vector (stage 5), (B, T, 1) float.

    The shares of a text add up to 1, or to 0 if no token counts.
    """
    shares = _divide(steps, keep, steps.add("ReduceSum", [keep, steps.ints([1])], keepdims=1))
    if pooling == "mean":
        return shares
    dims = file.metadata.damping_dims
    begin, end, axis = steps.ints([0]), steps.ints([dims]), steps.ints([2])
    short = steps.add("Slice", [rows, begin, end, axis])
    mean = steps.add("ReduceSum", [steps.add("Mul", [short, shares]), steps.ints([1])], keepdims=1)
    cosine = steps.add(
        "ReduceSum",
        [steps.add("Mul", [_direction(steps, short), _direction(steps, mean)]), axis],
        keepdims=1,
    )
    power = steps.add("Mul", [cosine, steps.number(-file.metadata.damping_beta)])
    damped = steps.add("Mul", [steps.add("Exp", [power]), keep])
    return _divide(steps, damped, steps.add("ReduceSum", [damped, steps.ints([1])], keepdims=1))


def _direction(steps: Steps, vectors: str) -> str:
    """Normalize vectors to unit length over the last axis; zeros stay zeros.

    They are divided by the largest element first, so that no square underflows or overflows.
    """
    size = steps.add("ReduceMax", [steps.add("Abs", [vectors])], axes=[-1], keepdims=1)
    scaled = _divide(steps, vectors, size)
    squares = steps.add("Mul", [scaled, scaled])
    total = steps.add("ReduceSum", [squares, steps.ints([-1])], keepdims=1)
    return _divide(steps, scaled, steps.add("Sqrt", [total]))


def _divide(steps: Steps, top: str, bottom: str) -> str:
    """Add the nodes for a quotient that is 0 where the divisor is 0."""
    zero = steps.add("Equal", [bottom, steps.number(0.0)])
    safe = steps.add("Where", [zero, steps.number(1.0), bottom])
    quotient = steps.add("Div", [top, safe])
    return steps.add("Where", [zero, steps.number(0.0), quotient])


def _model(
    steps: Steps, dim: int, outputs: list[tuple[str, int]], facts: dict[str, str]
) -> onnx.ModelProto:
    from .convert import creator

    sequence = ["batch_size", "sequence_length"]
    name, _, number = creator().partition(" ")
    graph = helper.make_graph(
        steps.nodes,
        "static_embedding",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, sequence),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, sequence),
        ],
        [
            helper.make_tensor_value_info(
                "sentence_embedding", TensorProto.FLOAT, ["batch_size", dim]
            ),
            helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*sequence, dim]),
            *(
                helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch_size", width])
                for output, width in outputs
            ),
        ],
        [numpy_helper.from_array(value, key) for key, value in steps.constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=name,
        producer_version=number,
    )
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    return model
