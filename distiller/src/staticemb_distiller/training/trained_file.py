"""Writing of a trained table as a static embedding file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np

from staticemb_runtime.format import read

from ..errors import OutputError
from ..file.check import write_checked
from ..file.writer import Settings
from ..fitting.fit_texts import Fitted, rotation_vectors
from ..interop.convert import creator
from ..output_file import atomic_file, reported
from ..recipe.recipe import Recipe
from ..table import build as table
from ..table.rotation import variance_shares
from .bag import Bag
from .shaping import sampled_vectors

if TYPE_CHECKING:
    from pathlib import Path

    from .dataset import Dataset
    from .material import Trained
    from .recipe import TrainingRecipe
    from .selection import Selection
    from .start import Start


def keeps_file(selection: Selection, start: Start) -> bool:
    """Return whether the file of a selection is the start's, byte for byte."""
    return selection.is_start and start.file is not None


def described_choice(selection: Selection, start: Start) -> str:
    """Describe which table the file holds, and why, in one line."""
    trained = selection.trained
    if selection.is_start:
        kept = "file stays, byte for byte" if start.file is not None else "table stays"
        return f"{selection.note}: the start's {kept}"
    values = {entry["step"]: entry["value"] for entry in trained.history if "value" in entry}
    if not values:
        chosen = f"No examples were held out: the file has the table of step {trained.steps}"
    else:
        chosen = f"Best of {len(values)} validations: step {trained.step}"
        chosen += f", {values[trained.step]:.4f}"
    return f"{chosen}. {selection.note}" if selection.note else chosen


def write_selection(
    path: Path,
    start: Start,
    selection: Selection,
    examples: Dataset,
    recipe: TrainingRecipe,
    facts: dict[str, str],
) -> None:
    """Write the selected table: the start's own file, or a new one.

    Args:
        path: As for `write_trained`.
        start: The start of the training.
        selection: The choice.
        examples: As for `write_trained`.
        recipe: As for `write_trained`.
        facts: As for `write_trained`.

    Raises:
        OutputError: As `write_checked`.
        StaticEmbError: The start's file has been damaged since it was opened.
    """
    if selection.is_start and start.file is not None:
        copy_start(path, start.file)
        return
    if selection.share not in (0.0, 1.0):
        facts = {**facts, "x-train-share": f"{selection.share:g}"}
    write_trained(path, start, selection.trained, examples, recipe, facts)


def copy_start(path: Path, file: Path) -> None:
    """Write the start's own bytes.

    Args:
        path: The file. It appears, or is replaced, only when it is complete and checked.
        file: The start.

    Raises:
        OutputError: The file cannot be written.
        StaticEmbError: The start has been damaged since it was opened.
    """
    with reported(path, OutputError), atomic_file(path) as temporary:
        shutil.copyfile(file, temporary)
        read(temporary, verify=True)


def write_trained(
    path: Path,
    start: Start,
    trained: Trained,
    examples: Dataset,
    recipe: TrainingRecipe,
    facts: dict[str, str],
) -> None:
    """Rotate the table, convert it to the recipe's number format, and write the checked file.

    Args:
        path: The file. It appears, or is replaced, only when it is complete and checked.
        start: The start of the training, whose settings the file keeps.
        trained: The trained table. Its row of the unknown token is set to zero.
        examples: The training examples; their texts determine the rotation.
        recipe: The knobs `rotate`, `dtype` and `seed`.
        facts: Further entries of the metadata; empty values are left out.

    Raises:
        OutputError: As `write_checked`.
    """
    rows = trained.rows
    if start.unknown_token_id is not None:
        rows[start.unknown_token_id] = 0
    texts = sampled_vectors(Bag(rows), examples, recipe.seed)
    fitted = Fitted(rows, rotation_vectors(texts, rows), np.zeros(0, np.int64), len(texts))
    width = rows.shape[1]
    rotate = not start.has_axes if recipe.rotate is None else recipe.rotate
    stored = Recipe(
        dims=width if rotate else "none",
        dtype=recipe.dtype,
        normalize=start.normalize,
        seed=recipe.seed,
    )
    finished = table.fitted_table(fitted, stored)
    parts = table.to_parts(finished, start.tokenizer, stored)
    lengths = tuple(sorted({*start.prefixes, width}))
    shares = variance_shares(finished.variances, lengths)
    provenance = {
        **start.provenance,
        "recipe": recipe.to_toml(),
        "creator": creator(),
        "x-prefix-variance": " ".join(f"{share:.4f}" for share in shares),
        "x-train-steps": str(trained.step),
        **facts,
    }
    settings = Settings(
        prefixes=lengths,
        normalize=start.normalize,
        damping=start.damping,
        max_tokens=start.max_tokens,
        unknown_token_id=start.unknown_token_id,
        provenance={key: value for key, value in provenance.items() if value},
        prompts=start.prompts,
    )
    write_checked(path, parts, settings, finished, stored)
