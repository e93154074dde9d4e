"""Writing of an adapted table, rotated to the axes of the document vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..file.check import write_checked
from ..file.space import space_parts
from ..file.writer import Settings
from ..interop.convert import creator
from ..recipe.recipe import Recipe
from ..table.build import Table, to_parts
from ..table.rotation import Rotation, prefix_ladder, second_moment_axes, variance_shares

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from ..table.space import Space

_SAMPLE = 50_000  # documents whose vectors determine the axes
_TINY = 1e-3  # the length of an axis' own vectors

Dtype = Literal["float32", "float16", "int8"]


@dataclass(frozen=True, eq=False)
class Adapted:
    """An adapted table, as its file has it.

    Attributes:
        rows: (V, H) float32, rotated by `space.projection`.
        variances: (H,) the documents' variances along each dimension.
        space: The relation to the teacher's vectors.
        tokenizer: The bytes of its `tokenizer.json`.
        unknown_token_id: The id that is dropped.
        max_tokens: The number of tokens after which a text is cut.
        damping: (β, k) of damped pooling; None: the plain mean.
    """

    rows: NDArray[np.float32]
    variances: NDArray[np.float64]
    space: Space
    tokenizer: bytes
    unknown_token_id: int | None
    max_tokens: int | None
    damping: tuple[float, int] | None


def axes_of(vectors: NDArray[np.floating]) -> Rotation:
    """Compute the axes of document vectors (N, H), all H of them, the largest variance first.

    Two tiny vectors along each axis of the teacher are added, so that few documents have H axes
    as well.
    """
    chosen = np.linspace(0, len(vectors) - 1, min(_SAMPLE, len(vectors))).astype(np.int64)
    sample = np.asarray(vectors[chosen], np.float32)
    tiny = _TINY * np.eye(sample.shape[1], dtype=np.float32)
    return second_moment_axes(np.concatenate([sample, tiny, -tiny]), "all")


def write_adapted(path: Path, adapted: Adapted, dtype: Dtype, facts: Mapping[str, str]) -> None:
    """Write the checked file.

    Args:
        path: The file. It appears, or is replaced, only when it is complete and checked.
        adapted: The table.
        dtype: The number format of the table.
        facts: Entries of the metadata; empty values are left out.

    Raises:
        OutputError: As `write_checked`.
    """
    rows = adapted.rows
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    lengths[lengths == 0.0] = 1.0
    table = Table(
        (rows / lengths[:, None]).astype(np.float32),
        lengths,
        adapted.variances,
        adapted.space.projection,
    )
    recipe = Recipe(dims="none", dtype=dtype)
    prefixes = prefix_ladder(rows.shape[1])
    shares = variance_shares(adapted.variances, prefixes)
    tensors, part = space_parts(adapted.space)
    parts = to_parts(table, adapted.tokenizer, recipe)
    provenance = {
        "creator": creator(),
        "x-prefix-variance": " ".join(f"{share:.4f}" for share in shares),
        **facts,
    }
    settings = Settings(
        prefixes=prefixes,
        damping=adapted.damping,
        max_tokens=adapted.max_tokens,
        unknown_token_id=adapted.unknown_token_id,
        provenance={key: value for key, value in provenance.items() if value},
        optional=part,
    )
    write_checked(path, replace(parts, optional=tensors), settings, table, recipe)
