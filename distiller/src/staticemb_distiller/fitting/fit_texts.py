"""The fitted table, made from texts and token vectors.

sources -> texts (generated or read) -> a choice within the budget -> teacher's vectors
texts -> token ids of the new vocabulary -> counts -> fit -> rows, and vectors to rotate by
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..corpus.coverage import order_by_coverage
from ..errors import TableError
from ..recipe.budget import Budget
from ..teacher.cached import cached_vectors
from ..teacher.text_encoder import TextEncoder
from ..vocabulary.token_ids import TokenIds
from .centering import center, common_direction
from .mean_alignment import level_means
from .options import FitOptions
from .ridge_fit import FitStep, count_matrix, fit, scale_prior
from .row_shape import shaped

_SAMPLE = 50_000  # texts to whiten and to rotate by
_TOKEN_SHARE = 0.5  # weight of all tokens in the rotation, relative to all texts


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted table.

    Attributes:
        rows: (V, H) float32, token weights multiplied in.
        vectors: (n, H) float32, the vectors whose second moments give the rotation: unit vectors of
            texts, and scaled vectors of tokens. With texts alone, short prefixes represent rare
            words poorly.
        counts: (V,) int64, how often each token occurs in the texts.
        texts: The number of texts of the fit.
        whitening: (H, H) float32, the matrix from the space of the fit's targets to that of `rows`;
            None: they are the same.
        offset: (H,) float32, subtracted from the teacher's unit vectors first; None: zeros.
    """

    rows: NDArray[np.float32]
    vectors: NDArray[np.float32]
    counts: NDArray[np.int64]
    texts: int
    whitening: NDArray[np.float32] | None = None
    offset: NDArray[np.float32] | None = None


def order_by_budget(
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    tokens: int,
    text_weights: Sequence[float],
    budget: Budget,
) -> NDArray[np.int64]:
    """Choose and order the texts that the teacher reads; `ids` and `lengths` as from `TokenIds`.

    Returns:
        Indices of texts. If the budget covers all texts, they keep their order; otherwise texts
        that cover most tokens for their weight come first.
    """
    texts = len(lengths)
    if budget.seconds is None and (budget.texts is None or budget.texts >= texts):
        return np.arange(texts)
    most = texts if budget.texts is None else budget.texts
    weights = np.asarray(text_weights, np.float64)
    return order_by_coverage(ids, lengths, tokens, most, weights=weights)


def fit_table(
    texts: Sequence[str],
    text_weights: Sequence[float],
    teacher: TextEncoder,
    tokenizer_json: bytes,
    unknown_token_id: int | None,
    token_vectors: NDArray[np.float32],
    token_weights: NDArray[np.float64],
    *,
    cache: Path,
    budget: Budget | None = None,
    own: int = 0,
    options: FitOptions,
    encoded: Callable[[int, int], None] | None = None,
    advance: Callable[[int], object] | None = None,
    fitted: Callable[[FitStep], None] | None = None,
) -> Fitted:
    """Fit a table to the teacher's vectors of texts.

    The prior is the classical table: token vectors minus their mean, times token weights. A token
    with a zero vector has no prior.

    Args:
        texts: The texts, in shuffled order.
        text_weights: The weight of each text.
        teacher: The teacher.
        tokenizer_json: The new model's tokenizer, V tokens.
        unknown_token_id: The id that is dropped.
        token_vectors: (V, H) the teacher's vectors of the tokens.
        token_weights: (V,) token weights, for example SIF weights.
        cache: The folder of the teacher's vectors.
        budget: As for `order_by_budget`.
        own: The number of leading texts that are the user's own, for `level_means`.
        options: How to fit and to shape the rows.
        encoded: Called with the number of encoded texts, and their total.
        advance: As for `cached_vectors`.
        fitted: Called after each round of the fit.

    Raises:
        TableError: There are no texts, or their vectors are all equal, or shapes do not match.
        CacheError: The cache is damaged or cannot be written.
        TeacherError: The teacher cannot encode.
    """
    ids, lengths = TokenIds(tokenizer_json, unknown_token_id)(texts)
    tokens = len(token_vectors)
    order = order_by_budget(ids, lengths, tokens, text_weights, budget or Budget())
    targets = cached_vectors(
        teacher,
        [texts[index] for index in order.tolist()],
        cache,
        kind=None,
        seconds=None if budget is None else budget.seconds,
        progress=encoded,
        advance=advance,
    )
    order = order[: len(targets)]
    is_own = order < own
    offset = common_direction(targets[is_own] if is_own.any() else targets)
    if offset is not None:
        center(targets, offset)
    level_means(targets, is_own)

    known = token_vectors.any(axis=1)
    prior = np.zeros(token_vectors.shape)
    if known.any():
        prior = (token_vectors - token_vectors[known].mean(0)) * token_weights[:, None]
        prior[~known] = 0
    return fit_targets(
        count_matrix(ids, lengths, tokens)[order],
        lengths[order],
        targets,
        prior.astype(np.float32),
        text_weights=np.asarray(text_weights, np.float32)[order],
        unknown_token_id=unknown_token_id,
        options=options,
        offset=offset,
        fitted=fitted,
    )


