"""Search: an index in one SQLite file that finds by words (BM25) and by vectors.

In: texts with ids and metadata, then queries. Out: hits with scores, ranks and snippets.
May use: all rooms up to `records`. Public: `Index` and the types of its results.
"""

from .duplicates import Deduplicator, Duplicate, DuplicateGroup, Duplicates, deduplicate
from .explanation import Explanation, TokenPair, TokenShare, explain
from .hits import Added, Document, Hit, IndexInfo, Passage, PassageSpan
from .index import Index

__all__ = [
    "Added",
    "Deduplicator",
    "Document",
    "Duplicate",
    "DuplicateGroup",
    "Duplicates",
    "Explanation",
    "Hit",
    "Index",
    "IndexInfo",
    "Passage",
    "PassageSpan",
    "TokenPair",
    "TokenShare",
    "deduplicate",
    "explain",
]
