"""What contestants are called in the tables, and which packages' versions stand below them."""

from __future__ import annotations

LABELS = {
    "minilm-en-small": "**minilm-en-small**",
    "ours float32": "ours float32, plain",
    "ours int8": "ours int8, plain",
    "ours int8, prefix 64": "ours int8, plain, prefix 64",
    "sentence-transformers": "`StaticEmbedding`",
    "WordLlama": "WordLlama, own table",
    "WordLlama, same table": "WordLlama",
    "embedding_bag, ids given": "torch `embedding_bag`, ids given",
    "transformer": "the transformer",
}
PACKAGES = (
    "numpy",
    "tokenizers",
    "model2vec",
    "sentence-transformers",
    "fastembed",
    "laghu",
    "laghu-rs",
    "wordllama",
    "torch",
)


def label(name: str) -> str:
    """A contestant's name in a table."""
    return LABELS.get(name, name)
