"""A folder with an ONNX model and its tokenizer, for onnxruntime and transformers.js.

transformers.js expects this layout: `onnx/model.onnx`, and `tokenizer.json`,
`tokenizer_config.json` and `config.json` in the parent folder. ONNX can express every setting of
the format, damped pooling included.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime.format import model_type

from ..errors import ConvertError
from .convert import plain_tokenizer
from .damping_folding import without_damping
from .folder_files import save_card, save_json, version
from .onnx_heads import exported_heads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

_PADDING = ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>")
# transformers spells "no limit" as this number; the graph truncates texts itself.
_NO_LIMIT = int(1e30)
_BATCH = 32

_USAGE = """
```js
import { pipeline } from '@huggingface/transformers';

const extract = await pipeline('feature-extraction', 'path/of/this/folder');
const vectors = await extract(['a text', 'another'], { pooling: 'mean', normalize: NORMALIZE });
```

With onnxruntime in any language: tokenize without special tokens, pad to equal length, and run
`onnx/model.onnx` on `input_ids` and `attention_mask`. `sentence_embedding` is the vector;
`last_hidden_state` is for programs that pool by the mean themselves. A classifier NAME in the file
has the outputs `NAME_logits` and `NAME_probabilities`; its labels are in the model's metadata,
under `head.NAME`. A regressor has `NAME_values`.
"""


def express(
    file: ModelParts, *, plain_mean: bool, peer_unknown: bool
) -> tuple[ModelParts, list[str]]:
    """Return the parts unchanged, or with the plain mean if `plain_mean` is set.

    Raises:
        ConvertError: the package onnx or onnxruntime is missing.
    """
    del peer_unknown  # the graph drops the same tokens as the file
    for package in ("onnx", "onnxruntime"):
        if version(package) is None:
            raise ConvertError(
                f"export to ONNX: expected the package {package}, found none: "
                "pip install 'staticemb-distiller[onnx]'"
            )
    # Heads were fitted to the file's own pooling.
    return without_damping(file, plain=True)._replace(optional={}) if plain_mean else file, []


def kept_parts(wanted: ModelParts) -> tuple[str, ...]:
    """Return the names of the optional parts that the graph has."""
    return tuple(f"head.{head.name}" for head in exported_heads(wanted))


def write_folder(folder: Path, file: ModelParts) -> None:
    """Write the folder."""
    from .onnx_graph import build_graph

    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(build_graph(file).SerializeToString())
    tokenizer = json.loads(plain_tokenizer(file.tokenizer))
    tokenizer["model"] = {**tokenizer["model"], "type": model_type(tokenizer["model"])}
    if tokenizer["model"]["type"] == "WordLevel":
        tokenizer["model"] = _word_pieces(tokenizer["model"])
    spelled = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(spelled, "utf-8")
    padding = _padding_token(tokenizer)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _NO_LIMIT,
        "pad_token": padding,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    save_json(folder / "tokenizer_config.json", settings)
    config = {
        "model_type": "bert",  # transformers.js requires the name of an encoder that it supports
        "hidden_size": file.metadata.dim,
        "transformers.js_config": {"dtype": "fp32"},
    }
    save_json(folder / "config.json", config)
    usage = _USAGE.replace("NORMALIZE", "true" if file.metadata.normalize else "false")
    save_card(folder, file, "transformers.js", usage)


def embed(folder: Path, texts: Sequence[str]) -> tuple[NDArray[np.float32], str]:
    """Encode texts with onnxruntime in padded batches; return (N, D) vectors and its version."""
    import onnxruntime  # type: ignore[import-untyped]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(folder / "onnx" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    vectors = []
    for begin in range(0, len(texts), _BATCH):
        batch = [
            encoding.ids
            for encoding in tokenizer.encode_batch(
                list(texts[begin : begin + _BATCH]), add_special_tokens=False
            )
        ]
        longest = max(map(len, batch))
        ids = np.array([ids + [0] * (longest - len(ids)) for ids in batch], np.int64)
        mask = np.array([[1] * len(ids) + [0] * (longest - len(ids)) for ids in batch], np.int64)
        inputs = {
            "input_ids": ids.reshape(len(batch), longest),
            "attention_mask": mask.reshape(len(batch), longest),
        }
        vectors += session.run(["sentence_embedding"], inputs)
    return np.concatenate(vectors), f"onnxruntime {onnxruntime.__version__}"


def _word_pieces(model: dict[str, Any]) -> dict[str, Any]:
    """Rewrite a WordLevel model as an equivalent WordPiece model: transformers.js lacks WordLevel.

    The continuation prefix starts no token of the vocabulary. No token can therefore continue a
    word, and each word is one token or unknown.
    """
    mark = "##"
    while any(token.startswith(mark) for token in model["vocab"]):
        mark += "#"
    return {
        "type": "WordPiece",
        "unk_token": model["unk_token"],
        "continuing_subword_prefix": mark,
        "max_input_chars_per_word": max(100, *map(len, model["vocab"])),
        "vocab": model["vocab"],
    }


def _padding_token(tokenizer: dict[str, Any]) -> str:
    """Choose a token of the vocabulary to pad with; the mask covers it, so any token is valid."""
    added = [token["content"] for token in tokenizer.get("added_tokens") or ()]
    vocabulary = tokenizer["model"]["vocab"]
    pieces = [*vocabulary] if isinstance(vocabulary, dict) else [piece for piece, _ in vocabulary]
    known = {*added, *pieces}
    return str(next((token for token in _PADDING if token in known), pieces[0]))
