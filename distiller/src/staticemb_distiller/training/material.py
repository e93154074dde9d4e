"""The inputs and the result of the training loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .dataset import Dataset
    from .start import Start


@dataclass(frozen=True, eq=False)
class Material:
    """The inputs of a training.

    Attributes:
        start: The table and its settings.
        train: The training examples.
        held_out: The validation examples, over the same texts.
        guide: (T, H) the teacher's vectors of all texts; None: no teacher.
    """

    start: Start
    train: Dataset
    held_out: Dataset
    guide: NDArray[np.float16] | None = None


@dataclass(eq=False)
class Trained:
    """The result of a training.

    Attributes:
        rows: (V, D) float32, the best validated table, or the last table without validation.
        step: The step of that table.
        steps: The number of steps that were made.
        history: One entry for each point of the learning curve.
    """

    rows: NDArray[np.float32]
    step: int
    steps: int
    history: list[dict[str, Any]] = field(default_factory=list)
