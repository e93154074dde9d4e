"""The learning rate of each step, and the steps after which the table is validated."""

from __future__ import annotations

from math import ceil


def learning_rate(step: int, total: int, *, peak: float, warmup: float) -> float:
    """Compute the learning rate of a step: a linear rise, then a linear fall to zero.

    The rise begins at zero before the first step, and the fall ends at zero after the last one.

    Args:
        step: The number of earlier steps.
        total: The number of steps of the training.
        peak: The highest rate.
        warmup: The share of the steps in which the rate rises, from 0 to 1.

    Example:
        >>> [learning_rate(step, 5, peak=1.0, warmup=0.2) for step in range(6)]
        [0.5, 0.8, 0.6, 0.4, 0.2, 0.0]
    """
    rise = warmup * total
    up = (step + 1) / (rise + 1)
    down = (total - step) / (total - rise + 1)
    return peak * min(1.0, up, down)


def next_validation(done: int, per_epoch: int, validations: int) -> int:
    """Return the step of an epoch after which the table is validated next.

    Args:
        done: The number of steps of the epoch that are made, fewer than `per_epoch`.
        per_epoch: The number of steps in an epoch.
        validations: The number of validations in an epoch. They are evenly spaced, and the last
            follows the last step. Validations after the same step count once.

    Example:
        >>> [next_validation(done, 10, 3) for done in (0, 3, 4, 9)]
        [4, 4, 7, 10]
    """
    ends = (ceil(per_epoch * part / validations) for part in range(1, validations + 1))
    return next(end for end in ends if end > done)
