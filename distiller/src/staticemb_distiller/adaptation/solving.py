"""The table of a collection: the ridge regression of `fitting`, for the tokens that occur.

A query is shorter than a document. So titles and first sentences are fitted, too, each to the
vector of its whole document, with a tenth of a document's weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..fitting.ridge_fit import SCALED_BY, FitStep, fit, prior_scale
from .spool import PARTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

ROUNDS = 2
WEIGHTS = (1.0, 0.1, 0.1)  # of a whole text, a title and a first sentence


@dataclass(frozen=True, eq=False)
class FitInput:
    """What a fit needs.

    Attributes:
        counts: (3 n, U) token counts over length of the parts of n documents, for each used token.
        targets: (n, H) the teacher's unit vectors, centered; may be memory-mapped.
        prior: (U, H) float32, scaled to the targets; zeros without a prior.
        scale: The factor that scaled the prior.
    """

    counts: csr_matrix
    targets: NDArray[np.floating]
    prior: NDArray[np.float32]
    scale: float = 1.0

    @classmethod
    def of(
        cls, counts: csr_matrix, targets: NDArray[np.floating], prior: NDArray[np.float32]
    ) -> FitInput:
        """Scale a prior (U, H) to the targets."""
        documents = targets.shape[0]
        chosen = np.linspace(0, documents - 1, min(SCALED_BY, documents)).astype(np.int64)
        scale = prior_scale(counts[PARTS * chosen], targets[chosen], prior)
        return cls(counts, targets, prior * np.float32(scale), scale)

    def solve(
        self, regularization: float, *, progress: Callable[[FitStep], None] | None = None
    ) -> NDArray[np.float32]:
        """Solve for the rows (U, H) of the used tokens.

        Raises:
            DivergedError: The targets or the result have infinities or NaN.
        """
        return fit(
            self.counts,
            self.targets,
            self.prior,
            regularization=regularization,
            rounds=ROUNDS,
            text_weights=np.tile(np.array(WEIGHTS, np.float32), len(self.targets)),
            target_rows=np.repeat(np.arange(len(self.targets)), PARTS),
            progress=progress,
        )
