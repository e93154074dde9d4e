"""A folder for model2vec, which sentence-transformers opens as well.

model2vec supports token weights and shared rows, so these stay unchanged. It has no scale for int8
rows, and float16 rows give float16 vectors there, so both become float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime.loading import FolderSettings, model2vec_limits, read_folder

from ..errors import ConvertError
from .comparison import vectors
from .convert import plain_tokenizer
from .damping_folding import without_damping
from .folder_files import save_card, save_json, save_modules, save_tensors, version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

_USAGE = """
```python
from model2vec import StaticModel

model = StaticModel.from_pretrained("path/of/this/folder")
vectors = model.encode(["a text", "another"])
```
"""


def express(
    file: ModelParts, *, plain_mean: bool, peer_unknown: bool
) -> tuple[ModelParts, list[str]]:
    """Return the parts as model2vec can express them, and notes on differences in behavior.

    Raises:
        ConvertError: model2vec lacks a feature of the parts.
    """
    file = without_damping(file, plain=plain_mean)
    most = file.metadata.max_tokens
    settings = FolderSettings(file.metadata.normalize, max_length=most)
    limits = model2vec_limits(file.tokenizer_view, settings, file.path)
    dropped, unknown = limits.unknown_token_id, file.metadata.unknown_token_id
    if dropped != unknown:
        if not peer_unknown:
            raise ConvertError(
                f"{file.path}: expected the id of unknown tokens that model2vec drops, {dropped}, "
                f"found {unknown}; leave it to model2vec with --unknown-tokens peer"
            )
        file = file._replace(metadata=file.metadata._replace(unknown_token_id=dropped))
    notes = []
    if most is not None:
        file = file._replace(limits=limits)
        notes.append(
            f"model2vec cuts a text to {most:,} tokens before it drops unknown ones, and to "
            "as many average tokens' characters before that: a long text may lose more than here"
        )
    return file, notes


def write_folder(folder: Path, file: ModelParts) -> None:
    """Write the folder."""
    rows = file.embeddings.astype(np.float32)
    if file.scale is not None:
        rows *= file.scale
    tensors: dict[str, NDArray[np.generic]] = {"embeddings": rows}
    config = settings(file)
    if file.weights is not None:
        tensors["weights"] = file.weights
    # model2vec requires one row per token, or a mapping from tokens to rows.
    tensors["mapping"] = (
        np.arange(len(rows)) if file.rows is None else file.rows.astype(np.int64, copy=False)
    )
    if file.rows is None and n_tokens(file) == len(rows):
        del tensors["mapping"]
    else:
        config["vocabulary_quantization"] = len(rows)
    save_tensors(folder / "model.safetensors", tensors)
    (folder / "tokenizer.json").write_bytes(plain_tokenizer(file.tokenizer))
    save_json(folder / "config.json", config)
    save_modules(folder, normalize=file.metadata.normalize)
    save_card(folder, file, "model2vec", _USAGE)


def settings(file: ModelParts) -> dict[str, Any]:
    """Return the content of model2vec's `config.json`."""
    metadata = file.metadata
    return {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": metadata.dim,
        "embedding_dtype": "float32",
        "normalize": metadata.normalize,
        "max_length": metadata.max_tokens,
    }


def embed(folder: Path, texts: Sequence[str]) -> tuple[NDArray[np.float32], str]:
    """Encode texts with model2vec, or with the runtime by model2vec's rules if it is missing.

    Returns:
        The (N, D) vectors, and the name and version of the library.
    """
    installed = version("model2vec")
    if installed is None:
        return vectors(read_folder(folder, rules="model2vec"), texts), "staticemb-runtime's reader"
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(folder)
    return model.encode(list(texts), use_multiprocessing=False), f"model2vec {installed}"


def n_tokens(file: ModelParts) -> int:
    """Count the tokenizer's tokens: model2vec requires as many rows, or a mapping."""
    from tokenizers import Tokenizer

    return int(Tokenizer.from_buffer(file.tokenizer).get_vocab_size())
