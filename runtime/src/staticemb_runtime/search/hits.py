"""The types of what an index returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class PassageSpan(NamedTuple):
    """A passage of a document.

    Attributes:
        number: its place among the document's passages, from 0.
        start: its first character, from 0, in Unicode code points.
        stop: the character after its last one; `document.text[start:stop]` is the passage.
    """

    number: int
    start: int
    stop: int


class Hit(NamedTuple):
    """A document that answers a query, with its best passage: by words if these find it.

    Attributes:
        id: the document's id.
        score: the score that hits are ordered by, descending; comparable within one query. In a
            hybrid search it joins the document's best BM25 score and its best cosine, which may be
            of two passages.
        text: the text of the best passage.
        metadata: the document's metadata.
        passage: where the best passage lies in the document.
        snippet: the part of the passage with the most words of the query.
        marks: where those words lie in `snippet`: (start, stop) pairs, ascending.
        lexical_score: the BM25 score of this passage; None if it is not among the candidates.
        lexical_rank: the document's rank by BM25, from 1, or None.
        vector_score: the cosine of this passage and the query, or None in a search by words alone.
        vector_rank: the document's rank by its best cosine, from 1, or None.
        rerank_score: the scorer's score, or None.
    """

    id: str
    score: float
    text: str
    metadata: Mapping[str, Any]
    passage: PassageSpan
    snippet: str
    marks: tuple[tuple[int, int], ...]
    lexical_score: float | None = None
    lexical_rank: int | None = None
    vector_score: float | None = None
    vector_rank: int | None = None
    rerank_score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as values that JSON can hold.

        Example:
            >>> span = PassageSpan(0, 0, 11)
            >>> hit = Hit("1", 1.0, "a red apple", {}, span, "a red apple", ((2, 5),))
            >>> hit.to_dict()["passage"]
            {'number': 0, 'start': 0, 'stop': 11}
        """
        return self._asdict() | {
            "metadata": dict(self.metadata),
            "passage": self.passage._asdict(),
            "marks": [list(mark) for mark in self.marks],
        }

    def marked(self, start: str = "[", stop: str = "]") -> str:
        """Return the snippet with `start` and `stop` around each word of the query.

        Example:
            >>> span = PassageSpan(0, 0, 11)
            >>> Hit("1", 1.0, "a red apple", {}, span, "a red apple", ((2, 5),)).marked()
            'a [red] apple'
        """
        parts, done = [], 0
        for first, last in self.marks:
            parts += [self.snippet[done:first], start, self.snippet[first:last], stop]
            done = last
        return "".join([*parts, self.snippet[done:]])


class Document(NamedTuple):
    """A stored document.

    Attributes:
        id: its id.
        text: its text.
        metadata: its metadata.
        source: the file that it comes from, or empty.
    """

    id: str
    text: str
    metadata: Mapping[str, Any]
    source: str = ""


class Passage(NamedTuple):
    """A stored passage with its vector.

    Attributes:
        id: its document's id.
        span: where it lies in the document.
        text: its text.
        vector: (D,) float32 of unit length, or zero; as precise as the index stores it.
    """

    id: str
    span: PassageSpan
    text: str
    vector: NDArray[np.float32]


class Added(NamedTuple):
    """What a call of `Index.add` did.

    Attributes:
        new: how many documents were added.
        replaced: how many documents replaced one of the same id.
        unchanged: how many were in the index already, with the same text, metadata and passages.
    """

    new: int
    replaced: int
    unchanged: int


class IndexInfo(NamedTuple):
    """The settings of an index.

    Attributes:
        path: the file.
        documents: the number of documents.
        passages: the number of passages.
        dimension: the length of vectors.
        precision: how vectors are stored.
        words: how texts are cut into words: `words`, `trigrams`, or None without full-text search.
        passage_characters: the length above which documents are cut, or None.
        model: the name or path of the model that the index was made with.
        vectors_digest: the digest of the parts that determine the model's vectors.
        vectors_from: `model`, or `teacher` if a teacher made the documents' vectors.
        teacher: the teacher whose vectors are in the model's space, or empty.
        teacher_revision: its revision, or empty.
        model_stored: whether the model is in the file.
        schema_version: the version of the file's schema.
    """

    path: str
    documents: int
    passages: int
    dimension: int
    precision: str
    words: str | None
    passage_characters: int | None
    model: str
    vectors_digest: str
    vectors_from: str
    teacher: str
    teacher_revision: str
    model_stored: bool
    schema_version: int
