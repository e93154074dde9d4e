"""The teacher's vector of each token, as a recipe asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..progress import BlockProgress, Progress
from . import token_vectors as tokens
from .reporting import ReportingTeacher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..recipe.recipe import Recipe
    from ..vocabulary.build import Vocabulary
    from . import Teacher


def token_vectors(
    teacher: Teacher,
    vocabulary: Vocabulary,
    recipe: Recipe,
    *,
    checkpoint: tokens.Checkpoint | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """The teacher's vector of each token, shape (V, H), by `vectors_from` and `teacher_pooling`.

    Raises:
        TeacherError: The teacher cannot do what is asked.
        TeacherError: A vector is not finite.
        CacheError: The checkpoint cannot be read or written.
    """
    if recipe.vectors_from == "input":
        return tokens.input_vectors(teacher, vocabulary.token_ids)
    before, after = tokens.special_ids(teacher.tokenizer)
    progress = progress or Progress(quiet=True)
    with progress.track("Token vectors", len(vocabulary), "tokens") as advance:
        counted = BlockProgress(advance)
        return tokens.output_vectors(
            ReportingTeacher(teacher, counted.within),
            vocabulary.token_ids,
            before=before,
            after=after,
            pooling=recipe.teacher_pooling,
            checkpoint=checkpoint,
            advance=counted.block,
        )
