"""Rank texts that are not in an index by the hybrid score of an index."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from ..encoding.vectors import similarity
from .arguments import in_order
from .fusion import VECTOR_WEIGHT, fuse
from .lexical import MOST_REPEATS
from .postings import K1, B, rarity, read_frequency

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .index import Index
    from .lexicon import Lexicon


def rank(index: Index, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
    """Score texts for a query as the index scores its documents.

    A word counts by how rare it is in the index. The lengths of texts are compared with the mean
    length of these texts. Both scores are scaled over these texts, as in `Index.search`.

    Args:
        index: an open index.
        query: the query.
        texts: n texts.

    Returns:
        (n,) float64, from 0 to 1.

    Raises:
        TypeError: `texts` is one string, a table or a set, or an element is no string.
        InvalidTextError: the query or a text is not valid Unicode.
        SearchIndexError: as `Index.search`.
    """
    texts = list(in_order("texts", texts))
    settings = index.info()
    model, dim = index.model, settings.dimension
    asked = model.encode_query([query], truncate_dim=dim, on_empty="zero")
    given = model.encode_document(texts, truncate_dim=dim, on_empty="zero", as_query=True)
    cosines = similarity(asked, given)[0].astype(np.float64)
    lexical = np.full(len(texts), np.nan)
    with index._lock, index._store.reading() as connection:
        if index._lexicon is not None:
            lexical = bm25(connection, index._lexicon, query, texts, settings.passages)
    order, ranked = fuse(lexical, cosines, np.ones(len(texts), np.bool_), VECTOR_WEIGHT)
    scores = np.empty(len(texts))
    scores[order] = ranked
    return scores


def bm25(
    connection: sqlite3.Connection,
    lexicon: Lexicon,
    query: str,
    texts: Sequence[str],
    passages: int,
) -> NDArray[np.float64]:
    """Return the BM25 scores of texts by the word frequencies of an index.

    Args:
        connection: inside a transaction that reads.
        lexicon: finds the terms of words.
        query: the query.
        texts: n texts.
        passages: the number of passages in the index.

    Returns:
        (n,) float64; NaN for a text without a word of the query.
    """
    wanted = lexicon.query_words(query)
    lengths = np.array([sum(1 for _ in lexicon.spans(text)) for text in texts])
    term_counts = [
        Counter(term for *_, term in lexicon.occurrences(text, wanted)) for text in texts
    ]
    norms = K1 * (1 - B + B * lengths / max(lengths.sum() / max(1, len(texts)), 1))
    scores = np.zeros(len(texts))
    for term, (_, repeats) in wanted.items():
        holders = min(passages, read_frequency(connection, term, lexicon.words))
        weight = min(repeats, MOST_REPEATS) * (K1 + 1) * rarity(passages, holders)
        counts = np.array([counted[term] for counted in term_counts])
        scores += weight * counts / (counts + norms)
    return np.where(scores > 0, scores, np.nan)
