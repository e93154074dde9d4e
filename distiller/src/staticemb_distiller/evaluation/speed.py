"""How many texts a second a model embeds on this machine, for the picture of quality against speed.

It is a rough figure, taken while the quality is measured; `benchmarks/` measures speed properly.
"""

import time
from collections.abc import Sequence

import numpy as np

from .models import Embedder
from .tasks import Task

SAMPLE = 4096


def sample(tasks: Sequence[Task], size: int = SAMPLE, seed: int = 0) -> list[str]:
    """Distinct texts of the tasks, drawn at random: the texts that speed is measured on."""
    distinct = sorted({text for task in tasks for texts in task.texts.values() for text in texts})
    chosen = np.random.default_rng(seed).permutation(len(distinct))[:size]
    return [distinct[i] for i in chosen]


def texts_per_second(model: Embedder, texts: Sequence[str], seconds: float = 2.0) -> float:
    """The median rate of three passes over as many of the texts as fit in about that time."""
    first = list(texts[:64])
    model.encode(first)
    guess = len(first) / max(_seconds(model, first), 1e-9)
    chosen = list(texts[: max(len(first), int(guess * seconds / 3))])
    return float(np.median([len(chosen) / _seconds(model, chosen) for _ in range(3)]))


def _seconds(model: Embedder, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    model.encode(texts)
    return max(time.perf_counter() - start, 1e-9)
