"""How much each token of a text adds to the text's vector, and where it stands in the text.

A text's vector is a sum over the tokens: each adds its row times a factor. The factor holds the
token's weight, its damping and the length, or the number, that the sum is divided by. All of them
are constants of the text, so the parts of the tokens add up to the vector, for damped means too.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..format.tokenizer_library import open_tokenizer
from .batching import slices

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from .embedder import Embedder
    from .options import Request
    from .table import EmbeddingTable


class Contributions(NamedTuple):
    """The parts of a text's vector, a part for each token.

    `vectors[tokens].sum(axis=0)` is the text's vector. Equal tokens have equal
    parts, so each is stored once.

    Attributes:
        pieces: the n tokens as strings, in the order of the text.
        spans: the first character of each token, and the character after its last one.
        tokens: (n,) the index of each token in `vectors`.
        vectors: (u, d) float64, the part of each distinct token.
    """

    pieces: list[str]
    spans: list[tuple[int, int]]
    tokens: NDArray[np.intp]
    vectors: NDArray[np.float64]


def contributions(
    embedder: Embedder, text: str, request: Request, *, prompt: str | None = None
) -> Contributions:
    """Return how much each token of a text adds to the text's vector.

    Args:
        embedder: the model.
        text: the text.
        request: the length of the vector, the pooling, and whether the vector has unit length.
        prompt: text to put before the text; spans count from the start of the text, so that a
            token of the prompt has a negative span.

    Raises:
        TypeError, StaticEmbError: as `slices` and `Embedder.ids`.
        MissingPackageError: `tokenizers` is missing; it knows the spans.
    """
    (batch,) = slices([text], 1, prompt)
    ids, _ = embedder.ids(batch)
    distinct, tokens, counts = np.unique(ids, return_inverse=True, return_counts=True)
    beta = request.beta if request.pooling == "damped_mean" else 0.0
    vectors = token_parts(
        embedder.table,
        distinct,
        counts,
        beta,
        request.dims,
        request.prefix,
        normalize=request.normalize,
    )
    spans = token_spans(embedder, batch.texts[0], ids)
    if prompt:
        spans = [(start - len(prompt), end - len(prompt)) for start, end in spans]
    pieces = embedder.tokenizer().tokens(batch.texts[0])
    return Contributions(pieces, spans, tokens.reshape(-1), vectors)


def token_parts(
    table: EmbeddingTable,
    ids: NDArray[np.integer[Any]],
    counts: NDArray[np.integer[Any]],
    beta: float,
    dims: int,
    prefix: int,
    *,
    normalize: bool = True,
) -> NDArray[np.float64]:
    """Return the part of each distinct token in a text's vector.

    Args:
        table: the table.
        ids: (u,) the distinct token ids of the text.
        counts: (u,) how often each stands in the text.
        beta: the damping; 0 for the plain mean.
        dims: the number of first columns in the cosine of damping.
        prefix: the number of first columns of the vector.
        normalize: whether the vector has unit length.

    Returns:
        (u, prefix) float64; zeros if the text's vector is zero.

    Example:
        >>> from staticemb_runtime.encoding.table import EmbeddingTable
        >>> table = EmbeddingTable(np.array([[3, 0], [0, 4]], np.float32))
        >>> token_parts(table, np.array([0, 1]), np.array([1, 1]), 0.0, 0, 2)
        array([[0.6, 0. ],
               [0. , 0.8]])
    """
    rows = table.token_rows(ids).astype(np.float64)
    total_factor = float(counts.sum())
    if beta and len(ids):
        head = rows[:, :dims]
        mean = counts @ head
        products = np.sqrt(np.einsum("ij,ij->i", head, head)) * np.sqrt(mean @ mean)
        cosines = np.divide(head @ mean, products, out=np.zeros(len(ids)), where=products > 0)
        factors = np.exp(-beta * cosines)
        rows *= factors[:, None]
        total_factor = float(counts @ factors)
    parts: NDArray[np.float64] = rows[:, :prefix]
    if not normalize:
        return parts / total_factor if len(ids) else parts
    total = counts @ parts
    length = np.sqrt(total @ total)
    return parts / length if length else np.zeros_like(parts)


_OPENED: weakref.WeakKeyDictionary[Embedder, Tokenizer] = weakref.WeakKeyDictionary()


def token_spans(embedder: Embedder, text: str, ids: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Return where a text's tokens stand in it, by the `tokenizers` library.

    Args:
        embedder: the model.
        text: the text, with its prompt.
        ids: (n,) the ids that the model uses: without unknown tokens, and cut to its limits.

    Returns:
        The first character of each token, and the character after its last one.

    Raises:
        MissingPackageError: `tokenizers` is not installed.
    """
    if not len(ids):
        return []
    limits, unknown = embedder.file.limits, embedder.file.metadata.unknown_token_id
    if limits is not None:
        text, unknown = text[: limits.max_characters], limits.unknown_token_id
    tokenizer = _OPENED.get(embedder)
    if tokenizer is None:
        tokenizer = _OPENED[embedder] = open_tokenizer(embedder.file.tokenizer)
    encoding = tokenizer.encode(text, add_special_tokens=False)
    all_ids, spans = np.array(encoding.ids, np.int64), np.array(encoding.offsets, np.int64)
    if unknown is not None:
        spans, all_ids = spans[all_ids != unknown], all_ids[all_ids != unknown]
    keeps_end = limits is not None and limits.keep_end
    kept = slice(-len(ids), None) if keeps_end else slice(len(ids))
    assert np.array_equal(all_ids[kept], ids), "the two tokenizers differ"
    return [(start, end) for start, end in spans[kept].tolist()]
