"""The check of a new file: open it with the runtime, and compare its vectors with the table's.

A file that fails the check is not moved to its path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staticemb_runtime.encoding import EmbeddingTable, pool
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format import read
from staticemb_runtime.loading import open_parts

from ..errors import OutputError
from ..output_file import atomic_file, reported
from .pieces import with_pieces
from .writer import write

if TYPE_CHECKING:
    from pathlib import Path

    from staticemb_runtime.format import ModelParts

    from ..recipe.recipe import Recipe
    from ..table.build import Table
    from ..table.parts import Parts
    from .writer import Settings

_TEXTS = 256
_TOKENS = 16
# The least cosine of a random text's vectors before and after rounding. Tables with merged rows are
# not compared: merging changes rows more than rounding does.
_LEAST_COSINE = {"float32": 1 - 1e-6, "float16": 1 - 1e-5, "int8": 0.98}
# The least length of a compared text's vector, as a share of the mean length of its rows.
_LEAST_SHARE = 0.05


def write_checked(
    path: Path, parts: Parts, settings: Settings, table: Table, recipe: Recipe
) -> None:
    """Write a static embedding file; it is created or replaced only after the check.

    A large Unigram vocabulary is also written as arrays, the optional part `pieces`.

    Args:
        path: The file.
        parts: As for `write`.
        settings: As for `write`.
        table: As for `check_file`.
        recipe: As for `check_file`.

    Raises:
        OutputError: The parts break a rule of the specification, the file cannot be written, or it
            fails the check.
    """
    with reported(path, OutputError), atomic_file(path) as temporary:
        write(temporary, with_pieces(parts), settings)
        check_file(temporary, table, recipe)


def check_file(path: Path, table: Table, recipe: Recipe) -> float:
    """Verify a file, and compare its vectors of random texts with the table's.

    Args:
        path: The file.
        table: The table before rounding.
        recipe: The recipe, which tells how the table was rounded.

    Returns:
        The least cosine; 1.0 if rows were merged, since then no vectors are compared.

    Raises:
        OutputError: The runtime refuses the file, or its vectors differ by more than rounding.
    """
    try:
        file = open_parts(path, verify=True)
    except StaticEmbError as error:
        msg = f"the new file fails the runtime's checks: {error}"
        raise OutputError(msg) from error
    _check_parts(file)
    if recipe.clusters is not None:
        return 1.0
    ids = np.random.default_rng(recipe.seed).integers(len(table.rows), size=(_TEXTS, _TOKENS))
    rows = [table.weighted(text) for text in ids]
    expected = np.stack([text.mean(axis=0) for text in rows])
    stored = EmbeddingTable(file.embeddings, file.scale, file.weights, file.rows)
    actual = pool(stored, ids.ravel(), np.full(_TEXTS, _TOKENS)).astype(np.float64)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    # If the rows of a text nearly cancel, rounding can turn their mean in any direction.
    row_lengths = np.array([np.linalg.norm(text, axis=1).mean() for text in rows])
    compared = (np.linalg.norm(expected, axis=1) > _LEAST_SHARE * row_lengths) & (lengths > 0)
    cosines = (expected * actual).sum(axis=1)[compared] / lengths[compared]
    least = float(cosines.min(initial=1.0))
    if not least >= _LEAST_COSINE[recipe.dtype]:
        msg = (
            f"the file's vectors differ from the table's: expected cosines of at least "
            f"{_LEAST_COSINE[recipe.dtype]:.6f}, found {least:.6f}"
        )
        raise OutputError(msg)
    return least


def read_publishable(path: Path) -> ModelParts:
    """Verify a file that is to be published.

    Raises:
        FormatError: The file is invalid.
        OutputError: An optional part is malformed, or differs from what it repeats.
    """
    file = read(path, verify=True)
    _check_parts(file)
    return file


def _check_parts(file: ModelParts) -> None:
    if file.refused:
        msg = f"{file.path}: expected valid optional parts, found faults in {file.refused[0]!r}"
        raise OutputError(msg)
