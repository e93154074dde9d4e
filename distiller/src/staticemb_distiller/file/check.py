"""Open a file that was just written, with the runtime that its users have, and compare.

A file that does not pass never gets its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staticemb_runtime.encoding import EmbeddingTable, pool
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format import read

from ..errors import CheckError, OutputError
from ..output_file import appearing, reported
from .writer import write

if TYPE_CHECKING:
    from pathlib import Path

    from ..recipe.recipe import Recipe
    from ..table.build import Table
    from ..table.parts import Parts
    from .writer import Settings

_TEXTS = 256
_TOKENS = 16
# The least cosine between a text's vector before rounding and after, over random texts. Merged rows
# are another table, not a rounded one: there is nothing to compare.
_LEAST_COSINE = {"float32": 1 - 1e-6, "float16": 1 - 1e-5, "int8": 0.98}

_LEAST_SHARE = 0.05


def write_checked(
    path: Path, parts: Parts, settings: Settings, table: Table, recipe: Recipe
) -> None:
    """Write a static embedding file that appears, or is replaced, only once it was checked.

    Args:
        path: The file.
        parts: As for `write`.
        settings: As for `write`.
        table: As for `check_file`.
        recipe: As for `check_file`.

    Raises:
        OutputError: The file cannot be written.
        UnwritablePartsError: The parts break a rule of the specification.
        CheckError: It does not hold what went into it.
    """
    with reported(path, OutputError), appearing(path) as temporary:
        write(temporary, parts, settings)
        check_file(temporary, table, recipe)


def check_file(path: Path, table: Table, recipe: Recipe) -> float:
    """Verify a file, and compare vectors of random texts with those of the table it is made of.

    Args:
        path: The file.
        table: The table before it was rounded.
        recipe: How it was rounded.

    Returns:
        The least cosine that was found; 1.0 where rows were merged and nothing can be compared.

    Raises:
        CheckError: The runtime refuses the file, or its vectors differ by more than rounding
            explains.
    """
    try:
        file = read(path, verify=True)
    except StaticEmbError as error:
        msg = f"the file that was written does not pass the runtime's checks: {error}"
        raise CheckError(msg) from error
    if recipe.clusters is not None:
        return 1.0
    ids = np.random.default_rng(recipe.seed).integers(len(table.rows), size=(_TEXTS, _TOKENS))
    rows = [table.weighted(text) for text in ids]
    expected = np.stack([text.mean(axis=0) for text in rows])
    stored = EmbeddingTable(file.embeddings, file.scale, file.weights, file.rows)
    found = pool(stored, ids.ravel(), np.full(_TEXTS, _TOKENS)).astype(np.float64)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    # Where the rows of a text nearly cancel, what is left may point anywhere after rounding.
    summed = np.array([np.linalg.norm(text, axis=1).mean() for text in rows])
    sound = (np.linalg.norm(expected, axis=1) > _LEAST_SHARE * summed) & (lengths > 0)
    cosines = (expected * found).sum(axis=1)[sound] / lengths[sound]
    least = float(cosines.min(initial=1.0))
    if not least >= _LEAST_COSINE[recipe.dtype]:
        msg = (
            f"the file's vectors differ from the table's: expected cosines of at least "
            f"{_LEAST_COSINE[recipe.dtype]:.6f}, found {least:.6f}"
        )
        raise CheckError(msg)
    return least
