"""The fit of a recipe: its sources of text, and the fitted table."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from ..corpus.sampling import TextSource, gather
from ..progress import BlockProgress
from ..recipe.budget import Budget
from ..teacher.reporting import ReportingTeacher
from ..teacher.token_vectors import special_ids
from .fit_texts import Fitted, fit_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ..progress import Progress
    from ..recipe.recipe import Recipe
    from ..teacher.sentence_transformer import Teacher
    from ..vocabulary.build import Vocabulary
    from .ridge_fit import FitStep


def sources(recipe: Recipe) -> list[TextSource]:
    """Parse the sources of text of a recipe; the classical table has no sources.

    Raises:
        TextSourceError: A source is invalid.
    """
    if not recipe.fitted:
        return []
    own = [TextSource.parse(spec, limit=recipe.limit) for spec in recipe.text]
    # With `text`, the limit is for text alone: few generated sequences would make a poor table.
    limit = None if own else recipe.limit
    return own + [TextSource.parse(spec, limit=limit) for spec in recipe.fit]


@dataclass(frozen=True, eq=False)
class Gathered:
    """The texts of a fit, before any budget.

    Attributes:
        texts: The texts of the recipe's `text`, then the texts of its `fit`.
        weights: The weight of each text.
        own: The number of texts of `text`.
    """

    texts: list[str]
    weights: list[float]
    own: int

    @property
    def own_share(self) -> float:
        """The weight of the texts of `text` as a share of the weight of all texts."""
        return sum(self.weights[: self.own]) / sum(self.weights)


def fit_texts(teacher: Teacher, vocabulary: Vocabulary, recipe: Recipe) -> Gathered:
    """Read the texts of a recipe's fit.

    Raises:
        TextSourceError: A source cannot be read, or has no new text.
    """
    text_sources = sources(recipe)
    parts = gather(
        text_sources,
        teacher.tokenizer,
        _longest(teacher),
        words_of=Tokenizer.from_str(vocabulary.tokenizer_json.decode()),
        language=recipe.fit_language,
        seed=recipe.seed,
    )
    return Gathered(
        texts=[text for part in parts for text in part],
        weights=[
            source.weight for source, part in zip(text_sources, parts, strict=True) for _ in part
        ],
        own=sum(map(len, parts[: len(recipe.text)])),
    )


def fit_recipe(
    teacher: Teacher,
    vocabulary: Vocabulary,
    gathered: Gathered,
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    recipe: Recipe,
    *,
    cache: Path | None,
    progress: Progress,
) -> Fitted:
    """Let the teacher encode texts, and fit the table to its vectors.

    Args:
        teacher: The teacher.
        vocabulary: The new model's vocabulary of V tokens.
        gathered: The output of `fit_texts`.
        vectors: (V, H) the teacher's vectors of the tokens.
        weights: (V,) the token weights of the classical table, from which the fit starts.
        recipe: The knobs from `fit` to `whiten`, and `seed`; resolved and `shape.settled`.
        cache: The folder that keeps the teacher's vectors; None: a temporary folder.
        progress: The progress display.

    Raises:
        CacheError: The cache is damaged or cannot be written.
        TeacherError: The teacher cannot encode.
        DivergedError: The fit gave infinities or NaN.
    """
    assert recipe.length_power is not None  # resolved
    assert recipe.whiten is not None
    texts = gathered.texts
    budget = Budget.parse(recipe.teacher_budget)
    read = len(texts) if budget.texts is None else min(budget.texts, len(texts))
    progress.note(
        f"Texts: {len(texts)} found"
        + (f", {gathered.own} of them yours" if gathered.own else "")
        + f", {read} to read"
        + (f" in {recipe.teacher_budget}" if budget.seconds is not None else "")
    )
    with (
        _folder(cache) as folder,
        progress.track("Text vectors", read, "texts") as advance,
    ):
        block_progress = BlockProgress(advance)
        return fit_table(
            texts,
            gathered.weights,
            ReportingTeacher(teacher, block_progress.within),
            vocabulary.tokenizer_json,
            vocabulary.unknown_token_id,
            vectors,
            weights,
            cache=folder,
            about=teacher.about(),
            budget=budget,
            own=gathered.own,
            regularization=recipe.fit_regularization,
            rounds=recipe.fit_rounds,
            iterations=recipe.fit_iterations,
            tolerance=recipe.fit_tolerance,
            length_power=recipe.length_power,
            whiten=recipe.whiten,
            device=str(teacher.device) if teacher.device.type == "cuda" else "cpu",
            encoded=_steps(block_progress.block),
            fitted=lambda step: progress.note(_described(step)),
        )


def _longest(teacher: Teacher) -> int:
    """Return how many tokens of a text the teacher reads, without special tokens and prompt."""
    if teacher.max_length is None:
        return sys.maxsize
    prompt = teacher.tokenizer.encode(teacher.default_prompt, add_special_tokens=False).ids
    frame = sum(map(len, special_ids(teacher.tokenizer)))
    return max(1, teacher.max_length - frame - len(prompt))


@contextmanager
def _folder(cache: Path | None) -> Iterator[Path]:
    if cache is not None:
        yield cache
        return
    with tempfile.TemporaryDirectory(prefix="staticemb-") as folder:
        yield Path(folder)


def _steps(advance: Callable[[int], object]) -> Callable[[int, int], None]:
    """Turn a function of the texts done since its last call into one of the total done so far."""
    before = 0

    def encoded(done: int, total: int) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return encoded


def _described(step: FitStep) -> str:
    return f"Fit, round {step.round}: {step.iterations} iterations, residual {step.residual:.4f}"
