"""The pseudo-queries of held-out documents, and the teacher's best documents for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .agreement import best_documents
from .choosing import HeldOut
from .pseudo_queries import pseudo_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..vocabulary.token_ids import TokenIds
    from .collection import Collection

_RANKED = 50_000  # the most documents that are ranked
_POOLED = 10_000  # the most that are ranked if each trial's table embeds them
FEWEST = 20
"""With fewer held-out documents nothing is chosen."""


class HeldOutQueries:
    """Pseudo-queries, and which documents they rank.

    Args:
        collection: The collection.
        encode: Returns the teacher's unit vectors (n, H) of the pseudo-queries. None: a document's
            own vector stands for them, and both sides leave that document out of their rankings.
        tokenize: The tokenizer of the table.
        both_sides: Whether the table embeds the documents, too.
        seed: The seed of the pseudo-queries.

    Attributes:
        texts: (Q,) the pseudo-queries.
        ranked: (n,) the ascending rows of the documents that are ranked.
        wanted: (Q, 10) the teacher's best documents, as places in `ranked`.
    """

    def __init__(
        self,
        collection: Collection,
        encode: Callable[[Sequence[str]], NDArray[np.floating]] | None,
        tokenize: TokenIds,
        *,
        both_sides: bool,
        seed: int,
    ) -> None:
        held = collection.held_out
        texts = pseudo_queries(
            [document.text for document in held], [document.title for document in held], seed=seed
        )
        ids, lengths = tokenize(texts)
        kept = np.flatnonzero(lengths > 0)
        self.texts = [texts[number] for number in kept.tolist()]
        self._ids, self._lengths = ids, lengths[kept]
        rows = np.array([document.row for document in held], np.int64)[kept]
        documents = collection.documents
        most = min(_POOLED if both_sides else _RANKED, len(documents))
        spaced = np.linspace(0, len(documents) - 1, most)
        self.ranked = np.union1d(spaced.astype(np.int64), rows)
        self._documents, self._both_sides = documents, both_sides
        vectors = documents.vectors[self.ranked]
        self._without = None
        if encode is None:
            self._without = np.searchsorted(self.ranked, rows)
            queries = np.asarray(documents.vectors[rows], np.float32)
        else:
            queries = np.asarray(encode(self.texts), np.float32)
        self.wanted = best_documents(queries, vectors, without=self._without)

    def __len__(self) -> int:
        return len(self.texts)

    def for_table(self, used: NDArray[np.int64]) -> HeldOut:
        """Return them for tables of the used tokens, once the documents' vectors are centered.

        Args:
            used: (U,) the ascending ids of the table's tokens; other tokens are left out.
        """
        document_ids = None
        if self._both_sides:
            document_ids = _renumbered(*self._documents.whole_texts(self.ranked), used)
        return HeldOut(
            *_renumbered(self._ids, self._lengths, used),
            self._documents.vectors[self.ranked],
            document_ids,
            self.wanted,
            self._without,
        )


def _renumbered(
    ids: NDArray[np.int32], lengths: NDArray[np.int64], used: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number tokens by their places in `used`, and drop the others."""
    places = np.minimum(np.searchsorted(used, ids), len(used) - 1)
    known = used[places] == ids
    text_of = np.repeat(np.arange(len(lengths)), lengths)[known]
    return places[known].astype(np.int32), np.bincount(text_of, minlength=len(lengths))
