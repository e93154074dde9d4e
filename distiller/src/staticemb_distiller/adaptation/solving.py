"""The table of a collection: the ridge regression of `fitting`, for the tokens that occur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..fitting.ridge_fit import FitStep, fit, scale_prior

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Material:
    """What a fit needs.

    Attributes:
        counts: (n, U) token counts over length of whole documents; one column for each used token.
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
    ) -> Material:
        """Scale a prior (U, H) to the targets."""
        scaled = scale_prior(counts, targets, prior)
        largest = float(np.abs(prior).max(initial=0.0))
        scale = float(np.abs(scaled).max()) / largest if largest else 1.0
        return cls(counts, targets, scaled, scale)

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
            progress=progress,
        )
