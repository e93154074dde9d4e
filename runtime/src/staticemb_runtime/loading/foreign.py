"""The reader of folders of model2vec and of sentence-transformers' StaticEmbedding.

A folder is read by the rules of the library that wrote it, so that the vectors equal that library's
vectors. The rules differ:

| | model2vec | sentence-transformers |
|---|---|---|
| table | `embeddings`, with `weights` and `mapping` | `embedding.weight` |
| unknown tokens | dropped | counted like other tokens |
| long texts | cut by characters, then to 512 tokens by default | cut as set in `tokenizer.json` |
| unit length | `normalize` in `config.json` | a Normalize module in `modules.json` |
| shorter vectors | | `truncate_dim` in `config_sentence_transformers.json` |

One rule is not followed: a normalized vector that is then cut (Normalize with `truncate_dim`) is
normalized again here. An int8 table of model2vec has lost its scale; model2vec and this module read
it with a scale of 1.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import NotAModelError, WrongShapeError
from ..format.file_state import file_state
from ..format.header import MAX_DIM, MAX_ROWS, MAX_TOKEN_IDS, TensorRule, check_rule
from ..format.metadata import Metadata
from ..format.parts import ModelParts, TextLimits
from ..format.reader import check_contents, check_values
from ..format.tensors import SafetensorsFile
from . import foreign_folder, foreign_tokenizer
from .foreign_folder import FolderSettings

Rules = Literal["model2vec", "sentence-transformers"]
"""The library whose rules a folder follows."""

_TABLES: Final = {"embeddings": "model2vec", "embedding.weight": "sentence-transformers"}
_FLOATS: Final = ("F64", "F32", "F16", "BF16")
_INTEGERS: Final = ("I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8")


def read_folder(
    path: str | os.PathLike[str],
    *,
    verify: bool = False,
    rules: Rules | None = None,
    mmap: bool = True,
) -> ModelParts:
    """Read a folder of model2vec or sentence-transformers.

    Args:
        path: the folder.
        verify: also check that the table is finite and that the tokenizer is valid and fits it.
        rules: the library whose rules to follow; None: the library that wrote the folder.
        mmap: False to read the table and the tokenizer into memory.

    Returns:
        The model's parts. Its metadata carry no digest. The table is mapped, except for float64 and
        bfloat16, which are converted to float32 in memory.

    Raises:
        NotAModelError: the folder holds no model of either library.
        UnsupportedModelError: the model does more than average table rows, or is pickled.
        InvalidConfigError: a settings file is malformed.
        FormatError: the table or the tokenizer is malformed; a subclass for each fault.
    """
    folder = Path(path)
    modules = foreign_folder.read_modules(folder)
    table_folder = folder / foreign_folder.find_place(
        lambda name: (folder / name).is_file(), modules, str(folder)
    )
    table_path, tokenizer_path = table_folder / "model.safetensors", table_folder / "tokenizer.json"
    tensors = SafetensorsFile(table_path, mmap=mmap)
    name = next((name for name in _TABLES if name in tensors.tensors), None)
    if name is None:
        raise NotAModelError(
            f"{table_path}: expected a tensor {' or '.join(map(repr, _TABLES))}, "
            f"found {sorted(tensors.tensors)}"
        )
    if rules is None:
        rules = "model2vec" if modules is None or name == "embeddings" else "sentence-transformers"
    embeddings, scale = _table(tensors, name, str(table_path))
    n_rows, dim = embeddings.shape
    weights = rows = None
    if name == "embeddings" or rules == "model2vec":
        rows = _rows(tensors, str(table_path))
        weights = _weights(tensors, n_rows if rows is None else len(rows), str(table_path))
    tokenizer = foreign_tokenizer.map_tokenizer(tokenizer_path, mmap=mmap)
    if rules == "model2vec":
        settings = foreign_folder.model2vec_settings(folder, root=table_folder == folder)
        limits = foreign_tokenizer.model2vec_limits(tokenizer, settings, str(tokenizer_path))
    else:
        settings = foreign_folder.sentence_transformers_settings(folder, modules or [])
        limits = foreign_tokenizer.own_limits(tokenizer, str(tokenizer_path))
    file = ModelParts(
        path=str(folder),
        metadata=_metadata(dim, rules, settings, limits),
        embeddings=embeddings,
        scale=scale,
        weights=weights,
        rows=rows,
        tokenizer_view=tokenizer,
        limits=limits if limits.beyond_format else None,
        default_dim=settings.dim(dim),
        mapped=(file_state(table_path), file_state(tokenizer_path)) if mmap else (),
    )
    check_values(file)
    if verify:
        check_contents(file)
    return file


def _tensor(
    tensors: SafetensorsFile, name: str, rule: TensorRule, source: str
) -> tuple[NDArray[Any], str]:
    """Return a tensor's elements, aligned in memory, and its dtype's name."""
    entry = tensors.tensors[name]
    check_rule(entry, rule, source)
    values = tensors.view(name)
    return (values if values.flags.aligned else values.copy()), entry.dtype


def _table(
    tensors: SafetensorsFile, name: str, source: str
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Return the (R, D) table, float32, float16 or int8, and for int8 a (D,) scale of ones."""
    rule = TensorRule((*_FLOATS, "I8"), (MAX_ROWS, MAX_DIM))
    values, dtype = _tensor(tensors, name, rule, source)
    if dtype == "I8":
        return values, np.ones(values.shape[1], np.float32)
    return (values if dtype == "F16" else _to_float32(values, dtype)), None


def _weights(tensors: SafetensorsFile, n_token_ids: int, source: str) -> NDArray[np.float32] | None:
    if "weights" not in tensors.tensors:
        return None
    values, dtype = _tensor(tensors, "weights", TensorRule(_FLOATS, (MAX_TOKEN_IDS,)), source)
    if len(values) != n_token_ids:
        found = str(list(values.shape))
        raise WrongShapeError(source, "shape of 'weights'", f"[{n_token_ids}]", found)
    return _to_float32(values, dtype)


def _rows(tensors: SafetensorsFile, source: str) -> NDArray[Any] | None:
    if "mapping" not in tensors.tensors:
        return None
    values, dtype = _tensor(tensors, "mapping", TensorRule(_INTEGERS, (MAX_TOKEN_IDS,)), source)
    return values if dtype in ("I64", "U32", "U16") else values.astype(np.int64)


def _to_float32(values: NDArray[Any], dtype: str) -> NDArray[np.float32]:
    if dtype == "BF16":  # the upper half of a float32
        return (values.view("<u2").astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # becomes infinite, which later checks refuse
        return values.astype(np.float32, copy=False)


def _metadata(dim: int, rules: Rules, settings: FolderSettings, limits: TextLimits) -> Metadata:
    short = settings.dim(dim)
    return Metadata(
        format_version="",
        features=(),
        dim=dim,
        prefixes=(dim,) if short in (None, dim) else (short, dim),
        normalize=settings.normalize,
        pooling="mean",
        digest="",
        vectors_digest="",
        prompts=settings.prompts,
        max_tokens=limits.max_tokens,
        unknown_token_id=limits.unknown_token_id,
        extra={"rules": rules},
    )
