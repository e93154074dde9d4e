"""The fit to texts whose vectors are given: no teacher runs, and the prior is zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..corpus.surrogates import without_surrogates
from ..errors import TableError
from ..scratch_folder import scratch_folder
from ..vocabulary.token_ids import TokenIds
from .centering import center, common_direction
from .fit_texts import Fitted, fit_targets
from .options import FitOptions
from .ridge_fit import count_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..corpus.vector_files import VectorFile
    from ..progress import Progress
    from ..recipe.recipe import Recipe
    from ..vocabulary.build import Vocabulary


def fit_given(
    file: VectorFile,
    vocabulary: Vocabulary,
    recipe: Recipe,
    *,
    output: Path,
    progress: Progress,
) -> Fitted:
    """Fit a table to texts, whole, and their vectors.

    A token that no text contains gets a zero row. Texts with zero vectors are left out. A text that
    occurs twice counts twice, with the vector of each occurrence. The vectors lie on disk.

    Args:
        file: The texts and vectors.
        vocabulary: The new model's vocabulary of V tokens.
        recipe: The knobs from `fit` to `whiten`; resolved.
        output: The file that is made; temporary files lie beside it.
        progress: The progress display.

    Raises:
        TextSourceError: The file cannot be read, or a vector is invalid.
        TableError: No text has both a token and a vector that is not zero.
        DivergedError: The fit gave infinities or NaN.
    """
    options = FitOptions.of(recipe)
    with scratch_folder(output) as folder:
        ids, lengths, targets = _spooled(file, vocabulary, folder / "vectors")
        used = (lengths > 0) & targets.any(axis=1)
        progress.note(_described(file, len(lengths)))
        if left_out := len(used) - int(used.sum()):
            progress.warn(
                f"Left out: {left_out:,} of {len(used):,} texts, without a token or with a zero "
                "vector"
            )
        if not used.any():
            raise TableError(
                f"{file.path}: expected a text with a token and a vector that is not zero, found "
                "none"
            )
        offset = common_direction(targets)
        if offset is not None:
            progress.note(
                f"All vectors share a direction (their mean has length "
                f"{np.linalg.norm(offset):.2f}): it is subtracted"
            )
            center(targets, offset)
        counts = count_matrix(ids, lengths, len(vocabulary))
        return fit_targets(
            counts,
            lengths,
            targets,
            np.zeros((len(vocabulary), file.dim), np.float32),
            text_weights=used.astype(np.float32),
            unknown_token_id=vocabulary.unknown_token_id,
            options=options,
            offset=offset,
        )


def _spooled(
    file: VectorFile, vocabulary: Vocabulary, path: Path
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float16]]:
    """Tokenize the texts, and write their unit vectors to disk.

    Returns:
        ids (N,), lengths (B,), and vectors (B, H), memory-mapped.
    """
    tokenize = TokenIds(vocabulary.tokenizer_json, vocabulary.unknown_token_id)
    ids: list[NDArray[np.int32]] = []
    lengths: list[NDArray[np.int64]] = []
    with path.open("wb") as spool:
        for texts, vectors in file.blocks():
            block_ids, block_lengths = tokenize(list(map(without_surrogates, texts)))
            ids.append(block_ids)
            lengths.append(block_lengths)
            norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
            (vectors / np.where(norms > 0, norms, 1)).astype(np.float16).tofile(spool)
    count = sum(map(len, lengths))
    targets = np.memmap(path, np.float16, "r+", shape=(count, file.dim))
    return np.concatenate(ids), np.concatenate(lengths), targets


def _described(file: VectorFile, texts: int) -> str:
    scale = "normalized" if file.normalized else "not normalized, only their directions count"
    return f"Texts: {texts}, with vectors of {file.dim} dimensions, {scale}"
