"""What the folders of model2vec and of sentence-transformers have in common."""

from __future__ import annotations

import importlib.metadata
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime.encoding import EmbeddingTable

from .card import front_matter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

_STATIC = "sentence_transformers.models.StaticEmbedding"
_NORMALIZE = "sentence_transformers.models.Normalize"


def dense_rows(file: ModelParts) -> NDArray[np.float32]:
    """(V, D) one row for each token id, with scale, weight and shared rows folded in."""
    table = EmbeddingTable(file.embeddings, file.scale, file.weights, file.rows)
    return table.token_rows(np.arange(file.n_token_ids))


def save_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write tensors as safetensors.

    Raises:
        OSError: The file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path.touch()
    mode = path.stat().st_mode
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    try:
        save_file(whole, path)
    except SafetensorError as error:
        raise OSError(None, str(error), str(path)) from error
    path.chmod(mode)  # save_file makes files that the owner alone may read


def save_json(path: Path, value: object) -> None:
    """Write JSON for people and programs."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def save_modules(folder: Path, *, normalize: bool) -> None:
    """Write the list of a sentence-transformers model's modules, and the second one's folder."""
    modules = [{"idx": 0, "name": "0", "path": ".", "type": _STATIC}]
    if normalize:
        modules.append({"idx": 1, "name": "1", "path": "1_Normalize", "type": _NORMALIZE})
        (folder / "1_Normalize").mkdir()
        vector = "sentence_embedding"
        settings = {"module_input_name": vector, "module_output_name": vector}
        save_json(folder / "1_Normalize" / "config.json", settings)
    save_json(folder / "modules.json", modules)


def save_card(folder: Path, file: ModelParts, library: str, usage: str) -> None:
    """Write a model card: what the file says of itself, and how to use the folder."""
    metadata = file.metadata
    prefixes = ", ".join(map(str, metadata.prefixes))
    text = (
        f"{front_matter(file, library)}\n"
        f"# A static embedding model for {library}\n\n"
        f"{metadata.dim} dimensions; vectors cut to {prefixes} keep most of their meaning.\n"
        f"Exported from a static embedding file ({metadata.digest or 'without a digest'}).\n\n"
        f"{usage.strip()}\n"
    )
    (folder / "README.md").write_text(text, "utf-8")


def version(package: str) -> str | None:
    """The installed version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
