"""95 % bootstrap intervals: of figures that a benchmark saves, and the sentence about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from staticemb_distiller.evaluation import difference
from staticemb_distiller.evaluation.bootstrap import interval, resampled
from staticemb_distiller.evaluation.scoring import Outcome

RESAMPLES = 1000
INTERVALS = "intervals"
"""The key of saved results: name of a figure -> (low, high), beside the figures themselves."""


def ends(shares: ArrayLike) -> tuple[float, float]:
    """Return the interval of a mean × 100 of each query's share (Q,)."""
    outcome = _outcome(shares)
    found = interval(outcome.value, resampled(outcome, RESAMPLES, seed=0))
    return round(found.low, 2), round(found.high, 2)


def gain(shares: ArrayLike, others: ArrayLike) -> dict[str, float]:
    """Return the difference of two means × 100 of the same queries (Q,), with its interval."""
    found = difference([_outcome(shares)], [_outcome(others)], resamples=RESAMPLES)
    return {key: round(getattr(found, key), 2) for key in ("value", "low", "high")}


def _outcome(shares: ArrayLike) -> Outcome:
    each: NDArray[Any] = np.asarray(shares, np.float64)
    return Outcome("share", 100 * float(each.mean()), "mean", np.zeros(0), each)


def shown_gain(cell: Mapping[str, float]) -> str:
    """Format what `gain` returned."""
    return f"{cell['value']:+.1f} ({cell['low']:+.1f} to {cell['high']:+.1f})"


def sentence(found: Iterable[tuple[float, float]], resamples: int = RESAMPLES) -> str:
    """Name the widest interval; empty without one, as in results that were saved before."""
    widest = max(((high - low) / 2 for low, high in found), default=None)
    if widest is None:
        return ""
    return (
        f"95 % intervals of {resamples:,} bootstrap samples reach at most {widest:.1f} points to "
        "each side. "
    )


def saved(content: Any) -> Iterator[tuple[float, float]]:
    """Yield every interval in saved results, at any depth."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key == INTERVALS:
                yield from ((low, high) for low, high in value.values())
            else:
                yield from saved(value)
    elif isinstance(content, list):
        for value in content:
            yield from saved(value)
