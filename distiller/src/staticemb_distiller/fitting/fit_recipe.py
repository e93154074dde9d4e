"""The fit of a recipe: its sources of text, and the fitted table."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from ..corpus.sampling import TextSource, gather
from ..corpus.source_spec import GIVEN
from ..progress import BlockProgress
from ..recipe.budget import Budget
from ..scratch_folder import scratch_folder
from ..teacher.reporting import with_tokens
from ..teacher.text_encoder import LocalTeacher
from ..teacher.text_limit import text_limit
from .fit_texts import Fitted, fit_table
from .options import FitOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..progress import Progress
    from ..recipe.recipe import Recipe
    from ..teacher.text_encoder import TextEncoder
    from ..vocabulary.build import Vocabulary
    from .ridge_fit import FitStep


def sources(recipe: Recipe) -> list[TextSource]:
    """Parse the sources of text of a recipe; the classical table has no sources.

    Raises:
        TextSourceError: A source is invalid.
    """
    if not recipe.fitted or GIVEN in recipe.fit:
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


def fit_texts(
    teacher: TextEncoder,
    vocabulary: Vocabulary,
    recipe: Recipe,
    translated: Mapping[TextSource, Sequence[str]],
) -> Gathered:
    """Read the texts of a recipe's fit, cut to the length that a Sentence Transformer reads.

    Args:
        teacher: The teacher.
        vocabulary: The new model's vocabulary.
        recipe: The recipe.
        translated: The output of `translations`.

    Raises:
        TextSourceError: A source cannot be read, or has no new text.
    """
    text_sources = sources(recipe)
    words_of = Tokenizer.from_str(vocabulary.tokenizer_json.decode())
    parts = gather(
        text_sources,
        teacher.tokenizer or words_of,
        _text_limit(teacher),
        words_of=words_of,
        languages=recipe.fit_language,
        translations=translated,
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
    teacher: TextEncoder,
    vocabulary: Vocabulary,
    gathered: Gathered,
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    recipe: Recipe,
    *,
    cache: Path | None,
    output: Path,
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
        cache: The folder that keeps the teacher's vectors; None: a temporary one beside `output`.
        output: The file that is made.
        progress: The progress display.

    Raises:
        CacheError: The cache is damaged or cannot be written.
        TeacherError: The teacher cannot encode.
        DivergedError: The fit gave infinities or NaN.
    """
    options = FitOptions.of(recipe, _device(teacher))
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
        cache_folder(cache, output) as folder,
        progress.track("Text vectors", read, "texts") as advance,
    ):
        block_progress = BlockProgress(advance)
        return fit_table(
            texts,
            gathered.weights,
            teacher,
            vocabulary.tokenizer_json,
            vocabulary.unknown_token_id,
            vectors,
            weights,
            cache=folder,
            budget=budget,
            own=gathered.own,
            options=options,
            encoded=steps(block_progress.block, teacher, progress),
            advance=block_progress.within,
            fitted=lambda step: progress.note(_described(step)),
        )


def _text_limit(teacher: TextEncoder) -> int:
    prompt = teacher.default_prompt if isinstance(teacher, LocalTeacher) else ""
    limit = text_limit(teacher, prompt)
    return sys.maxsize if limit is None else limit


def _device(teacher: TextEncoder) -> str:
    """Return the device of the fit: the teacher's, if it is CUDA."""
    device = str(teacher.device) if isinstance(teacher, LocalTeacher) else "cpu"
    return device if device.startswith("cuda") else "cpu"


@contextmanager
def cache_folder(cache: Path | None, output: Path) -> Iterator[Path]:
    """Yield the folder of a cache; a temporary folder beside the output if there is none."""
    if cache is not None:
        yield cache
        return
    with scratch_folder(output) as folder:
        yield folder


def steps(
    advance: Callable[[int], object], teacher: TextEncoder, progress: Progress
) -> Callable[[int, int], None]:
    """Turn a function of the texts done since its last call into one of the total done so far.

    For a server, the tokens that it has counted are shown as well.
    """
    before, shown = 0, with_tokens(advance, teacher, progress)

    def encoded(done: int, total: int) -> None:
        nonlocal before
        shown(done - before)
        before = done

    return encoded


def _described(step: FitStep) -> str:
    return f"Fit, round {step.round}: {step.iterations} iterations, residual {step.residual:.4f}"
