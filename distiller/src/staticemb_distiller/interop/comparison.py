"""Comparison of the vectors that two models give for the same texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime import StaticModel
from staticemb_runtime.format import ModelParts, token_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# The largest tolerated difference of vectors, relative to the largest element: the rows are the
# same, but the order of summation differs.
CLOSE = 1e-5

_COUNT = 200
_MOST_WORDS = 24
# Words of several scripts, regardless of the vocabulary; blanks; and words of no vocabulary.
_TEXTS = (
    "",
    " \t\n",
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind.",
    "Der Fluß fließt durch die schöne Stadt; Äpfel kosten 2,50 €.",
    "Быстрая лиса прыгает. 素早い茶色の狐。 다람쥐 헌 쳇바퀴",
    "👍🏽 𓀀 ☃ \U0001f9ff unheard-of zzyzxq",
)


def sample_texts(tokenizer: bytes, seed: int = 0) -> list[str]:
    """Generate texts of 1 to 24 random words of a vocabulary, and add six fixed texts.

    Args:
        tokenizer: the bytes of a `tokenizer.json`.
        seed: the same seed gives the same texts.
    """
    members = json.loads(tokenizer)
    pieces: list[Any] = [token for token, _ in token_ids(members, "tokenizer")]
    words = [piece[0] if isinstance(piece, list) else piece for piece in pieces]
    words = [word.removeprefix("##").strip("▁Ġ") for word in words]
    rng = np.random.default_rng(seed)
    texts = [
        " ".join(words[i] for i in rng.integers(len(words), size=rng.integers(1, _MOST_WORDS + 1)))
        for _ in range(_COUNT)
    ]
    return [*_TEXTS, *texts]


def vectors(
    model: ModelParts | str | Path, texts: Sequence[str], dim: int | None = None
) -> NDArray[np.float32]:
    """Encode texts with the runtime; return (N, D) vectors."""
    # Texts without known tokens are compared as well, by their zero vectors.
    if isinstance(model, ModelParts):
        return StaticModel.from_parts(model, truncate_dim=dim).encode(texts, on_empty="zero")
    return StaticModel.load(model, truncate_dim=dim).encode(texts, on_empty="zero")


def largest_difference(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return the largest difference of two elements, relative to the largest expected element.

    Example:
        >>> largest_difference(np.array([[2.0, 0.0]]), np.array([[2.0, 1.0]]))
        0.5
    """
    if expected.shape != actual.shape:
        return float("inf")
    size = float(np.abs(expected).max(initial=0.0)) or 1.0
    difference = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    return float(difference.max(initial=0.0)) / size


def mean_cosine(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return the mean cosine of the rows of two (N, D) arrays, without zero rows of the first.

    Example:
        >>> mean_cosine(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
        1.0
    """
    known = expected.any(axis=1)
    a, b = expected[known].astype(np.float64), actual[known].astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return float(cosines.mean()) if len(cosines) else 1.0


def most_different(expected: NDArray[Any], actual: NDArray[Any]) -> int:
    """Return the index of the (D,) row with the largest difference of two elements.

    Example:
        >>> most_different(np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 0.0]]))
        1
    """
    difference = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    return int(difference.max(axis=1).argmax())
