"""A file of a tuned table: the start's settings and axes, and the number format of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from staticemb_runtime.loading import open_parts

from ..file.check import write_checked
from ..file.writer import Settings
from ..interop.convert import creator
from ..recipe.recipe import Recipe
from ..table.build import Table, to_parts
from ..table.rotation import variance_shares

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..training.start import Start


def write_tuned(path: Path, rows: NDArray[np.float32], start: Start, model: Path) -> None:
    """Write a checked file.

    Args:
        path: The file to write.
        rows: (V, D) the tuned table.
        start: What it was tuned from.
        model: The file of the start.

    Raises:
        OutputError: As `write_checked`.
    """
    dtype = cast(Literal["float32", "float16", "int8"], str(open_parts(model).embeddings.dtype))
    if start.unknown_token_id is not None:
        rows = rows.copy()
        rows[start.unknown_token_id] = 0
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    lengths[lengths == 0.0] = 1.0
    width = rows.shape[1]
    variances = np.mean(np.square(rows, dtype=np.float64), axis=0)
    directions = (rows / lengths[:, None]).astype(np.float32)
    table = Table(directions, lengths, variances, np.eye(width, dtype=np.float32))
    recipe = Recipe(dims="none", dtype=dtype, normalize=start.normalize)
    shares = variance_shares(variances, start.prefixes)
    settings = Settings(
        prefixes=start.prefixes,
        normalize=start.normalize,
        damping=start.damping,
        max_tokens=start.max_tokens,
        unknown_token_id=start.unknown_token_id,
        provenance={
            **start.provenance,
            "creator": creator(),
            "x-prefix-variance": " ".join(f"{share:.4f}" for share in shares),
        },
        prompts=start.prompts,
    )
    write_checked(path, to_parts(table, start.tokenizer, recipe), settings, table, recipe)
