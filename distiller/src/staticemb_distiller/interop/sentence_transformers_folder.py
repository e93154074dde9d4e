"""A folder that `SentenceTransformer(path)` opens without additional code.

StaticEmbedding has one row for each token, so all other tensors are folded into the rows. It counts
unknown tokens. If the file drops them and vectors have unit length, a row of zeros is equivalent:
the mean is shorter, and its direction is the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from staticemb_runtime.format import TextLimits
from staticemb_runtime.loading import read_folder

from ..errors import ConvertError
from .comparison import vectors
from .convert import plain_tokenizer
from .damping_folding import without_damping
from .folder_files import dense_rows, save_card, save_json, save_modules, save_tensors, version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

_USAGE = """
```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/of/this/folder")
vectors = model.encode(["a text", "another"])
```
"""


def express(
    file: ModelParts, *, plain_mean: bool, peer_unknown: bool
) -> tuple[ModelParts, list[str]]:
    """Return the parts as sentence-transformers can express them, and notes on differences.

    Raises:
        ConvertError: sentence-transformers lacks a feature of the parts.
    """
    library = "sentence-transformers"
    file = without_damping(file, plain=plain_mean)
    metadata, notes = file.metadata, []
    if metadata.unknown_token_id is not None and not metadata.normalize:
        if not peer_unknown:
            raise ConvertError(
                f"{file.path}: expected vectors of unit length or unknown tokens that count, as "
                f"{library} counts them, found neither; count them with --unknown-tokens peer"
            )
        file = file._replace(metadata=metadata._replace(unknown_token_id=None))
    elif metadata.unknown_token_id is not None and metadata.max_tokens is not None:
        limits = TextLimits(
            max_tokens=metadata.max_tokens, unknown_token_id=metadata.unknown_token_id
        )
        file = file._replace(limits=limits)
        notes.append(
            f"{library} cuts a text to {metadata.max_tokens:,} tokens with unknown ones among them"
        )
    return file, notes


def write_folder(folder: Path, file: ModelParts) -> None:
    """Write the folder."""
    metadata = file.metadata
    rows = dense_rows(file)
    if metadata.unknown_token_id is not None:
        rows[metadata.unknown_token_id] = 0.0
    save_tensors(folder / "model.safetensors", {"embedding.weight": rows})
    tokenizer = plain_tokenizer(file.tokenizer)
    if metadata.max_tokens is not None:
        members = json.loads(tokenizer)
        members["truncation"] = {
            "direction": "Right",
            "max_length": metadata.max_tokens,
            "strategy": "LongestFirst",
            "stride": 0,
        }
        tokenizer = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    (folder / "tokenizer.json").write_bytes(tokenizer)
    settings = {
        "model_type": "SentenceTransformer",
        "prompts": {"query": "", "document": "", **metadata.prompts},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    save_json(folder / "config_sentence_transformers.json", settings)
    save_modules(folder, normalize=metadata.normalize)
    save_card(folder, file, "sentence-transformers", _USAGE)


def embed(folder: Path, texts: Sequence[str]) -> tuple[NDArray[np.float32], str]:
    """Encode texts with sentence-transformers, or with the runtime by its rules if it is missing.

    Returns:
        The (N, D) vectors, and the name and version of the library.
    """
    installed = version("sentence-transformers")
    if installed is None:
        file = read_folder(folder, rules="sentence-transformers")
        return vectors(file, texts), "staticemb-runtime's reader"
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return model.encode(list(texts)), f"sentence-transformers {installed}"
