"""From texts and token vectors to a fitted table: what `fit` needs, put together.

sources -> texts (generated or read) -> a choice within the budget -> teacher's vectors
texts -> token ids of the new vocabulary -> counts -> fit -> rows, and vectors to rotate by
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..corpus.coverage import order_by_coverage
from ..recipe.budget import Budget
from ..teacher.cache import TeacherCache
from ..vocabulary.token_ids import TokenIds
from .mean_alignment import level_means
from .ridge_fit import FitStep, count_matrix, fit, scale_prior
from .row_shape import shaped

_SAMPLE = 50_000  # texts to whiten and to rotate by
_TOKEN_SHARE = 0.5  # what all tokens together weigh in the rotation, all texts weighing 1


class _Teacher(Protocol):
    dim: int

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted table.

    Attributes:
        rows: (V, H) float32, token weights multiplied in.
        vectors: (n, H) float32: unit vectors of texts under it, and of tokens, to rotate by their
            second moments. Texts alone leave short prefixes poor in rare words.
        counts: (V,) int64, how often each token stood in the texts.
        texts: How many texts it was fitted to.
    """

    rows: NDArray[np.float32]
    vectors: NDArray[np.float32]
    counts: NDArray[np.int64]
    texts: int


def order_by_budget(
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    tokens: int,
    text_weights: Sequence[float],
    budget: Budget,
) -> NDArray[np.int64]:
    """Which texts the teacher is to read, in which order, given as `TokenIds` gives them.

    Returns:
        Indices of texts: all in their own order if the budget allows, else those first that cover
        most tokens for their weight.
    """
    texts = len(lengths)
    if budget.seconds is None and (budget.texts is None or budget.texts >= texts):
        return np.arange(texts)
    most = texts if budget.texts is None else budget.texts
    weights = np.asarray(text_weights, np.float64)
    return order_by_coverage(ids, lengths, tokens, most, weights=weights)


def teacher_vectors(
    texts: Sequence[str],
    teacher: _Teacher,
    *,
    cache: Path,
    about: dict[str, str],
    seconds: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float16]:
    """The teacher's unit vectors of texts, from the cache where they are in it.

    Args:
        texts: In the order in which to encode them.
        teacher: Whose vectors.
        cache: The folder that keeps them.
        about: As for `TeacherCache`.
        seconds: As for `TeacherCache.encode`.
        progress: As for `TeacherCache.encode`.

    Returns:
        (n, D) float16 of the first n texts: of all without a time limit.

    Raises:
        CacheError: The cache is damaged or cannot be written.
        TeacherError: The teacher cannot encode.
    """
    store = TeacherCache(cache, about, teacher.dim)
    return store.encode(texts, teacher.encode, seconds=seconds, progress=progress)


def fitted_table(
    texts: Sequence[str],
    text_weights: Sequence[float],
    teacher: _Teacher,
    tokenizer_json: bytes,
    unknown_token_id: int | None,
    token_vectors: NDArray[np.float32],
    token_weights: NDArray[np.float64],
    *,
    cache: Path,
    about: dict[str, str],
    budget: Budget | None = None,
    own: int = 0,
    regularization: float = 0.1,
    rounds: int = 2,
    iterations: int = 15,
    tolerance: float = 0.02,
    length_power: float = 1.0,
    whiten: float = 0.0,
    device: str = "cpu",
    encoded: Callable[[int, int], None] | None = None,
    fitted: Callable[[FitStep], None] | None = None,
) -> Fitted:
    """Fit a table to the teacher's vectors of texts.

    The prior is the classical table: token vectors less their mean, times token weights.

    Args:
        texts: In shuffled order.
        text_weights: How much each counts.
        teacher: Whose vectors to come close to.
        tokenizer_json: The new model's tokenizer, V tokens.
        unknown_token_id: The id that is dropped.
        token_vectors: (V, H) the teacher's vectors of the tokens.
        token_weights: (V,) such as SIF weights.
        cache: The folder of the teacher's vectors.
        about: As for `TeacherCache`.
        budget: As for `order_by_budget`.
        own: How many texts, from the first, come on top of the others: `level_means`.
        regularization: As for `fit`.
        rounds: As for `fit`.
        iterations: As for `fit`.
        tolerance: As for `fit`.
        length_power: As for `shaped`, once the table is fitted.
        whiten: As for `shaped`.
        device: As for `fit`.
        encoded: Called with the texts that the teacher has read, and their total.
        fitted: Called after each round of the fit.

    Raises:
        TableError: Nothing to fit on, or shapes that do not match.
        CacheError: The cache is damaged or cannot be written.
        TeacherError: The teacher cannot encode.
    """
    ids, lengths = TokenIds(tokenizer_json, unknown_token_id)(texts)
    tokens = len(token_vectors)
    order = order_by_budget(ids, lengths, tokens, text_weights, budget or Budget())
    targets = teacher_vectors(
        [texts[place] for place in order.tolist()],
        teacher,
        cache=cache,
        about=about,
        seconds=None if budget is None else budget.seconds,
        progress=encoded,
    )
    order = order[: len(targets)]
    level_means(targets, order < own)

    counts = count_matrix(ids, lengths, tokens)[order]
    prior = (token_vectors - token_vectors.mean(0)) * token_weights[:, None]
    rows = fit(
        counts,
        targets,
        scale_prior(counts, targets, prior.astype(np.float32)),
        regularization=regularization,
        rounds=rounds,
        iterations=iterations,
        tolerance=tolerance,
        text_weights=np.asarray(text_weights, np.float32)[order],
        device=device,
        progress=fitted,
    )
    if unknown_token_id is not None:
        rows[unknown_token_id] = 0
    sample = counts[:_SAMPLE]

    def text_vectors(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(sample @ rows, np.float32)

    rows = shaped(rows, length_power, whiten, text_vectors)
    seen = np.asarray(counts.multiply(lengths[order][:, None]).sum(0)).ravel()
    vectors = rotation_vectors(text_vectors(rows), rows)
    return Fitted(rows, vectors, np.rint(seen).astype(np.int64), len(targets))


def rotation_vectors(
    text_vectors: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The unit vectors by whose second moments a table is turned: those of texts, and of tokens.

    Args:
        text_vectors: (n, H) pooled vectors of texts, of any length.
        rows: (V, H) the table.

    Returns:
        At most (n + V, H) float32: those of length zero are left out, and those of tokens scaled so
        that all of them together weigh half of what all texts do.
    """
    texts, words = _unit(text_vectors), _unit(rows)
    words *= np.float32(np.sqrt(_TOKEN_SHARE * len(texts) / max(len(words), 1)))
    return np.concatenate([texts, words])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to length one, and leave out those of length zero."""
    norms = np.linalg.norm(vectors, axis=1)
    unit: NDArray[np.float32] = vectors[norms > 0] / norms[norms > 0, None]
    return unit
