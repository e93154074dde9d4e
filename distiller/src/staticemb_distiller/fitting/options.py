"""How a table is fitted and how its rows are shaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..recipe.recipe import Recipe


@dataclass(frozen=True)
class FitOptions:
    """The numbers of a fit.

    Attributes:
        regularization: As for `fit`.
        rounds: As for `fit`.
        iterations: As for `fit`.
        tolerance: As for `fit`.
        length_power: As for `shaped`.
        whiten: As for `shaped`.
        device: As for `fit`.
    """

    regularization: float = 0.1
    rounds: int = 2
    iterations: int = 15
    tolerance: float = 0.02
    length_power: float = 1.0
    whiten: float = 0.0
    device: str = "cpu"

    @classmethod
    def of(cls, recipe: Recipe, device: str = "cpu") -> FitOptions:
        """Take the numbers of a recipe that is resolved and `shape.settled`."""
        assert recipe.fit_regularization is not None  # resolved
        assert recipe.length_power is not None
        assert recipe.whiten is not None
        return cls(
            recipe.fit_regularization,
            recipe.fit_rounds,
            recipe.fit_iterations,
            recipe.fit_tolerance,
            recipe.length_power,
            recipe.whiten,
            device,
        )
