"""Batches of a limited number of tokens, longest texts first; halved if memory runs out."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import TeacherError

_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory")


def run_batches(
    lengths: NDArray[np.int64],
    budget: int,
    forward: Callable[[NDArray[np.int64]], Tensor],
    out: NDArray[np.float32],
    done: Callable[[int], object],
    *,
    padded: bool = True,
) -> int:
    """Fill `out` by running `forward` on batches of rows of similar length.

    Args:
        lengths: (N,) the number of tokens of each row.
        budget: The most tokens in a batch, padding included; a batch has at least one row.
        forward: A function from (n,) row numbers to (n, D) vectors.
        out: (N, D), the output.
        done: Called after each batch with its number of rows.
        padded: Whether rows of different lengths may share a batch. Padding changes the last digits
            of a row. Without padding they do not depend on the other rows of the batch. On a CPU
            with many rows this takes no more time.

    Returns:
        The final budget, which is smaller than the given one if memory ran out.

    Raises:
        TeacherError: A single row does not fit into memory.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        rows = order[start : start + max(1, budget // longest)]
        if not padded:
            rows = rows[lengths[rows] == lengths[rows[0]]]
        vectors = _attempt(forward, rows)
        if vectors is None:
            if len(rows) == 1:
                raise TeacherError(
                    f"out of memory on a single text of {longest} tokens; "
                    "choose another device or a smaller number type"
                )
            budget = longest * (len(rows) // 2)
            _free_cached_memory()
            continue
        out[rows] = vectors
        start += len(rows)
        done(len(rows))
    return budget


def chunks(texts: Sequence[str], count: int, characters: int) -> Iterator[Sequence[str]]:
    """Split texts into chunks of at most `count` texts and about `characters` characters.

    Example:
        >>> list(chunks(["aaaa", "b", "c"], 2, 4))
        [['aaaa'], ['b', 'c']]
    """
    start, size = 0, 0
    for stop, text in enumerate(texts):
        if stop > start and (stop - start >= count or size + len(text) > characters):
            yield texts[start:stop]
            start, size = stop, 0
        size += len(text)
    if start < len(texts):
        yield texts[start:]


def _attempt(
    forward: Callable[[NDArray[np.int64]], Tensor], rows: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """Run a batch; None if memory ran out. Returning frees the tensors of a failed batch."""
    try:
        vectors: NDArray[np.float32] = forward(rows).float().cpu().numpy()
    except (torch.cuda.OutOfMemoryError, MemoryError):
        return None
    except RuntimeError as error:
        # torch raises RuntimeError on the CPU and on Apple's GPUs.
        if any(message in str(error).lower() for message in _MESSAGES):
            return None
        raise
    return vectors


def _free_cached_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
