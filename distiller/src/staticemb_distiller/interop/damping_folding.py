"""Damped pooling, for libraries that have the plain mean alone: folded into token weights.

A token's damping depends on the text around it: exp(−β · cosine of its row with the text's mean).
Its average over texts does not, and is a weight. Measured with the bundled model on STS-B and SICK:
the plain mean's vectors have a cosine of 0.984 with the damped ones, with the weights 0.993.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from staticemb_runtime.encoding import EmbeddingTable

from ..corpus.generated import Lexicon, generate
from ..vocabulary.token_ids import TokenIds
from .comparison import sample_texts, vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

_CONTEXTS = 64  # more of them change no figure
_MEASURED = 1_000


class Closeness(NamedTuple):
    """Cosines between the vectors that two models give the same texts.

    Attributes:
        mean: their mean.
        least: the least of them.
        texts: how many texts.
    """

    mean: float
    least: float
    texts: int


def fold_damping(file: ModelParts) -> ModelParts:
    """Give a model with damped pooling token weights that make its plain mean nearly the same.

    Args:
        file: the model, with pooling `damped_mean`.

    Returns:
        The model with pooling `mean`. Each token's weight is multiplied by its average damping in
        texts of random words of the vocabulary, frequent ones first.
    """
    metadata = file.metadata
    table = EmbeddingTable(file.embeddings, file.scale, file.weights, file.rows)
    rows = table.token_rows(np.arange(file.n_token_ids))[:, : metadata.damping_dims]
    ids, lengths = _drawn_ids(file, _CONTEXTS)
    damping = np.zeros(len(rows), np.float32)
    ends = np.cumsum(lengths)
    for end, length in zip(ends.tolist(), lengths.tolist(), strict=True):
        # What the mean would be if the token stood in this text.
        means = rows + rows[ids[end - length : end]].sum(axis=0)
        damping += np.exp(-metadata.damping_beta * _cosines(rows, means)) / len(lengths)
    # The weighted mean divides by the sum of dampings, the plain one by the number of tokens.
    weights = damping / (damping[ids].mean() if len(ids) else 1)
    if file.weights is not None:
        weights = weights * file.weights
    return plain_mean(file)._replace(weights=weights.astype(np.float32))


def plain_mean(file: ModelParts) -> ModelParts:
    """The model with the plain mean of the same rows."""
    metadata = file.metadata._replace(pooling="mean", features=(), damping_beta=0.0, damping_dims=1)
    return file._replace(metadata=metadata)


def without_damping(file: ModelParts, *, plain: bool) -> ModelParts:
    """The model for a library that cannot damp: `plain_mean`, or the damping folded."""
    if file.metadata.pooling == "mean":
        return file
    return plain_mean(file) if plain else fold_damping(file)


def closeness(file: ModelParts, other: ModelParts) -> Closeness:
    """Compare the vectors of two models with the same tokenizer, over texts of random words."""
    texts = _drawn(file.tokenizer, _MEASURED, seed=1)
    first, second = vectors(file, texts), vectors(other, texts)
    known = (first.any(axis=1)) & (second.any(axis=1))
    cosines = _cosines(first[known], second[known])
    if not len(cosines):
        return Closeness(1.0, 1.0, 0)
    return Closeness(float(cosines.mean()), float(cosines.min()), len(cosines))


def _drawn(tokenizer: bytes, count: int, seed: int) -> list[str]:
    lexicon = Lexicon.of(Tokenizer.from_buffer(tokenizer))
    return generate(lexicon, count, seed=seed) if lexicon.words else sample_texts(tokenizer, seed)


def _drawn_ids(file: ModelParts, count: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    metadata = file.metadata
    tokenize = TokenIds(file.tokenizer, metadata.unknown_token_id, metadata.max_tokens)
    return tokenize(_drawn(file.tokenizer, count, seed=0))


def _cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) of the rows of two (N, D) arrays; 0 where one is zero."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines: NDArray[np.float32] = np.einsum("nd,nd->n", a, b) / np.where(lengths > 0, lengths, 1)
    return cosines
