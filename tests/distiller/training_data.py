"""Small sets of examples in memory, for tests of training."""

import numpy as np

from staticemb_distiller.training.batches import Batch
from staticemb_distiller.training.objective import Objective
from staticemb_distiller.training.tokenized import Dataset, Examples, Texts
from staticemb_distiller.training.workers import Workers


def texts(random, count, tokens):
    """Texts of one to five random tokens."""
    lengths = random.integers(1, 6, count)
    ids = random.integers(tokens, size=lengths.sum()).astype(np.int32)
    return Texts(ids, np.concatenate([[0], np.cumsum(lengths)]))


def dataset(random, *, texts: int, tokens: int, kind: str = "pairs"):
    """Random texts, and one source without examples to say of which kind batches are."""
    return Dataset(_texts(random, texts, tokens), [Examples(kind, np.zeros((0, 2), np.int32))])


_texts = texts


def batch(columns, scores=None, labels=None):
    """A batch of the first source."""
    return Batch(0, np.asarray(columns, np.int32), scores, labels)


def objective(bag, data, *, prefixes, temperature=0.1, guide=None):
    """An objective in which all prefixes count the same."""
    return Objective(
        bag,
        data,
        prefixes,
        (1.0,) * len(prefixes),
        temperature,
        Workers(),
        guide,
        0.5,
    )
