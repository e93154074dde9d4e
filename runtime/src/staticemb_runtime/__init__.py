"""Static text embeddings: tokenize, gather, Zipf-weighted mean, Matryoshka prefix."""

from .embedder import Token
from .errors import StaticEmbError
from .model import StaticModel
from .vectors import normalize, quantize, similarity, similarity_pairwise, truncate

__all__ = [
    "StaticEmbError",
    "StaticModel",
    "Token",
    "normalize",
    "quantize",
    "similarity",
    "similarity_pairwise",
    "truncate",
]
__version__ = "0.1.0"
