"""The teacher's vectors of a data set's texts, memory-mapped from disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..progress import BlockProgress
from ..teacher.cache import TeacherCache
from ..teacher.cached import through_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from ..teacher.sentence_transformer import Teacher
    from .dataset import Dataset

_BLOCK = 8_192


def teacher_vectors(
    teacher: Teacher,
    dataset: Dataset,
    numbers: NDArray[np.int64],
    folder: Path,
    cache: Path,
    advance: Callable[[int], object],
) -> NDArray[np.float16]:
    """Encode texts of a data set with a teacher.

    Args:
        teacher: The teacher.
        dataset: A data set of T texts.
        numbers: The numbers of the texts to encode.
        folder: The folder of the memory-mapped result.
        cache: The folder of the permanent cache of the teacher's vectors.
        advance: Called with the number of texts done since its last call.

    Returns:
        (T, H) float16, memory-mapped; zeros for texts that are not in `numbers`.

    Raises:
        TeacherError: The teacher cannot encode.
        CacheError: The cache is damaged or cannot be written.
    """
    store = TeacherCache(cache, teacher.about(), teacher.dim)
    vectors = np.lib.format.open_memmap(
        folder / "teacher.npy", "w+", np.float16, (len(dataset.texts), teacher.dim)
    )
    counted = BlockProgress(advance)
    for first in range(0, len(numbers), _BLOCK):
        block = numbers[first : first + _BLOCK]
        vectors[block] = through_cache(
            store, teacher, dataset.read_texts(block), kind=None, advance=counted.within
        )
        counted.block(len(block))
    return vectors
