"""The knobs of an adaptation, chosen by held-out documents of the collection itself.

Some documents are left out of a trial's fit. Their pseudo-queries are ranked by the table and by
the teacher; the knobs with the largest overlap of the ten best win. No judgment is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..table.mixing import mixed
from .agreement import best_documents, overlaps
from .pooled import text_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from .solving import FitInput

REGULARIZATIONS = (0.0003, 0.001, 0.003, 0.01, 0.03)
BETAS = (0.0, 0.5, 1.0)
SHARES = (1.0, 0.75, 0.5)
DAMPING_DIMS = 64


@dataclass(frozen=True)
class Chosen:
    """The knobs of an adaptation.

    Attributes:
        regularization: λ of the fit.
        beta: β of damped pooling; 0: the plain mean.
        share: The share of the adapted rows in the mixture with the prior; 1: no mixture.
    """

    regularization: float = 0.01
    beta: float = 0.0
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out pseudo-queries, and the documents that both sides rank.

    Attributes:
        ids: (T,) int32 the queries' tokens, as numbers of used tokens.
        lengths: (Q,) int64.
        documents: (N, H) unit vectors that the table's queries are ranked against: the teacher's,
            centered.
        document_ids: Token ids and lengths of the same documents, if the table embeds them too.
        wanted: (Q, 10) int64 the teacher's best documents.
        without: (Q,) the document that each query leaves out; None: none.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    documents: NDArray[np.floating]
    document_ids: tuple[NDArray[np.int32], NDArray[np.int64]] | None
    wanted: NDArray[np.int64]
    without: NDArray[np.int64] | None

    def agreement(self, rows: NDArray[np.float32], beta: float) -> NDArray[np.float64]:
        """Return each query's overlap of the ten best, (Q,), under rows (U, H)."""
        queries = text_vectors(rows, self.ids, self.lengths, beta=beta, dims=DAMPING_DIMS)
        documents = self.documents
        if self.document_ids is not None:
            documents = text_vectors(rows, *self.document_ids, beta=beta, dims=DAMPING_DIMS)
        best = best_documents(queries, documents, without=self.without)
        return overlaps(self.wanted, best)


@dataclass(frozen=True)
class Choice:
    """The chosen knobs, and what they achieve.

    Attributes:
        knobs: The knobs.
        before: The mean overlap under the prior; None without a prior.
        after: The mean overlap under the trial's table with these knobs.
    """

    knobs: Chosen
    before: float | None
    after: float


def choose(
    material: FitInput,
    held_out: HeldOut,
    *,
    regularizations: Sequence[float] = REGULARIZATIONS,
    betas: Sequence[float] = BETAS,
    shares: Sequence[float] = SHARES,
    prior_beta: float = 0.0,
    advance: Callable[[int], object] = lambda done: None,
) -> Choice:
    """Choose λ, then β and the mixture, each by the largest mean overlap.

    λ is searched from the middle of the ascending list, in the direction in which it gets better.
    Of equal mixtures the one with more adapted rows wins.

    Args:
        material: The documents of the trial, without the held-out ones.
        held_out: The held-out pseudo-queries.
        regularizations: Ascending values of λ to try.
        betas: Values of β to try.
        shares: Values of the mixture's share to try; without a prior only 1 is tried.
        prior_beta: β for the overlap under the prior.
        advance: Called with 1 after each fit.
    """
    scores: dict[int, float] = {}
    best: tuple[float, float, NDArray[np.float32]] | None = None  # overlap, β, rows

    def scored(place: int) -> float:
        nonlocal best
        if place not in scores:
            rows = material.solve(regularizations[place])
            overlap, negative = max(
                (float(held_out.agreement(rows, beta).mean()), -beta) for beta in betas
            )
            scores[place] = overlap
            if best is None or overlap > best[0]:
                best = overlap, -negative, rows
            advance(1)
        return scores[place]

    place = len(regularizations) // 2
    scored(place)
    for step in (1, -1):
        start = place
        while 0 <= place + step < len(regularizations) and scored(place + step) > scored(place):
            place += step
        if place != start:
            break
    assert best is not None
    overlap, beta, rows = best
    prior = material.prior
    mixtures = [(overlap, 1.0)]
    before = None
    if prior.any():
        before = float(held_out.agreement(prior, prior_beta).mean())
        mixtures += [
            (float(held_out.agreement(mixed(prior, rows, share), beta).mean()), share)
            for share in shares
            if share < 1
        ]
    after, share = max(mixtures)
    return Choice(Chosen(regularizations[place], beta, share), before, after)
