"""The teacher's token vectors by a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..progress import BlockProgress, Progress
from . import token_vectors as token_outputs
from .reporting import ReportingTeacher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..recipe.recipe import Recipe
    from ..vocabulary.build import Vocabulary
    from .text_encoder import LocalTeacher


def token_vectors(
    teacher: LocalTeacher,
    vocabulary: Vocabulary,
    recipe: Recipe,
    *,
    checkpoint: token_outputs.Checkpoint | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Compute token vectors, shape (V, H), by the knobs `vectors_from` and `teacher_pooling`.

    Raises:
        TeacherError: The teacher does not support the recipe's knobs, or a vector is not finite.
        CacheError: The checkpoint cannot be read or written.
    """
    if recipe.vectors_from == "input":
        return token_outputs.input_vectors(teacher, vocabulary.token_ids)
    before, after = token_outputs.special_ids(teacher.tokenizer)
    progress = progress or Progress(quiet=True)
    with progress.track("Token vectors", len(vocabulary), "tokens") as advance:
        block_progress = BlockProgress(advance)
        return token_outputs.output_vectors(
            ReportingTeacher(teacher, block_progress.within),
            vocabulary.token_ids,
            before=before,
            after=after,
            pooling=recipe.teacher_pooling,
            checkpoint=checkpoint,
            advance=block_progress.block,
        )
