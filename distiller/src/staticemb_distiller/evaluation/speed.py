"""A model's speed on this machine, for the report's chart of quality against speed.

The figure is rough, because it is measured during the evaluation. `benchmarks/` measures exactly.
"""

import time
from collections.abc import Sequence

import numpy as np

from .models import Embedder
from .tasks import Task

SAMPLE = 4096


def sample(tasks: Sequence[Task], size: int = SAMPLE, seed: int = 0) -> list[str]:
    """Draw distinct texts of the tasks at random, to measure speed on."""
    distinct = sorted({text for task in tasks for texts in task.texts.values() for text in texts})
    chosen = np.random.default_rng(seed).permutation(len(distinct))[:size]
    return [distinct[i] for i in chosen]


def texts_per_second(model: Embedder, texts: Sequence[str], seconds: float = 2.0) -> float:
    """Measure the texts per second: the median of three passes.

    Args:
        model: The model.
        texts: The texts; their number in a pass is chosen by the model's speed.
        seconds: The approximate time of the three passes together.
    """
    first = list(texts[:64])
    model.encode(first)
    guess = len(first) / max(_seconds(model, first), 1e-9)
    chosen = list(texts[: max(len(first), int(guess * seconds / 3))])
    return float(np.median([len(chosen) / _seconds(model, chosen) for _ in range(3)]))


def _seconds(model: Embedder, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    model.encode(texts)
    return max(time.perf_counter() - start, 1e-9)
