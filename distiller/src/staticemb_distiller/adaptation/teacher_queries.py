"""Short texts that a teacher encodes as queries: further rows of the fit.

Some teachers encode queries and documents differently, by a prefix or a parameter. A table that is
fitted to vectors of documents alone does not learn the vectors of queries. So spans of documents
are encoded as queries. Without a prior and with few documents, generated sequences are encoded as
well: they have words that no document has.

Measurements: docs/benchmarks/research/adaptation.md, "A second teacher".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..corpus.generated import Lexicon, generate
from ..table.space import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPANS = 2  # of each document
MOST_SPAN_DOCUMENTS = 50_000
_SHORTEST, _LONGEST = 4, 15  # words of a span
GENERATED = 60_000
ENOUGH_DOCUMENTS = 1_000
"""With as many documents, generated sequences gain nothing."""
_SPAN_WEIGHT = 1.0
_GENERATED_WEIGHT, _FEW_WEIGHT = 0.3, 1.0
_FEW_DOCUMENTS = 300
_SAME = 0.999  # the least cosine of two vectors of one text: floats differ between runs


def kinds_differ(documents: NDArray[np.floating], queries: NDArray[np.floating]) -> bool:
    """Tell whether a teacher encodes queries and documents differently.

    Args:
        documents: (n, H) the teacher's vectors of texts, encoded as documents.
        queries: (n, H) its vectors of the same texts, encoded as queries.
    """
    left, right = (unit(np.asarray(each, np.float32)) for each in (documents, queries))
    both = left.any(axis=1) & right.any(axis=1)
    return bool((np.einsum("nd,nd->n", left, right)[both] < _SAME).any())


def query_spans(text: str, seed: int) -> list[str]:
    """Take two spans of 4 to 15 words from a text.

    Args:
        text: The text.
        seed: The seed of lengths and places. With a digest of the text, a text has the same spans
            in every collection, so that the teacher encodes them once.

    >>> query_spans("one two three", 0)
    ['one two three', 'one two three']
    """
    words = text.split()
    random = np.random.default_rng(seed)
    spans = []
    for length in random.integers(_SHORTEST, _LONGEST + 1, SPANS).tolist():
        first = int(random.integers(0, max(1, len(words) - length + 1)))
        spans.append(" ".join(words[first : first + length]))
    return spans


def generated_queries(tokenizer_json: bytes) -> list[str]:
    """Generate sequences of a tokenizer's words; none if it has no words."""
    from tokenizers import Tokenizer

    lexicon = Lexicon.of(Tokenizer.from_str(tokenizer_json.decode()))
    return generate(lexicon, GENERATED) if lexicon.words else []


@dataclass(frozen=True, eq=False)
class QueryRows:
    """M texts, and the teacher's vectors of them as queries.

    Attributes:
        ids: (T,) int32 token ids of all texts, one after the other.
        lengths: (M,) int64 the number of ids of each text.
        targets: (M, H) float16 unit vectors, with the mean of the documents' vectors.
        weights: (M,) float32, the weight of each text in the fit.
        held_out: (M,) whether a text is a part of a held-out document.
        spans: How many of them are spans of documents; the rest is generated.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    targets: NDArray[np.float16]
    weights: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    spans: int

    def trained(self) -> QueryRows:
        """Return the rows of a trial: those of no held-out document."""
        kept = ~self.held_out
        return QueryRows(
            self.ids[np.repeat(kept, self.lengths)],
            self.lengths[kept],
            self.targets[kept],
            self.weights[kept],
            self.held_out[kept],
            int(kept[: self.spans].sum()),
        )


def query_rows(
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    spans: NDArray[np.floating],
    generated: NDArray[np.floating],
    *,
    held_out: NDArray[np.bool_],
    mean: NDArray[np.float32],
    documents: int,
) -> QueryRows:
    """Weight spans and generated sequences, and move their vectors to the documents'.

    The vectors of each kind share a direction that the documents' vectors do not have. The table
    does not know the kind of a text. So each kind's mean is moved to the mean of the documents.

    Args:
        ids: (T,) token ids of all texts, spans first.
        lengths: (M,) the number of ids of each text.
        spans: (n, H) the teacher's unit vectors of spans, encoded as queries.
        generated: (M - n, H) its vectors of generated sequences.
        held_out: (n,) whether the document of a span is held out.
        mean: (H,) the mean of the documents' targets.
        documents: The number of documents.
    """
    weight = _FEW_WEIGHT if documents < _FEW_DOCUMENTS else _GENERATED_WEIGHT
    return QueryRows(
        ids,
        lengths,
        np.concatenate([with_mean(spans, mean), with_mean(generated, mean)]),
        np.repeat(np.array([_SPAN_WEIGHT, weight], np.float32), [len(spans), len(generated)]),
        np.concatenate([held_out, np.zeros(len(generated), bool)]),
        len(spans),
    )


def with_mean(vectors: NDArray[np.floating], mean: NDArray[np.float32]) -> NDArray[np.float16]:
    """Move the mean of unit vectors to another one, and scale them to unit length.

    Args:
        vectors: (n, H) unit vectors; zero vectors stay zero.
        mean: (H,) the wanted mean.

    Example:
        >>> vectors = np.array([[1, 0], [-1, 0], [0, 0]], np.float32)
        >>> with_mean(vectors, np.array([0, 0.75], np.float32)).round(1).tolist()
        [[0.7998046875, 0.60009765625], [-0.7998046875, 0.60009765625], [0.0, 0.0]]
    """
    known = np.asarray(vectors, np.float32)
    rows = known.any(axis=1)
    moved = np.zeros_like(known)
    if rows.any():
        moved[rows] = known[rows] + (mean - known[rows].mean(0))
    return unit(moved).astype(np.float16)
