"""The training loop: steps, epochs and rounds, from a start and examples to a trained table.

One step is one batch. `validations` times an epoch, the table is validated on the held-out
examples, the best table is kept, and the state is saved. After each round except the last, hard
negatives are mined, and the epochs are repeated with them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import CacheError, DivergedError
from .bag import Bag, RowAdam
from .batches import batches, steps
from .checkpoint import State
from .losses import with_full_width
from .material import Trained
from .mining import mine
from .objective import Objective
from .schedule import learning_rate, next_validation
from .validation import ValidationScore, validate
from .workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .batches import Batch
    from .checkpoint import TrainingCheckpoint
    from .dataset import Dataset
    from .material import Material
    from .recipe import TrainingRecipe

_POINTS = 100  # points of the learning curve in an epoch


def run_steps(
    material: Material,
    recipe: TrainingRecipe,
    *,
    batch_size: int,
    device: torch.device | str = "cpu",
    workers: Workers | None = None,
    checkpoint: TrainingCheckpoint | None = None,
    advance: Callable[[int], object] = lambda done: None,
    note: Callable[[dict[str, Any]], object] = lambda entry: None,
) -> Trained:
    """Train a table.

    Args:
        material: The start and the examples.
        recipe: The knobs under "What is lowered" and "How", and `seed`.
        batch_size: The examples in a step, over all processes.
        device: The device of the arithmetic.
        workers: The processes that share the work; None: this process alone.
        checkpoint: The storage of the state; the training resumes from a state that it holds.
        advance: Called with the number of steps made since its last call.
        note: Called with each new entry of the history.

    Raises:
        DivergedError: A loss is not finite.
        CacheError: The state cannot be read or written.
    """
    run = _Run(material, recipe, batch_size, device, workers or Workers(), checkpoint, note)
    run.restore()
    advance(run.step)
    while run.step < run.total and not run.stopped:
        previous = run.step
        run.train_to_validation(advance)
        assert run.step > previous, "an epoch holds at least one batch"
    rows = run.table() if run.best is None else run.best
    return Trained(rows, run.best_step if run.best is not None else run.step, run.step, run.history)


def total_steps(dataset: Dataset, recipe: TrainingRecipe, batch_size: int) -> int:
    """Count the steps of a training that is not stopped early."""
    return steps(dataset, batch_size) * recipe.epochs * (recipe.mine + 1)


class _Run:
    """A training in progress."""

    def __init__(
        self,
        material: Material,
        recipe: TrainingRecipe,
        batch_size: int,
        device: torch.device | str,
        workers: Workers,
        checkpoint: TrainingCheckpoint | None,
        note: Callable[[dict[str, Any]], object],
    ) -> None:
        self.material, self.recipe, self.batch_size = material, recipe, batch_size
        self.workers, self.checkpoint, self.note = workers, checkpoint, note
        start = material.start
        self.bag = Bag(start.rows, device=device, damping=start.damping)
        self.peak = recipe.learning_rate
        self.optimizer = RowAdam(self.bag.table, pull=recipe.pull)
        self.dataset = material.train
        self.per_epoch = steps(material.train, batch_size)
        self.total = total_steps(material.train, recipe, batch_size)
        self.step = 0
        self.best: NDArray[np.float32] | None = None
        # The value and the negated loss of the best validation: the loss decides between equals.
        self.best_order, self.best_step = (-math.inf, -math.inf), 0
        self.worse = 0  # validations in a row without a better one
        self.history: list[dict[str, Any]] = []

    @property
    def stopped(self) -> bool:
        """Whether `patience` validations in a row were not better."""
        return self.recipe.patience is not None and self.worse >= self.recipe.patience

    def table(self) -> NDArray[np.float32]:
        """Return a copy of the current table."""
        return np.array(self.bag.table.cpu().numpy())

    def train_to_validation(self, advance: Callable[[int], object]) -> None:
        """Make the steps up to the next validation, validate and save the state."""
        per_round = self.per_epoch * self.recipe.epochs
        if self.step and self.step % per_round == 0:
            self._mine()
        epoch, first = divmod(self.step, self.per_epoch)
        objective = self._objective(self.dataset, self.workers)
        end = next_validation(first, self.per_epoch, self.recipe.validations)
        losses: list[float] = []
        every = max(1, self.per_epoch // _POINTS)
        for batch in batches(
            self.dataset,
            self.batch_size,
            seed=self.recipe.seed,
            epoch=epoch,
            start=first,
            rank=self.workers.rank,
            world=self.workers.world,
        ):
            losses.append(self._step(objective, batch))
            advance(1)
            done = self.step - epoch * self.per_epoch
            if self.step % every == 0 or done == end:
                self._log({"step": self.step, "loss": float(np.mean(losses)), "rate": self._rate()})
                losses.clear()
            if done == end:
                break
        self._validate()
        self._save()

    def _step(self, objective: Objective, batch: Batch) -> float:
        """Make a step, and return the loss of its batch."""
        loss, which, gradient = objective.gradient(batch)
        if not math.isfinite(loss):
            raise DivergedError(
                f"step {self.step + 1}: expected a finite loss, found {loss}; a lower "
                "learning_rate or a higher temperature may help"
            )
        rate = self._rate()
        self.optimizer.step(which, gradient, rate, rate / self.peak)
        self.step += 1
        return loss

    def _rate(self) -> float:
        """Return the learning rate of the next step."""
        return learning_rate(self.step, self.total, peak=self.peak, warmup=self.recipe.warmup)

    def _objective(self, dataset: Dataset, workers: Workers) -> Objective:
        recipe, start = self.recipe, self.material.start
        prefixes, weights = with_full_width(
            recipe.prefixes or start.prefixes, recipe.prefix_weights, start.rows.shape[1]
        )
        return Objective(
            self.bag,
            dataset,
            prefixes,
            weights,
            recipe.temperature,
            workers,
            self.material.guide,
            recipe.teacher_weight,
        )

    def _mine(self) -> None:
        self.dataset = mine(
            self.bag,
            self.material.train,
            count=self.recipe.mine_negatives,
            margin=self.recipe.mine_margin,
        )

    def _validate(self) -> None:
        """Validate in the first process, and broadcast the result to the others."""
        score: ValidationScore | None = None
        if self.workers.first:
            objective = self._objective(self.material.held_out, Workers())
            held_out, train = self.material.held_out, self.material.train
            score = validate(objective, held_out, train, self.batch_size)
        order = None if score is None else (score.value, -score.loss)
        order = self.workers.tell(order, self.bag.device)
        if order is None:
            return
        if score is not None:
            entry = {"step": self.step, "validation_loss": score.loss, "value": score.value}
            self._log(entry | score.measures)
        if order > self.best_order:
            self.best, self.best_order, self.best_step = self.table(), order, self.step
            self.worse = 0
        else:
            self.worse += 1

    def _log(self, entry: dict[str, Any]) -> None:
        self.history.append(entry)
        self.note(entry)

    def _save(self) -> None:
        if self.checkpoint is None or not self.workers.first:
            return
        arrays: dict[str, NDArray[Any]] = {
            "table": self.table(),
            "first": self.optimizer.first.cpu().numpy(),
            "second": self.optimizer.second.cpu().numpy(),
        }
        if self.best is not None:
            arrays["best"] = self.best
        originals = self.material.train.examples
        for number, (old, new) in enumerate(zip(originals, self.dataset.examples, strict=True)):
            arrays[f"mined{number}"] = new.columns[:, old.columns.shape[1] :]
        numbers = {
            "step": self.step,
            "optimizer_steps": self.optimizer.steps,
            "best_order": self.best_order,
            "best_step": self.best_step,
            "worse": self.worse,
            "history": self.history,
        }
        self.checkpoint.save(State(arrays, numbers))

    def restore(self) -> None:
        """Resume from the saved state; without a state, validate the start."""
        state = None if self.checkpoint is None else self.checkpoint.load()
        step = 0 if state is None else state.numbers["step"]
        first = self.workers.tell((step, 0), self.bag.device)
        if first is not None and first[0] != step:
            raise CacheError(
                f"checkpoint: expected one folder for all processes, found step {step} in the "
                f"folder of this process and step {first[0]:.0f} in the first process's"
            )
        if state is None:
            self._validate()
            return
        numbers = state.numbers
        for tensor, name in (
            (self.bag.table, "table"),
            (self.optimizer.first, "first"),
            (self.optimizer.second, "second"),
        ):
            tensor.copy_(torch.from_numpy(state.arrays[name]))
        self.best = state.arrays.get("best")
        self.step, self.optimizer.steps = numbers["step"], numbers["optimizer_steps"]
        self.best_order, self.best_step = tuple(numbers["best_order"]), numbers["best_step"]
        self.worse, self.history = numbers["worse"], numbers["history"]
        train = self.material.train
        examples = [
            old.with_negatives(state.arrays[f"mined{number}"])
            for number, old in enumerate(train.examples)
        ]
        self.dataset = replace(train, examples=examples)
