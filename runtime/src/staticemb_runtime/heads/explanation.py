"""How much each token of a text adds to the logit of a label.

Without a hidden layer a logit is a linear function of the text's vector, and the vector is a sum
over the tokens. A hidden layer with max(0, x) is linear as well where the same outputs are above
zero; those of the text decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..encoding.contributions import contributions
from ..errors import InvalidOptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..encoding.embedder import Embedder
    from ..encoding.options import Request
    from .scoring import HeadScorer


class PredictionExplanation(NamedTuple):
    """The shares of a text's tokens in the logit of a label.

    `shares.sum() + bias` is `logit`, in float64. It is the logit of `decision_function` up to the
    rounding of float32.

    Attributes:
        head: the name of the head.
        label: the label.
        pieces: the n tokens as strings, in the order of the text.
        spans: the first character of each token in the text, and the character after its last one;
            negative for tokens of the head's prompt.
        shares: (n,) float64, the share of each token.
        bias: the share that no token has.
        logit: the sum.
    """

    head: str
    label: str
    pieces: list[str]
    spans: list[tuple[int, int]]
    shares: NDArray[np.float64]
    bias: float
    logit: float


def explain(
    embedder: Embedder, scorer: HeadScorer, text: str, request: Request, label: str | None
) -> PredictionExplanation:
    """Return the shares of a text's tokens in the logit of a label.

    Args:
        embedder: the model.
        scorer: the head.
        text: the text, without the head's prompt.
        request: the vectors that the head reads.
        label: the label; None: the one with the largest logit.

    Raises:
        TypeError, StaticEmbError: as `contributions`.
        InvalidOptionError: the head has no such label.
    """
    head = scorer.head
    parts = contributions(embedder, text, request, prompt=head.prompt)
    vector = parts.vectors[parts.tokens].sum(axis=0)
    if label is None:
        chosen = int(scorer.logits(vector[None].astype(np.float32)).argmax())
    elif label in head.labels:
        chosen = head.labels.index(label)
    else:
        known = ", ".join(map(repr, head.labels[:8])) + ", …" * (len(head.labels) > 8)
        raise InvalidOptionError(
            f"label: expected a label of {head.name!r} ({known}), found {label!r:.80}"
        )
    slope, bias = linear_at(scorer, vector, chosen)
    shares = (parts.vectors @ slope)[parts.tokens]
    logit = float(shares.sum()) + bias
    return PredictionExplanation(
        head.name, head.labels[chosen], parts.pieces, parts.spans, shares, bias, logit
    )


def linear_at(
    scorer: HeadScorer, vector: NDArray[np.float64], index: int
) -> tuple[NDArray[np.float64], float]:
    """Return the linear function that a logit is at a vector.

    Args:
        scorer: the head.
        vector: (d,) float64.
        index: the index of the label.

    Returns:
        (d,) float64 and a number: the logit is the product with the vector, plus the number.
    """
    slope = scorer.output.weights[index].astype(np.float64)
    bias = float(scorer.output.bias[index])
    if scorer.hidden is None:
        return slope, bias
    inner = scorer.hidden.weights.astype(np.float64)
    offset = scorer.hidden.bias.astype(np.float64)
    above = inner @ vector + offset > 0
    return slope[above] @ inner[above], float(slope[above] @ offset[above]) + bias
