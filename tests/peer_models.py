"""Models of the peers, made on the spot with their own packages."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from tokenizer_families import SENTENCES

TEXTS = [
    *SENTENCES,
    "",
    " \t\n ",
    "hello",
    "zzyzx \u2603 \U0001f9ff unheard-of ☃☃☃ words 𓀀",
    "a long text of many words, said again and again. " * 40,
    "unknown ☃ 𓀀 " * 120 + "and an end that only a reader of the whole sees",
]


def vectors_for(tokenizer: Tokenizer, dim: int = 24, seed: int = 5) -> np.ndarray:
    """Random rows for a tokenizer, those of frequent tokens shorter, as in a real table."""
    rows = max(tokenizer.get_vocab().values()) + 1
    rng = np.random.default_rng(seed)
    lengths = np.log1p(np.arange(rows))[:, None] / np.log1p(rows) + 0.01
    return (rng.standard_normal((rows, dim)) * lengths).astype(np.float32)


def save_model2vec(folder: Path, tokenizer: Tokenizer, *, dtype="float32", clusters=0, **options):
    """Save a model2vec model; return it."""
    StaticModel = pytest.importorskip("model2vec").StaticModel

    vectors = vectors_for(tokenizer)
    if clusters:
        rng = np.random.default_rng(8)
        options["token_mapping"] = rng.integers(0, clusters, len(vectors)).astype(
            options.pop("mapping_dtype", "int64")
        )
        vectors = vectors[-clusters:]
    if dtype == "int8":
        vectors = np.clip(np.rint(vectors * 40), -127, 127)
    model = StaticModel(vectors.astype(dtype), tokenizer, **options)
    model.save_pretrained(folder)
    return StaticModel.from_pretrained(folder)


def save_sentence_transformers(
    folder: Path, tokenizer: Tokenizer, *, normalize=False, truncate_dim=None, dtype="float32"
):
    """Save a sentence-transformers model that is a table; return it as it is loaded."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    rows = torch.from_numpy(vectors_for(tokenizer)).to(getattr(torch, dtype))
    modules = [StaticEmbedding(tokenizer, embedding_weights=rows)]
    modules += [Normalize()] if normalize else []
    SentenceTransformer(modules=modules, truncate_dim=truncate_dim, device="cpu").save(str(folder))
    return SentenceTransformer(str(folder), device="cpu")


def nest(folder: Path) -> None:
    """Move a table into the folder that older sentence-transformers gave it."""
    below = folder / "0_StaticEmbedding"
    below.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).rename(below / name)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = below.name
    modules[0]["type"] = "sentence_transformers.models.StaticEmbedding"
    (folder / "modules.json").write_text(json.dumps(modules))
