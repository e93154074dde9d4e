"""Texts to vectors: batches, the table, pooling, unit length, precision.

In: a `ModelParts` and texts. Out: arrays of vectors.
May use: all rooms up to `loading`. Public: the names below; all others are internal.
"""

from .pooling import pool
from .table import EmbeddingTable
from .vectors import check_dim

__all__ = ["EmbeddingTable", "check_dim", "pool"]
