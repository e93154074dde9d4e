"""The table of a collection: the ridge regression of `fitting`, for the tokens that occur.

A query is shorter than a document. So titles and first sentences are fitted, too, each to the
vector of its whole document, with a tenth of a document's weight. Texts that a teacher
encoded as queries are further rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..fitting.ridge_fit import SCALED_BY, FitStep, fit, prior_scale
from .spool import PARTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

ROUNDS = 2
_WEIGHTS = (1.0, 0.1, 0.1)  # of a whole text, a title and a first sentence


@dataclass(frozen=True, eq=False)
class FitInput:
    """What a fit needs.

    Attributes:
        counts: (3 n + m, U) token counts over length, for each used token: of the parts of n
            documents, and of m queries.
        targets: (n + m, H) the teacher's unit vectors, centered; may be memory-mapped.
        prior: (U, H) float32, scaled to the targets; zeros without a prior.
        scale: The factor that scaled the prior.
        query_weights: (m,) float32, the weights of the queries.
    """

    counts: csr_matrix
    targets: NDArray[np.floating]
    prior: NDArray[np.float32]
    scale: float = 1.0
    query_weights: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def of(
        cls,
        counts: csr_matrix,
        targets: NDArray[np.floating],
        prior: NDArray[np.float32],
        query_weights: NDArray[np.float32] | None = None,
    ) -> FitInput:
        """Scale a prior (U, H) to the targets of the documents."""
        weights = np.zeros(0, np.float32) if query_weights is None else query_weights
        documents = targets.shape[0] - len(weights)
        chosen = np.linspace(0, documents - 1, min(SCALED_BY, documents)).astype(np.int64)
        scale = prior_scale(counts[PARTS * chosen], targets[chosen], prior)
        return cls(counts, targets, prior * np.float32(scale), scale, weights)

    def solve(
        self, regularization: float, *, progress: Callable[[FitStep], None] | None = None
    ) -> NDArray[np.float32]:
        """Solve for the rows (U, H) of the used tokens.

        Raises:
            DivergedError: The targets or the result have infinities or NaN.
        """
        queries = len(self.query_weights)
        documents = len(self.targets) - queries
        parts = np.array(_WEIGHTS, np.float32)
        return fit(
            self.counts,
            self.targets,
            self.prior,
            regularization=regularization,
            rounds=ROUNDS,
            text_weights=np.concatenate([np.tile(parts, documents), self.query_weights]),
            target_rows=np.concatenate(
                [np.repeat(np.arange(documents), PARTS), np.arange(documents, documents + queries)]
            ),
            progress=progress,
        )
