"""The peers, with the table and the tokenizer of `contestants`, each told what makes it fast.

All of them read texts whole, as we do: those that cut texts by default are told not to. A peer that
is not installed raises ImportError once it is made, never before.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from contestants import BASE, Encode, table, teacher_folder, tokenizer_json
from tokenizers import Tokenizer

# Some peers log each model they load, and one sets the root logger's level when it is imported.
logging.disable(logging.INFO)

FASTEMBED_NAME = "minishlab/potion-base-8M"
"""A name that fastembed knows, of as many dimensions as our table; the files are ours."""
Pooling = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[], object]]


def encoders(folder: Path) -> dict[str, Callable[[], Encode]]:
    """What makes each peer anew, from files in this folder where it needs any."""
    return {
        BASE: partial(model2vec, "float32"),
        "model2vec int8": partial(model2vec, "int8"),
        "sentence-transformers": sentence_transformers,
        "fastembed": partial(fastembed, folder),
        "laghu": partial(laghu, folder, rust=False),
        "laghu, Rust core": partial(laghu, folder, rust=True),
        "WordLlama, same table": wordllama,
        "transformer": teacher,
    }


def model2vec(dtype: str) -> Encode:
    """model2vec, told to use one process."""
    from model2vec import StaticModel
    from model2vec.quantization import quantize_embeddings

    peer = StaticModel(quantize_embeddings(table(), dtype), _tokenizer(), normalize=True)
    return lambda texts: peer.encode(texts, max_length=None, use_multiprocessing=False)


def static_embedding() -> Any:
    """sentence-transformers' StaticEmbedding, with its Normalize module."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, StaticEmbedding

    static = StaticEmbedding(_tokenizer(), embedding_weights=table())
    return SentenceTransformer(modules=[static, Normalize()], device="cpu")


def sentence_transformers() -> Encode:
    """The same, told the batch size that suits it."""
    peer = static_embedding()
    return lambda texts: peer.encode(texts, batch_size=1024, show_progress_bar=False)


def fastembed(folder: Path) -> Encode:
    """The StaticTextEmbedding of fastembed, from a folder in place of a download."""
    from fastembed.text.static_embedding import StaticTextEmbedding

    peer = StaticTextEmbedding(
        FASTEMBED_NAME, cache_dir=str(folder), specific_model_path=str(model2vec_folder(folder))
    )
    assert peer.tokenizer is not None
    peer.tokenizer.no_truncation()
    return lambda texts: list(peer.embed(texts))


def laghu(folder: Path, *, rust: bool) -> Encode:
    """The model of laghu, with or without its Rust core, which it looks for as it loads."""
    import laghu as package

    if rust:
        import laghu_rs  # noqa: F401
    with _environment(LAGHU_RUST="1" if rust else "0"):
        peer = package.load(model2vec_folder(folder), fallback=False)
    if rust != (peer.tokenizer.rs is not None):
        raise ImportError("laghu-rs is installed, but laghu does not use it")
    peer.tokenizer.threads = 1
    return lambda texts: peer.encode(texts, max_length=None)


def wordllama() -> Encode:
    """WordLlama's inference with our table in place of the one that its package carries."""
    from wordllama.inference import WordLlamaInference

    peer = WordLlamaInference(table(), _tokenizer())
    return lambda texts: peer.embed(texts, norm=True)


def teacher() -> Encode:
    """The transformer itself, which cuts texts at its 256 tokens."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(teacher_folder()), device="cpu")
    return lambda texts: peer.encode(texts, batch_size=32, show_progress_bar=False)


def embedding_bag() -> Pooling:
    """Pooling by torch in C++ on one thread: a call that gathers and averages rows of float32.

    The function returned takes a table, shape (V, D), the token ids of all texts in one array,
    and the number of tokens of each text.
    """
    import torch

    torch.set_num_threads(1)

    def prepare(rows: np.ndarray, ids: np.ndarray, lengths: np.ndarray) -> Callable[[], object]:
        weight, indices = torch.from_numpy(rows), torch.from_numpy(ids.astype(np.int64))
        offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)[:-1]]))
        bag = torch.nn.functional.embedding_bag
        return lambda: bag(indices, weight, offsets, mode="mean")

    return prepare


def model2vec_folder(folder: Path) -> Path:
    """The table in model2vec's layout, which several peers read."""
    return write_folder(folder / "model2vec", table(), tokenizer_json())


def write_folder(path: Path, rows: np.ndarray, tokenizer: bytes) -> Path:
    """Write a table, shape (V, D), and a tokenizer's JSON in model2vec's layout; once."""
    from safetensors.numpy import save_file

    if path.exists():
        return path
    path.mkdir()
    save_file({"embeddings": rows}, path / "model.safetensors")
    (path / "tokenizer.json").write_bytes(tokenizer)
    (path / "config.json").write_text(json.dumps({"normalize": True}), encoding="utf-8")
    return path


def sentence_transformers_folder(folder: Path) -> Path:
    """The table as a folder of sentence-transformers'."""
    path = folder / "sentence-transformers"
    static_embedding().save(str(path))
    return path


def wordllama_folder() -> Path:
    """The model that the wordllama package carries: a table of its own, 32,000 x 256."""
    import wordllama as package

    return Path(package.__file__).parent


def _tokenizer() -> Tokenizer:
    return Tokenizer.from_str(tokenizer_json().decode())


@contextmanager
def _environment(**values: str) -> Any:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
