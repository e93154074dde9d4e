"""A trial for few examples: part of them is trained on, and the rest tells whether that helps.

With few examples, all of them are trained on, so none is left to show that the training helped. The
trial trains on two thirds, with the same knobs, and compares the tables on the last third.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import TrainingError
from .batches import choose_batch_size
from .holding_out import sides
from .loop import run_steps
from .material import Material, Trained
from .selection import Selection, gains, held_out_value, select
from .workers import Workers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..progress import Progress
    from .dataset import Dataset, Examples
    from .recipe import TrainingRecipe

_SHARE = 1 / 3
_LEAST = 60  # examples of a source; a third of fewer tells nothing


@dataclass(frozen=True)
class Trial:
    """The result of a trial.

    Attributes:
        examples: The number of examples that were compared on.
        before: The value of the start on them, as in `measure`.
        after: The value of the trained table, or of the mixed one for the file if that is lower.
        steps: The number of steps that were made.
    """

    examples: int
    before: float
    after: float
    steps: int

    @property
    def helped(self) -> bool:
        """Whether the trained table was better."""
        return gains(self.before, self.after, self.examples)


def lost_trial(
    material: Material,
    recipe: TrainingRecipe,
    device: torch.device,
    workers: Workers,
    progress: Progress,
) -> Selection | None:
    """Try a training without held-out examples; return the start if the trial did not help.

    Args:
        material: As for `trial`.
        recipe: As for `trial`.
        device: As for `trial`.
        workers: As for `trial`.
        progress: Receives notes on the trial.
    """
    progress.note("Trial: training on two thirds of the examples")
    result = trial(material, recipe, device=device, workers=workers)
    if result is None:
        progress.note("There are too few examples to tell whether the training helps")
        return None
    values = f"{result.before:.4f} to {result.after:.4f} on {result.examples} examples"
    if result.helped:
        progress.note(f"Trial: the training helped ({values})")
        return None
    history = [{"step": 0, "value": result.before}, {"step": result.steps, "value": result.after}]
    kept = Trained(material.start.rows, 0, 0, history)
    return Selection(kept, 0.0, f"The training did not help in a trial ({values})")


def trial(
    material: Material,
    recipe: TrainingRecipe,
    *,
    device: torch.device | str = "cpu",
    workers: Workers | None = None,
) -> Trial | None:
    """Train on two thirds of the examples, and compare the result with the start on the rest.

    Args:
        material: The start and the examples; none of them are held out.
        recipe: The knobs of the training.
        device: The device of the arithmetic.
        workers: The processes that share the work; None: this process alone.

    Returns:
        The comparison, equal in all processes; None if there are too few examples to tell.

    Raises:
        DivergedError: A loss is not finite.
    """
    workers = workers or Workers()
    parts = thirds(material.train, recipe.seed)
    if parts is None:
        return None
    rest, third = parts
    own = recipe
    if recipe.batch_size is not None and recipe.batch_size > min(map(len, rest.examples)):
        own = replace(recipe, batch_size=None)
    try:
        batch_size = choose_batch_size(rest, own.batch_size, workers.world)
    except TrainingError:  # for example, weights that leave no example of two thirds
        return None
    start = material.start
    none_held_out = replace(third, examples=[_cut(part, []) for part in third.examples])
    trained = run_steps(
        Material(start, rest, none_held_out, material.guide),
        own,
        batch_size=batch_size,
        device=device,
        workers=workers,
    )

    values = None
    if workers.first:
        compared = Material(start, rest, third)
        selected = select(compared, trained, recipe.general_agreement).trained
        before = held_out_value(compared, start.rows)
        # A small step toward a poor table gains by chance, so the whole step must gain as well.
        after = [held_out_value(compared, rows) for rows in (trained.rows, selected.rows)]
        if before is not None:
            values = before, min(value for value in after if value is not None)
    values = workers.tell(values, torch.device(device))
    if values is None:
        return None
    return Trial(sum(map(len, third.examples)), *values, trained.steps)


def thirds(examples: Dataset, seed: int) -> tuple[Dataset, Dataset] | None:
    """Split examples by their anchors into two thirds and one third.

    Args:
        examples: The examples.
        seed: Another seed selects other anchors.

    Returns:
        The two parts, over the same texts; None if a source has too few examples.
    """
    if min(map(len, examples.examples)) < _LEAST:
        return None
    numbers = np.arange(len(examples.texts), dtype=np.uint64)
    columns = [np.asarray(part.columns) for part in examples.examples]
    masks = sides(columns, numbers, _SHARE, seed)
    if any(rest.sum() < 2 or not third.any() for rest, third in masks):
        return None
    rest, third = (
        replace(
            examples,
            examples=[
                _cut(part, mask[side]) for part, mask in zip(examples.examples, masks, strict=True)
            ],
        )
        for side in range(2)
    )
    return rest, third


def _cut(examples: Examples, which: NDArray[np.bool_] | list[int]) -> Examples:
    """Return some of the examples of a source."""
    chosen = np.asarray(which, bool if len(which) else np.int64)

    def cut(array: Any) -> Any:  # noqa: ANN401 - of any dtype
        return None if array is None else np.asarray(array)[chosen]

    return replace(
        examples,
        columns=cut(examples.columns),
        scores=cut(examples.scores),
        labels=cut(examples.labels),
    )
