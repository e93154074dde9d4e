"""The closed-form fit: a ridge regression of token rows onto the teacher's text vectors.

With X the (texts x tokens) matrix of token counts over text length, Y the teacher's unit vectors
of the texts and B the prior table, solve

    min_E  sum_i c_i ||(x_i E) / s_i - y_i||^2  +  sum_t lambda_t ||E_t - B_t||^2

with s_i = ||x_i E|| from the previous round, by conjugate gradients with a Jacobi preconditioner.
This is ridge regression around a prior (Hoerl and Kennard, 1970): a token that no text contains
keeps its prior row. Time is linear in the number of counted tokens. Besides its inputs a fit holds
a few arrays of the table's size, and for each thread blocks of bounded size.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ..errors import DivergedError, TableError
from .conjugate_gradients import (
    Float32s,
    Solution,
    System,
    square_sums,
    text_norms,
    transposed_product,
)

_COLUMNS = 128  # columns solved together: the block of the table stays in the cache
SCALED_BY = 20_000  # evenly spaced texts that determine the prior's scale
_SMALLEST_NORM = 1e-3  # bounds the weight of a text whose rows cancel


@dataclass(frozen=True)
class FitStep:
    """The result of a round of a fit.

    Attributes:
        round: The round, from 1.
        iterations: The conjugate-gradient iterations of the slowest block of columns.
        residual: The largest relative residual of the blocks, in the preconditioner's norm.
    """

    round: int
    iterations: int
    residual: float


def count_matrix(
    ids: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64], tokens: int
) -> csr_matrix:
    """Compute token counts over text length.

    Args:
        ids: (N,) token ids of all texts, one after the other.
        lengths: (B,) number of ids of each text; 0 makes an empty row.
        tokens: The number of token ids, V.

    Returns:
        (B, V) float32: entry (i, t) is the count of t in text i divided by the text's length.

    Raises:
        TableError: The sum of the lengths is not N, or an id is out of range.

    >>> count_matrix(np.array([0, 2, 2, 1], np.int32), np.array([3, 1]), 3).toarray()
    array([[0.33333334, 0.        , 0.6666667 ],
           [0.        , 1.        , 0.        ]], dtype=float32)
    """
    if int(lengths.sum()) != len(ids):
        raise TableError(f"lengths: expected a sum of {len(ids)}, found {int(lengths.sum())}")
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < tokens:
        raise TableError(
            f"ids: expected 0 to {tokens - 1}, found {int(ids.min())} to {int(ids.max())}"
        )
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    shares = (1.0 / np.maximum(lengths, 1)).astype(np.float32)
    # `sum_duplicates` works in place, and the matrix would share the caller's ids.
    columns = np.array(ids, np.int32)
    matrix = csr_matrix(
        (np.repeat(shares, lengths), columns, starts),
        shape=(len(lengths), tokens),
        dtype=np.float32,
    )
    matrix.sum_duplicates()
    return matrix


def prior_scale(counts: csr_matrix, targets: npt.NDArray[Any], prior: Float32s) -> float:
    """Compute the scalar that brings the prior's text vectors closest to the targets.

    Args:
        counts: (N, V) token counts over text length.
        targets: (N, D) the teacher's unit vectors.
        prior: (V, D) float32.

    Returns:
        The scalar; 1 if it is not positive.
    """
    _check(counts, targets, prior)
    texts = counts.shape[0]
    chosen = np.linspace(0, texts - 1, min(SCALED_BY, texts)).astype(np.int64)
    vectors = np.asarray(counts[chosen] @ prior)
    chosen_targets = np.asarray(targets[chosen], dtype=np.float32)
    along = float(np.sum(vectors * chosen_targets, dtype=np.float64))
    square = float(np.sum(vectors * vectors, dtype=np.float64))
    return along / square if along > 0 and square > 0 else 1.0


def scale_prior(counts: csr_matrix, targets: npt.NDArray[Any], prior: Float32s) -> Float32s:
    """Multiply the prior (V, D) by its `prior_scale`."""
    scaled: Float32s = prior * np.float32(prior_scale(counts, targets, prior))
    return scaled


def fit(
    counts: csr_matrix,
    targets: npt.NDArray[Any],
    prior: Float32s,
    *,
    regularization: float | Float32s = 0.1,
    rounds: int = 2,
    iterations: int = 15,
    tolerance: float = 0.02,
    text_weights: Float32s | None = None,
    target_rows: npt.NDArray[np.int64] | None = None,
    device: str = "cpu",
    threads: int | None = None,
    progress: Callable[[FitStep], None] | None = None,
) -> Float32s:
    """Solve for the table whose normalized text vectors are closest to the teacher's vectors.

    The result is bit-identical for any number of threads.

    Args:
        counts: (N, V) float32, token counts over text length (`count_matrix`). Texts without
            a token are ignored.
        targets: (N, D) float16 or float32, the teacher's unit vectors; may be memory-mapped. With
            `target_rows`: (M, D).
        prior: (V, D) float32, the table to stay near, scaled by `scale_prior`.
        regularization: lambda_t, a number or (V,), above 0.
        rounds: How often the norms s_i are updated and the system is solved.
        iterations: The most conjugate-gradient iterations in a round.
        tolerance: The relative residual at which a block of columns stops.
        text_weights: (N,) c_i, the weight of each text; None: 1.
        target_rows: (N,) the row of each text's target, so that texts can share one; None: 0 to
            N - 1.
        device: "cpu", or a torch device such as "cuda".
        threads: Blocks of columns solved at the same time on the CPU; None: the number of cores.
        progress: Called after each round.

    Returns:
        (V, D) float32.

    Raises:
        TableError: Shapes do not match, or a value is out of range.
        DivergedError: The inputs or the result have infinities or NaN.
    """
    if target_rows is None:
        _check(counts, targets, prior)
    elif target_rows.shape != (counts.shape[0],):
        raise TableError(f"target_rows: expected {counts.shape[0]}, found {target_rows.shape}")
    else:
        _check(counts, np.broadcast_to(targets[:1, :], (len(target_rows), targets.shape[1])), prior)
    penalty = np.broadcast_to(np.asarray(regularization, np.float32), (counts.shape[1],))
    if not (np.isfinite(penalty).all() and (penalty > 0).all()):
        raise TableError("regularization: expected finite numbers above 0")
    if rounds < 1 or iterations < 1:
        raise TableError(
            f"rounds, iterations: expected numbers of at least 1, found {rounds}, {iterations}"
        )
    weights = np.ones(counts.shape[0], np.float32)
    if text_weights is not None:
        weights = np.asarray(text_weights, np.float32)
        if weights.shape != (counts.shape[0],) or not (weights >= 0).all():
            raise TableError(f"text_weights: expected {counts.shape[0]} numbers of at least 0")
    weights = weights * (np.diff(counts.indptr) > 0)

    table = np.array(prior, np.float32)
    spans = [
        slice(c, min(c + _COLUMNS, prior.shape[1])) for c in range(0, prior.shape[1], _COLUMNS)
    ]
    workers = min(len(spans), threads or os.cpu_count() or 1) if device == "cpu" else 1
    with ThreadPoolExecutor(workers) as pool:
        for step in range(rounds):
            norms = text_norms(counts, table)
            norms[norms == 0] = 1  # with a zero prior, all texts weigh the same at first
            norms = np.maximum(norms, _SMALLEST_NORM)
            row_weights = weights / norms**2
            diagonal = (square_sums(counts, row_weights) + penalty).astype(np.float32)
            system = System(counts, row_weights, penalty, diagonal, device)

            def solve(span: slice, system: System = system, norms: Float32s = norms) -> Solution:
                right_side = transposed_product(counts, targets, weights / norms, span, target_rows)
                right_side += penalty[:, None] * prior[:, span]
                if not np.isfinite(right_side).all():
                    raise DivergedError("fit: the targets or the prior have infinities or NaN")
                return system.solve(right_side, table[:, span], iterations, tolerance)

            solutions = list(pool.map(solve, spans))
            for span, solution in zip(spans, solutions, strict=True):
                table[:, span] = solution.table
            if not np.isfinite(table).all():
                raise DivergedError("fit: the result has infinities or NaN")
            if progress is not None:
                worst = max(solutions, key=lambda solution: solution.residual)
                most = max(solution.iterations for solution in solutions)
                progress(FitStep(step + 1, most, worst.residual))
    return table


def _check(counts: csr_matrix, targets: npt.NDArray[Any], prior: Float32s) -> None:
    texts, tokens = counts.shape
    if targets.ndim != 2 or targets.shape[0] != texts:
        raise TableError(f"targets: expected ({texts}, D) for {texts} texts, found {targets.shape}")
    if prior.shape != (tokens, targets.shape[1]):
        raise TableError(f"prior: expected {(tokens, targets.shape[1])}, found {prior.shape}")
    if not texts:
        raise TableError("fit: expected at least one text, found none")
