"""Explain the similarity of two texts: the share of each token and of each pair of tokens.

The cosine of two texts is the product of two sums over tokens (`encoding.contributions`). So it is
a sum over the pairs of tokens, and nothing is left over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..encoding.options import check_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..encoding.contributions import Contributions
    from ..format.metadata import Pooling
    from ..model import StaticModel

_PAIRS: Final = 1 << 20  # pairs of distinct tokens that are compared at once


class TokenShare(NamedTuple):
    """A token of a text, and its share of the similarity with another text.

    Attributes:
        piece: the token as a string.
        start: its first character in the text, from 0. A token of a prompt has a negative start.
        stop: the character after its last one.
        share: how much it adds to the cosine; below 0 if it takes from it.
    """

    piece: str
    start: int
    stop: int
    share: float


class TokenPair(NamedTuple):
    """A token of each text, and how much the pair adds to the cosine.

    Attributes:
        a: the token of the first text, as a string.
        b: the token of the second text.
        share: how much all pairs of these two tokens add to the cosine.
        repeats: the number of such pairs; above 1 if a text repeats its token.
    """

    a: str
    b: str
    share: float
    repeats: int


@dataclass(frozen=True)
class Explanation:
    """Why two texts are similar.

    Attributes:
        similarity: the cosine of the two texts; the sum of the shares of either text, and of the
            elements of `matrix`.
        a: the tokens of the first text with their shares, in the order of the text.
        b: the tokens of the second text.
    """

    similarity: float
    a: tuple[TokenShare, ...]
    b: tuple[TokenShare, ...]
    _parts: tuple[Contributions, Contributions] = field(repr=False, compare=False)

    def matrix(self) -> NDArray[np.float64]:
        """Return how much each token of `a` and each token of `b` add together.

        Returns:
            (n, m) float64 for n tokens of the first text and m of the second one.
        """
        a, b = self._parts
        products: NDArray[np.float64] = a.vectors @ b.vectors.T
        return products[np.ix_(a.tokens, b.tokens)]

    def pairs(self, limit: int = 10) -> list[TokenPair]:
        """Return the pairs of tokens with the largest shares.

        Equal tokens of a text count together. Memory does not grow with the number of pairs.

        Args:
            limit: the maximum number of pairs.

        Returns:
            Pairs by their size, the largest first; a negative share may be large.

        Raises:
            InvalidOptionError: `limit` is not an integer of at least 1.
        """
        limit = check_count("limit", limit)
        a, b = self._parts
        (a_counts, a_names), (b_counts, b_names) = _distinct(a), _distinct(b)
        best: list[tuple[float, int, int]] = []
        for begin, shares in _shares(a, b, a_counts, b_counts):
            flat = shares.ravel()
            order = np.argsort(-np.abs(flat), kind="stable")[:limit]
            rows, columns = np.unravel_index(order, shares.shape)
            largest = zip(flat[order].tolist(), rows.tolist(), columns.tolist(), strict=True)
            best += [(share, begin + row, column) for share, row, column in largest]
            best = sorted(best, key=lambda pair: -abs(pair[0]))[:limit]
        return [
            TokenPair(a_names[i], b_names[j], share, int(a_counts[i] * b_counts[j]))
            for share, i, j in best
        ]


def explain(
    model: StaticModel,
    a: str,
    b: str,
    *,
    prompt_names: tuple[str | None, str | None] = (None, None),
    truncate_dim: int | None = None,
    pooling: Pooling | None = None,
) -> Explanation:
    """Explain which tokens make two texts similar.

    The shares add up exactly to the cosine, for damped means too: the damping of a token is a
    constant of its own text.

    Args:
        model: the model.
        a: a text, such as a query.
        b: another text, such as a document.
        prompt_names: the names of the model's prompts for the two texts; `("query", "document")`
            for those that `encode_query` and `encode_document` use.
        truncate_dim: as in `StaticModel.encode`.
        pooling: as in `StaticModel.encode`.

    Returns:
        The cosine, the tokens of both texts with their shares, and the pairs of tokens. A text
        without a known token has no shares, and the cosine is 0.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.encode`.
        MissingPackageError: `tokenizers` is missing; it knows where tokens stand in a text.

    Example:
        >>> from staticemb_runtime import StaticModel
        >>> explanation = explain(StaticModel(), "cheap flights", "low-cost air travel")
        >>> explanation.pairs(1)[0][:2]
        ('cheap', 'cost')
        >>> abs(explanation.similarity - sum(token.share for token in explanation.a)) < 1e-9
        True
    """
    options = {"truncate_dim": truncate_dim, "pooling": pooling}
    first = model.contributions(a, prompt_names[0], **options)  # type: ignore[arg-type]
    second = model.contributions(b, prompt_names[1], **options)  # type: ignore[arg-type]
    vector_a = np.bincount(first.tokens, minlength=len(first.vectors)) @ first.vectors
    vector_b = np.bincount(second.tokens, minlength=len(second.vectors)) @ second.vectors
    return Explanation(
        float(vector_a @ vector_b),
        _token_shares(first, vector_b),
        _token_shares(second, vector_a),
        (first, second),
    )


def _token_shares(parts: Contributions, other: NDArray[np.float64]) -> tuple[TokenShare, ...]:
    shares = (parts.vectors @ other)[parts.tokens].tolist()
    rows = zip(parts.pieces, parts.spans, shares, strict=True)
    return tuple(TokenShare(piece, start, stop, share) for piece, (start, stop), share in rows)


def _distinct(parts: Contributions) -> tuple[NDArray[np.intp], list[str]]:
    """Return how often each distinct token stands in a text, and its string."""
    names = [""] * len(parts.vectors)
    for token, piece in zip(parts.tokens.tolist(), parts.pieces, strict=True):
        names[token] = piece
    return np.bincount(parts.tokens, minlength=len(names)), names


def _shares(
    a: Contributions,
    b: Contributions,
    a_counts: NDArray[np.intp],
    b_counts: NDArray[np.intp],
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the shares of all pairs of distinct tokens in blocks, with each block's first row."""
    step = max(1, _PAIRS // max(1, len(b.vectors)))
    for begin in range(0, len(a.vectors) if len(b.vectors) else 0, step):
        rows = a.vectors[begin : begin + step] * a_counts[begin : begin + step, None]
        yield begin, (rows @ b.vectors.T) * b_counts
