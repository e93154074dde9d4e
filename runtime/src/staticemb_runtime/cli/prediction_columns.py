"""The columns of a prediction in files: names, values, and types in Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..format.heads import Head
    from ..heads.explanation import PredictionExplanation
    from ..records.parquet import Schema

COLUMNS: Final = ("prediction", "probability", "probabilities", "explanation")


def column_names(head: Head, *, every: bool, explained: bool) -> list[str]:
    """Return the columns of a prediction.

    Args:
        head: the head.
        every: whether the probability of every label is given.
        explained: whether an explanation is given.
    """
    names = ["prediction"]
    if head.kind == "softmax":
        names.append("probability")
    if head.kind == "sigmoid" or every:
        names.append("probabilities")
    return [*names, *(["explanation"] if explained else [])]


def arrow_schema(head: Head, *, every: bool, explained: bool) -> Schema:
    """Return the types of the columns in Parquet; numbers by name are a map."""
    import pyarrow as arrow

    text, number = arrow.string(), arrow.float32()
    token = {"piece": text, "start": arrow.int64(), "end": arrow.int64(), "share": arrow.float64()}
    explanation = {
        "label": text,
        "logit": arrow.float64(),
        "bias": arrow.float64(),
        "tokens": arrow.list_(arrow.struct(list(token.items()))),
    }
    of_numbers = number if len(head.labels) == 1 else arrow.map_(text, number)
    types = {
        "prediction": {"softmax": text, "sigmoid": arrow.list_(text), "linear": of_numbers}[
            head.kind
        ],
        "probability": number,
        "probabilities": arrow.map_(text, number),
        "explanation": arrow.struct(list(explanation.items())),
    }
    names = column_names(head, every=every, explained=explained)
    return arrow.schema([(name, types[name]) for name in names])


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a prediction as JSON holds it."""
    explanation: PredictionExplanation | None = row.get("explanation")
    if explanation is None:
        return row
    tokens = zip(explanation.pieces, explanation.spans, explanation.shares.tolist(), strict=True)
    spelled = {
        "label": explanation.label,
        "logit": explanation.logit,
        "bias": explanation.bias,
        "tokens": [
            {"piece": piece, "start": start, "end": end, "share": share}
            for piece, (start, end), share in tokens
        ],
    }
    return row | {"explanation": spelled}
