"""The start of a training: a static model, a teacher's classical table, or random rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from staticemb_runtime.errors import NotAModelError, UnsupportedModelError
from staticemb_runtime.loading import find_installed, not_installed, open_parts

from ..errors import HubUnavailableError, RecipeError, TeacherNotFoundError, TrainingError
from ..file.optional_names import optional_names
from ..interop.convert import plain_tokenizer
from ..interop.folder_files import dense_rows
from ..path_checks import exists, is_folder
from ..recipe.recipe import Recipe
from ..table.build import classical_table, prefixes, token_weights
from ..table.rotation import prefix_ladder
from ..teacher.by_recipe import token_vectors
from ..vocabulary.by_recipe import make_vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

    from ..progress import Progress
    from .recipe import TrainingRecipe

_DIMS = 256
_DAMPING = (1.0, 64)
_WIDENED = 0.25  # the length of a row's new columns, relative to the row
_FALL = 0.4  # the size of the j-th new column is proportional to j to the power of minus this


@dataclass(frozen=True, eq=False)
class Start:
    """A table before training, and the settings of the trained file.

    Attributes:
        rows: (V, D) float32, token weights multiplied in.
        tokenizer: The bytes of a `tokenizer.json`.
        unknown_token_id: The id that is dropped; None: no id is.
        max_tokens: The number of tokens that texts are truncated to; None: no truncation.
        normalize: Whether the runtime gives unit vectors.
        damping: (beta, k) of damped pooling; None: the plain mean.
        prefixes: Good prefix lengths; the last is D.
        provenance: The origin of the table, as entries of a file's metadata.
        prompts: Prompts by name, for users of the trained file.
        dropped: Optional parts of the file that the trained file lacks, because they depend on the
            table.
        fitted: Whether the rows were fitted or trained; False for the classical table of a teacher
            and for random rows.
        has_axes: Whether the leading dimensions hold most of the variance of general text.
        file: The static embedding file with this very table and these settings; None: there is
            none.
    """

    rows: NDArray[np.float32]
    tokenizer: bytes
    unknown_token_id: int | None
    max_tokens: int | None
    normalize: bool
    damping: tuple[float, int] | None
    prefixes: tuple[int, ...]
    provenance: dict[str, str]
    prompts: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    fitted: bool = False
    has_axes: bool = False
    file: Path | None = None

    @property
    def identity(self) -> str:
        """A digest of everything that training depends on."""
        sha = hashlib.sha256(np.ascontiguousarray(self.rows).data)
        sha.update(self.tokenizer)
        facts = (self.unknown_token_id, self.max_tokens, self.damping, self.prefixes)
        sha.update(repr(facts).encode())
        return sha.hexdigest()


def open_start(
    name: str, recipe: TrainingRecipe, *, device: str = "auto", progress: Progress
) -> Start:
    """Open a model or a teacher as a start, by the recipe.

    Args:
        name: A static embedding file, an installed model's name, a folder of model2vec or
            sentence-transformers (StaticEmbedding), or a teacher: a folder or a Hub id.
        recipe: The knobs from `start` to `damping_dims`, `prefixes` and `seed`.
        device: The teacher's device.
        progress: Receives notes on slow steps.

    Raises:
        StaticEmbError: The model cannot be opened.
        TeacherError: The teacher cannot be loaded.
        TrainingError: A knob of the recipe does not fit this start.
    """
    file = _open_model(name)
    if file is not None:
        start = replace(_of_model(name, file), file=_file(name))
    else:
        try:
            start = _of_teacher(name, recipe, device, progress)
        except (TeacherNotFoundError, HubUnavailableError) as error:
            if exists(name):
                raise
            raise type(error)(f"{name}: {not_installed(name)}; as a teacher: {error}") from None
    rows = start.rows
    width = recipe.dims or rows.shape[1]
    if recipe.dims is not None and width >= len(rows):
        msg = f"dims: expected fewer than the model's {len(rows)} tokens, found {width}"
        raise TrainingError(msg)
    if recipe.start == "random":
        random = np.random.default_rng(recipe.seed)
        rows = random.standard_normal((len(rows), width), dtype=np.float32)
        if start.unknown_token_id is not None:
            rows[start.unknown_token_id] = 0
    elif width < rows.shape[1]:
        msg = f"dims: expected at least {rows.shape[1]}, the model's dimensions, found {width}"
        raise TrainingError(msg)
    elif width > rows.shape[1]:
        rows = widened(rows, width, recipe.seed)
    lengths = start.prefixes if width == start.rows.shape[1] else prefix_ladder(width)
    if recipe.prefixes:
        if recipe.prefixes[-1] > width:
            msg = f"prefixes: expected lengths of at most {width}, found {recipe.prefixes[-1]}"
            raise TrainingError(msg)
        lengths = recipe.prefixes
    damping = _damping(start.damping, recipe, width)
    same = rows is start.rows and (damping, lengths) == (start.damping, start.prefixes)
    return replace(
        start,
        rows=rows,
        damping=damping,
        prefixes=lengths,
        fitted=start.fitted and recipe.start == "model",
        has_axes=start.fitted and recipe.start == "model" and width == start.rows.shape[1],
        file=start.file if same else None,
    )


def widened(rows: NDArray[np.float32], width: int, seed: int) -> NDArray[np.float32]:
    """Append random columns to rows, as additional capacity for training.

    Random columns separate tokens whose other columns are similar, as a sketch of a bag of words
    does. They are short compared with the row, so that they have little effect until training uses
    them. Their size falls from column to column, so that prefixes hold most of their information.

    Args:
        rows: (V, D) float32.
        width: The new number of columns, more than D.
        seed: The seed of the random numbers.

    Returns:
        (V, width): the unchanged rows, each followed by columns of about a quarter of its length.

    Example:
        >>> widened(np.array([[3, 4], [6, 8]], np.float32), 3, 0).round(3)
        array([[ 3.   ,  4.   ,  1.397],
               [ 6.   ,  8.   , -3.468]], dtype=float32)
    """
    falling = np.arange(1, width - rows.shape[1] + 1) ** -_FALL
    falling *= _WIDENED / np.linalg.norm(falling)
    random = np.random.default_rng(seed)
    added = random.standard_normal((len(rows), len(falling)), dtype=np.float32)
    added *= falling.astype(np.float32)
    added *= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.concatenate([rows, added], axis=1)


def _open_model(name: str) -> ModelParts | None:
    """Open the static model of this name; return None if the name can only be a teacher."""
    if not exists(name):
        installed = find_installed(name)
        return None if installed is None else open_parts(installed, verify=True)
    try:
        return open_parts(name, verify=True)
    except (NotAModelError, UnsupportedModelError):
        if is_folder(name):
            return None
        raise


def _of_model(name: str, file: ModelParts) -> Start:
    metadata = file.metadata
    rows = dense_rows(file)
    width = file.default_dim or rows.shape[1]
    keys = ("teacher", "teacher_revision", "license", "languages")
    provenance = {key: metadata.extra[key] for key in keys if metadata.extra.get(key)}
    earlier = metadata.extra.get("x-start-recipe", "")
    recipes = [metadata.extra.get("recipe", ""), f"# started from\n{earlier}" if earlier else ""]
    provenance["x-start"] = f"{Path(name).name} {metadata.digest}".strip()
    if any(recipes):
        provenance["x-start-recipe"] = "\n\n".join(filter(None, recipes))
    damping = None
    if metadata.pooling == "damped_mean":
        damping = (metadata.damping_beta, metadata.damping_dims)
    lengths = tuple(prefix for prefix in metadata.prefixes if prefix <= width)
    if len(lengths) == 1 and not metadata.format_version:  # a folder names no prefixes
        lengths = prefix_ladder(width)
    return Start(
        np.array(rows[:, :width], np.float32, order="C"),
        plain_tokenizer(file.tokenizer),
        metadata.unknown_token_id,
        metadata.max_tokens,
        metadata.normalize,
        damping,
        lengths,
        provenance,
        metadata.prompts,
        optional_names(file),
        fitted=_is_fitted(metadata.extra.get("recipe", "")),
    )


def _is_fitted(recipe: str) -> bool:
    """Return whether a table is more than classical by its recipe; without one, it may be."""
    try:
        return Recipe.from_toml(recipe).fitted
    except RecipeError:  # of a training
        return True


def _file(name: str) -> Path | None:
    """Return the static embedding file of a name; None for a folder of another library."""
    path = Path(name) if exists(name) else find_installed(name)
    return None if path is None or is_folder(path) else Path(path)


def _of_teacher(name: str, recipe: TrainingRecipe, device: str, progress: Progress) -> Start:
    """Build a start from a teacher's classical table; random rows only need its vocabulary."""
    from ..teacher.sentence_transformer import Teacher  # late: imports torch

    progress.note(f"Loading {name}")
    teacher = Teacher.load(name, device=device)
    dims = min(recipe.dims or _DIMS, teacher.dim)
    distilled = Recipe(fit=("none",), dims=dims, dtype="float32").resolved()
    vocabulary = make_vocabulary(teacher.tokenizer, distilled)
    if recipe.start == "random":
        rows = np.zeros((len(vocabulary), dims), np.float32)
        lengths = prefix_ladder(rows.shape[1])
    else:
        vectors = token_vectors(teacher, vocabulary, distilled, progress=progress)
        weights = token_weights(len(vocabulary), None, distilled)
        table = classical_table(vectors, weights, distilled)
        rows = table.weighted(np.arange(len(vocabulary))).astype(np.float32)
        lengths = prefixes(table, distilled)
    return Start(
        rows,
        vocabulary.tokenizer_json,
        vocabulary.unknown_token_id,
        None,
        normalize=True,
        damping=None,
        prefixes=lengths,
        provenance={**teacher.provenance, "x-start-recipe": distilled.to_toml()},
    )


def _damping(
    start_damping: tuple[float, int] | None, recipe: TrainingRecipe, width: int
) -> tuple[float, int] | None:
    pooling = recipe.pooling or ("mean" if start_damping is None else "damped_mean")
    given = [name for name in ("damping_beta", "damping_dims") if getattr(recipe, name) is not None]
    if pooling == "mean":
        if given:
            msg = f"{given[0]}: expected pooling damped_mean, found the plain mean"
            raise TrainingError(msg)
        return None
    beta, dims = start_damping or _DAMPING
    beta = beta if recipe.damping_beta is None else recipe.damping_beta
    return beta, min(recipe.damping_dims or dims, width)
