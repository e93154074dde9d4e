"""A checked and spooled collection: documents as numbers, and a few of their texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..corpus.digest_sample import DigestSample
from ..corpus.digests import text_digest
from ..errors import CollectionError
from ..table.space import unit
from .pseudo_queries import body_of, first_sentence
from .spool import Documents, DocumentSpool
from .teacher_queries import MOST_SPAN_DOCUMENTS, query_spans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from ..vocabulary.token_ids import TokenIds
    from .documents import TextBlock

MOST_HELD_OUT = 512
_HELD_OUT_SHARE = 5  # of five documents, at most one is held out
_LONGEST_KEPT = 20_000  # characters of a held-out document in memory
_UNIT = 1e-2  # how far from 1 the lengths of normalized vectors may be: int8 rounds them
_USUAL = (1e-15, 1e15)  # lengths whose squares float32 holds
_SAME = 0.999  # the least cosine of two vectors of one text


@dataclass(frozen=True)
class HeldOutText:
    """A document that trials leave out.

    Attributes:
        row: Its place in the spool.
        text: The start of its text.
        title: Its title, or "".
    """

    row: int
    text: str
    title: str


@dataclass(frozen=True, eq=False)
class Collection:
    """A checked collection.

    Attributes:
        documents: N documents as numbers, without those that have a zero vector.
        held_out: The documents that trials leave out, one for each of their texts.
        apart: (N,) whether a document has the same text as a held-out one.
        zero_vectors: How many documents were left out for their zero vector.
        different: How many documents have the text of an earlier one, but another vector.
        shortest: The smallest length of a vector.
        longest: The largest length of a vector.
        spans: Short parts of documents, to be encoded as queries; empty if none were asked for.
        spans_apart: (len(spans),) whether a span's document is a held-out one.
    """

    documents: Documents
    held_out: tuple[HeldOutText, ...]
    apart: NDArray[np.bool_]
    zero_vectors: int
    different: int
    shortest: float
    longest: float
    spans: tuple[str, ...] = ()
    spans_apart: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    @property
    def normalized(self) -> bool:
        """Whether the vectors had unit length."""
        return self.shortest > 1 - _UNIT and self.longest < 1 + _UNIT

    def described(self) -> str:
        """Return a line about the lengths of the vectors."""
        shortest, longest = f"{self.shortest:.3g}", f"{self.longest:.3g}"
        lengths = f"of length {longest}" if shortest == longest else f"{shortest} to {longest} long"
        return "Vectors: of unit length" if self.normalized else f"Vectors: {lengths}, scaled to 1"

    def warnings(self) -> list[str]:
        """Return lines about the documents that do not count, or not as they are."""
        lines = []
        if self.zero_vectors:
            lines.append(f"{self.zero_vectors:,} documents have a zero vector and are left out")
        if unknown := int((self.documents.whole_lengths == 0).sum()):
            lines.append(
                f"{unknown:,} documents have no token that the model knows: the fit cannot use them"
            )
        if self.different:
            lines.append(
                f"{self.different:,} documents have the text of an earlier document but another "
                "vector; the fit takes their mean"
            )
        return lines


class Collector:
    """Checks blocks of documents and vectors, and writes them to a spool.

    Args:
        folder: The folder of the spool.
        dim: The dimension of the vectors, H.
        tokenize: The tokenizer of the table.
        place: The name of the vectors for messages.
        cut: Shortens a text to what the teacher reads; None: whole texts.
        spans: Whether to take spans of documents.
    """

    def __init__(
        self,
        folder: Path,
        dim: int,
        tokenize: TokenIds,
        place: str,
        cut: Callable[[str], str] | None = None,
        *,
        spans: bool = False,
    ) -> None:
        self._spool = DocumentSpool(folder, dim)
        self._dim, self._tokenize, self._place, self._cut = dim, tokenize, place, cut
        self._digests: list[NDArray[np.uint64]] = []
        self._held: DigestSample[HeldOutText] = DigestSample(MOST_HELD_OUT)
        self._spans: DigestSample[list[str]] = DigestSample(MOST_SPAN_DOCUMENTS if spans else 0)
        self._read = self._kept = self._zeros = 0
        self._lengths = (np.inf, 0.0)

    def __len__(self) -> int:
        """Return how many documents were read."""
        return self._read

    def add(self, block: TextBlock, vectors: NDArray[np.floating]) -> None:
        """Check and append a block of n documents and their vectors (n, H).

        Raises:
            CollectionError: The dimension is not H, or a vector has infinities or NaN.
        """
        if vectors.shape != (len(block.texts), self._dim):
            raise CollectionError(
                f"{self._place}: expected vectors {(len(block.texts), self._dim)}, found "
                f"{vectors.shape}"
            )
        # float32 cannot hold the squares of very large and very small numbers.
        lengths = np.linalg.norm(np.asarray(vectors, np.float64), axis=1)
        if not np.isfinite(lengths).all():
            number = self._read + int(np.flatnonzero(~np.isfinite(lengths))[0]) + 1
            raise CollectionError(
                f"{self._place}: expected finite numbers, found NaN or infinity in the vector of "
                f"document {number:,}"
            )
        self._read += len(lengths)
        unusual = (lengths > 0) & ((lengths < _USUAL[0]) | (lengths > _USUAL[1]))
        if unusual.any():
            vectors = vectors / np.where(unusual, lengths, 1.0)[:, None]
        vectors = np.asarray(vectors, np.float32)
        kept = np.flatnonzero(lengths > 0)
        self._zeros += len(lengths) - len(kept)
        if not len(kept):
            return
        self._lengths = (
            min(self._lengths[0], float(lengths[kept].min())),
            max(self._lengths[1], float(lengths.max())),
        )
        texts = [block.texts[row] for row in kept.tolist()]
        titles = [block.titles[row] for row in kept.tolist()]
        digests = np.fromiter(map(text_digest, texts), np.uint64, len(texts))
        self._digests.append(digests)
        parts: list[str] = []
        for number, digest in enumerate(digests.tolist()):
            text, title = texts[number], titles[number]
            whole = text if self._cut is None else self._cut(text)
            if text:
                self._sample(digest, HeldOutText(self._kept + number, text, title), whole)
            sentence = first_sentence(body_of(text, title))
            parts += whole, title or sentence, sentence
        self._spool.add(*self._tokenize(parts), unit(vectors[kept]))
        self._kept += len(kept)

    def _sample(self, digest: int, document: HeldOutText, read: str) -> None:
        """Keep a document and spans of it, if they belong to the samples.

        Args:
            digest: The digest of the document's text.
            document: The document.
            read: What the teacher reads of it.
        """
        if self._held.takes(digest):
            text, title = document.text[:_LONGEST_KEPT], document.title[:_LONGEST_KEPT]
            self._held.add(digest, HeldOutText(document.row, text, title))
        if self._spans.takes(digest):
            self._spans.add(digest, query_spans(read, digest))

    def finish(self) -> Collection:
        """End the spool.

        Raises:
            CollectionError: No document has a vector other than zero, or none has a token.
        """
        documents = self._spool.finish()
        if not len(documents):
            found = "none" if not self._read else f"{self._read:,} zero vectors"
            raise CollectionError(f"{self._place}: expected vectors of documents, found {found}")
        if not documents.lengths.any():
            raise CollectionError(
                f"documents of {self._place}: expected tokens that the model knows, found none in "
                f"{self._read:,} documents"
            )
        digests = np.concatenate(self._digests)
        distinct, inverse = np.unique(digests, return_inverse=True)
        most = min(MOST_HELD_OUT, len(distinct) // _HELD_OUT_SHARE)
        held = dict(list(self._held)[:most])
        spans = [(digest in held, span) for digest, pair in self._spans for span in pair]
        return Collection(
            documents,
            tuple(held.values()),
            np.isin(digests, np.array(list(held), np.uint64)),
            self._zeros,
            _different(documents.vectors, inverse, len(distinct)),
            *self._lengths,
            tuple(span for _, span in spans),
            np.array([apart for apart, _ in spans], np.bool_),
        )

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *error: object) -> None:
        self._spool.__exit__(*error)


def _different(vectors: NDArray[np.float16], text_of: NDArray[np.int64], distinct: int) -> int:
    """Count documents whose vector differs from the first vector of the same text."""
    first = np.full(distinct, len(text_of), np.int64)
    np.minimum.at(first, text_of, np.arange(len(text_of)))
    repeated = np.flatnonzero(first[text_of] != np.arange(len(text_of)))
    count = 0
    for start in range(0, len(repeated), 8192):
        rows = repeated[start : start + 8192]
        left = np.asarray(vectors[rows], np.float32)
        right = np.asarray(vectors[first[text_of[rows]]], np.float32)
        count += int((np.einsum("nd,nd->n", left, right) < _SAME).sum())
    return count
