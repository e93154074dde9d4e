"""One folder that model2vec and sentence-transformers both open.

Both look for `model.safetensors` and `tokenizer.json` at the root. sentence-transformers takes
model2vec's tensor `embeddings` too, one row for each token, so weights and shared rows are folded
in. What one of them needs does not disturb the other: model2vec drops unknown tokens, whose row is
zeros for sentence-transformers; each library has its own settings files.
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


def write_twin(
    file: ModelParts, folder: Path, *, plain_mean: bool = False, peer_unknown: bool = False
) -> list[str]:
    """Write the folder, and compare the vectors of each library with the file's.

    Args:
        file: the model.
        folder: an empty folder.
        plain_mean: as for `export`.
        peer_unknown: as for `export`.

    Returns:
        What the libraries do otherwise than the file.

    Raises:
        InexpressibleError: a library cannot do what the file says.
        ConvertError: the vectors differ.
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
        # A map of each token to itself: what reads it and what does not get the same rows.
        tensors["mapping"] = np.arange(len(rows))
        config["vocabulary_quantization"] = len(rows)
    save_tensors(folder / "model.safetensors", tensors)
    save_json(folder / "config.json", config)
    texts = sample_texts(file.tokenizer)
    compare_export(sentence_transformers_folder, folder, for_st, texts)
    compare_export(model2vec_folder, folder, for_m2v, texts)
    found = [*changes(file, for_st), *changes(file, for_m2v), *notes_st, *notes_m2v]
    return list(dict.fromkeys(found))
