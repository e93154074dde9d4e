"""A copy of a model for other libraries: one folder that model2vec and sentence-transformers open.

Both read `model.safetensors` and `tokenizer.json` at the root. sentence-transformers also reads
model2vec's tensor `embeddings`, one row for each token, so weights and shared rows are folded in.
The two do not conflict: model2vec drops unknown tokens, and sentence-transformers uses a row of
zeros for them; each library has its own settings files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from ..interop import model2vec_folder, sentence_transformers_folder
from ..interop.comparison import sample_texts
from ..interop.export import by_format, changes, compare_export
from ..interop.folder_files import save_json, save_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

FILES = (
    "model.safetensors",
    "tokenizer.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "1_Normalize/config.json",
)


def write_folder(
    file: ModelParts, folder: Path, *, plain_mean: bool = False, peer_unknown: bool = False
) -> list[str]:
    """Write the folder, and compare the vectors of each library with the file's.

    Args:
        file: the model.
        folder: an empty folder.
        plain_mean: as for `export`.
        peer_unknown: as for `export`.

    Returns:
        The differences in behavior between the libraries and the file, one sentence each.

    Raises:
        ConvertError: a library lacks a feature of the file, or the vectors differ.
    """
    file = by_format(file)
    choices = {"plain_mean": plain_mean, "peer_unknown": peer_unknown}
    for_st, notes_st = sentence_transformers_folder.express(file, **choices)
    for_m2v, notes_m2v = model2vec_folder.express(file, **choices)
    sentence_transformers_folder.write_folder(folder, for_st)
    config = model2vec_folder.settings(for_m2v)
    rows = load_file(folder / "model.safetensors")["embedding.weight"]
    tensors: dict[str, NDArray[Any]] = {"embeddings": rows}
    if model2vec_folder.n_tokens(file) != len(rows):
        # Each token maps to itself, so that a reader that ignores the map gets the same rows.
        tensors["mapping"] = np.arange(len(rows))
        config["vocabulary_quantization"] = len(rows)
    save_tensors(folder / "model.safetensors", tensors)
    save_json(folder / "config.json", config)
    texts = sample_texts(file.tokenizer)
    compare_export(sentence_transformers_folder, folder, for_st, texts)
    compare_export(model2vec_folder, folder, for_m2v, texts)
    notes = [*changes(file, for_st), *changes(file, for_m2v), *notes_st, *notes_m2v]
    return list(dict.fromkeys(notes))