def fit_targets(
    counts: csr_matrix,
    lengths: NDArray[np.int64],
    targets: NDArray[Any],
    prior: NDArray[np.float32],
    *,
    text_weights: NDArray[np.float32],
    unknown_token_id: int | None,
    options: FitOptions,
    offset: NDArray[np.float32] | None = None,
    fitted: Callable[[FitStep], None] | None = None,
) -> Fitted:
    """Fit a table to target vectors, shape its rows, and collect the vectors to rotate by.

    Args:
        counts: (N, V) token counts over text length.
        lengths: (N,) the number of tokens of each text.
        targets: (N, H) unit vectors, float16 or float32; may be memory-mapped.
        prior: (V, H) the prior table, of any scale; zeros: no prior.
        text_weights: (N,) the weight of each text.
        unknown_token_id: The id that is dropped.
        options: How to fit and to shape the rows.
        offset: The vector that was subtracted from the targets.
        fitted: Called after each round of the fit.

    Raises:
        TableError: There are no texts, or their vectors are all equal, or shapes do not match.
        DivergedError: The fit gave infinities or NaN.
    """
    rows = fit(
        counts,
        targets,
        scale_prior(counts, targets, prior),
        regularization=options.regularization,
        rounds=options.rounds,
        iterations=options.iterations,
        tolerance=options.tolerance,
        text_weights=text_weights,
        device=options.device,
        progress=fitted,
    )
    if unknown_token_id is not None:
        rows[unknown_token_id] = 0
    if not rows.any():
        raise TableError(
            "fit: expected texts with tokens and with vectors that differ, found a table of zeros "
            f"(texts: {len(targets):,})"
        )
    # The texts of a sampled source are shuffled; those of a collection can be sorted by subject.
    step = max(1, counts.shape[0] // _SAMPLE) if not prior.any() else 1
    sample = counts[: step * _SAMPLE : step]

    def text_vectors(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(sample @ rows, np.float32)

    shape = shaped(rows, options.length_power, options.whiten, text_vectors)
    rows = shape.rows
    token_counts = np.asarray(counts.multiply(lengths[:, None]).sum(0)).ravel()
    return Fitted(
        rows,
        rotation_vectors(text_vectors(rows), rows),
        np.rint(token_counts).astype(np.int64),
        len(targets),
        shape.whitening,
        offset,
    )


def rotation_vectors(
    text_vectors: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the vectors whose second moments give a table's rotation: of texts and of tokens.

    Args:
        text_vectors: (n, H) pooled vectors of texts, of any length.
        rows: (V, H) the table.

    Returns:
        At most (n + V, H) float32, without zero vectors: unit vectors of texts, and vectors of
        tokens scaled so that all tokens have half the weight of all texts.
    """
    texts, tokens = _unit(text_vectors), _unit(rows)
    tokens *= np.float32(np.sqrt(_TOKEN_SHARE * len(texts) / max(len(tokens), 1)))
    return np.concatenate([texts, tokens])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors to unit length, without zero vectors."""
    norms = np.linalg.norm(vectors, axis=1)
    unit: NDArray[np.float32] = vectors[norms > 0] / norms[norms > 0, None]
    return unit
