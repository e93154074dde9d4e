"""`Index`: documents in one SQLite file, found by words and by vectors together."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from ..encoding.options import check_count
from ..errors import FullTextMissingError, NotAnIndexError
from ..format.surrogates import lone_surrogate
from . import collection
from .arguments import check_choice, check_texts, in_order, weight
from .blocks import read_vectors
from .fusion import RERANK_WEIGHT, VECTOR_WEIGHT
from .hits import Passage, PassageSpan
from .open_index import TIMEOUT
from .publication import publish
from .searching import METHODS, Plan, Searcher
from .store import Store
from .writing import WritableIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .hits import Document, Hit
    from .searching import Method, Scorer

    Filter = Mapping[str, Any]

_PAGE: Final = 1024


class Index(WritableIndex):
    """A search index in one file; made by `Index.create` and `Index.open`.

    An index holds documents (an id, a text, metadata), a full-text index of their words and the
    vectors of their passages. It is safe to use from several threads, which then wait for each
    other, and from several processes: one writes at a time, and readers go on meanwhile. After a
    fork, open it again. Vectors are read into memory at the first search.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> with Index.create(f"{folder.name}/fruit.db") as index:
        ...     added = index.add(["Apples are red.", "The sea is deep."], ids=["a", "b"])
        ...     [hit.id for hit in index.search("a red apple", k=1)]
        ['a']
        >>> folder.cleanup()
    """

    def __contains__(self, id: object) -> bool:
        with self._store.reading() as connection:
            known = isinstance(id, str) and not lone_surrogate(id)
            return known and bool(collection.stored_ids(connection, [str(id)]))

    def get(self, id: str) -> Document:
        """Return a document.

        Raises:
            KeyError: there is none of this id.
        """
        with self._store.reading() as connection:
            document = collection.get(connection, collection.check_id(id))
        if document is None:
            raise KeyError(id)
        return document

    def documents(self) -> Iterator[Document]:
        """Iterate over all documents, in the order in which they were added.

        Documents that are added meanwhile may be among them.
        """
        last = 0
        while True:
            with self._store.reading() as connection:
                page = collection.page(connection, last, _PAGE)
            if not page:
                return
            for number, document, _ in page:
                last = number
                yield document

    def has_full_text(self) -> bool:
        """Tell whether words are searched: the index and this Python's sqlite3 have FTS5.

        If not, the method `hybrid` searches by vectors alone.
        """
        return self._lexicon is not None

    def sources(self) -> list[tuple[str, str]]:
        """Return the (id, source) of each document whose source is known, in any order.

        The source is the file from which the document was read: delete those whose file is gone.
        """
        with self._store.reading() as connection:
            return list(collection.sources(connection))

    def passages(self) -> Iterator[Passage]:
        """Iterate over all passages with their vectors, document by document.

        Use it to export an index, or to fit a model to its passages.

        Example:
            >>> import tempfile
            >>> folder = tempfile.TemporaryDirectory()
            >>> with Index.create(f"{folder.name}/fruit.db") as index:
            ...     added = index.add(["Apples are red."], ids=["a"])
            ...     [(passage.id, passage.text) for passage in index.passages()]
            [('a', 'Apples are red.')]
            >>> folder.cleanup()
        """
        last = 0
        while True:
            with self._store.reading() as connection:
                settings = self._current(connection)
                page = collection.page(connection, last, _PAGE)
                ids = [id for _, _, spans in page for id, _, _ in spans]
                vectors = read_vectors(connection, ids, settings.dimension, settings.precision)
            if not page:
                return
            row = 0
            for number, document, spans in page:
                last = number
                for place, (_, start, stop) in enumerate(spans):
                    text = document.text[start:stop]
                    yield Passage(document.id, PassageSpan(place, start, stop), text, vectors[row])
                    row += 1

    @overload
    def search(  # type: ignore[overload-overlap]  # a string is a sequence of strings
        self,
        query: str,
        k: int = ...,
        *,
        filter: Filter | None = ...,
        method: Method = ...,
        vector_weight: float = ...,
        candidates: int = ...,
        rerank: Scorer | None = ...,
        rerank_weight: float = ...,
    ) -> list[Hit]: ...

    @overload
    def search(
        self,
        query: Sequence[str],
        k: int = ...,
        *,
        filter: Filter | None = ...,
        method: Method = ...,
        vector_weight: float = ...,
        candidates: int = ...,
        rerank: Scorer | None = ...,
        rerank_weight: float = ...,
    ) -> list[list[Hit]]: ...

    def search(
        self,
        query: str | Sequence[str],
        k: int = 10,
        *,
        filter: Filter | None = None,
        method: Method = "hybrid",
        vector_weight: float = VECTOR_WEIGHT,
        candidates: int = 100,
        rerank: Scorer | None = None,
        rerank_weight: float = RERANK_WEIGHT,
    ) -> list[Hit] | list[list[Hit]]:
        """Find the documents that answer a query, best first, one hit a document.

        Args:
            query: any text, or a list of texts. Operators and quotes have no meaning. In a long
                query the rarest 64 words count. In a large collection words that stand in more than
                a tenth of the passages are ignored.
            k: the most hits of a query.
            filter: conditions on the metadata: for each key a value, a list of values, or a mapping
                of `<`, `<=`, `>`, `>=`, `!=` to a value. All must hold.
            method: `hybrid`, or one kind of candidates alone: `lexical`, `vector`.
            vector_weight: the weight of cosines in a hybrid score, 0 to 1; BM25 has the rest. Each
                is scaled to 0–1 over its 100 best documents first.
            candidates: how many documents `rerank` scores.
            rerank: a function of a query and a list of passages that returns a score for each, such
                as a cross-encoder's.
            rerank_weight: the weight of its scores, 0 to 1; BM25 has the rest. Each is scaled.

        Returns:
            A list of hits; for several queries a list of such lists.

        Raises:
            TypeError, InvalidTextError: a query is no string, or no valid Unicode.
            InvalidOptionError: another parameter has an invalid value.
            FullTextMissingError: `method` is `lexical`, but the index or this Python's sqlite3 has
                no full-text search.
            IndexModelError: the model cannot be found, or gives other vectors.
            NotAnIndexError: the file is damaged.
        """
        check_choice("method", method, METHODS)
        plan = Plan(
            check_count("k", k),
            filter,
            method,
            weight("vector_weight", vector_weight),
            check_count("candidates", candidates),
            rerank,
            weight("rerank_weight", rerank_weight),
        )
        queries = [query] if isinstance(query, str) else list(in_order("query", query))
        check_texts(queries, 0)
        with self._lock:
            if method == "lexical" and self._lexicon is None:
                raise FullTextMissingError(
                    f"{self._store.path}: the index or this Python's sqlite3 has no full-text "
                    "search (FTS5); the method 'vector' searches without it"
                )
            vectors: NDArray[np.float32] | None = None
            if method != "lexical":
                vectors = self._vectors().queries(queries)
            with self._store.reading() as connection:
                self._check_same(connection)
                self._searcher.refresh(connection)
                hits = [
                    self._searcher.search(
                        connection, text, None if vectors is None else vectors[place], plan
                    )
                    for place, text in enumerate(queries)
                ]
        return hits[0] if isinstance(query, str) else hits

    def publish(self, path: str | os.PathLike[str], *, with_model: bool = True) -> None:
        """Write a compact copy that opens from a read-only folder.

        Args:
            path: the file; an existing one is replaced at the end.
            with_model: whether a model that the index holds is copied as well.

        Raises:
            OutputError: the copy cannot be written, is the index itself, or is no regular file; or
                a program has the file open as an index, unless that is a published copy.
        """
        publish(self._store, os.fspath(path), with_model=with_model)

    def export(
        self, path: str | os.PathLike[str], *, progress: Callable[[int], None] | None = None
    ) -> int:
        """Write all passages with their vectors as Parquet, for other programs; needs pyarrow.

        A row is a passage: `id`, `passage` (its number), `start`, `stop`, `text`, `metadata` in
        JSON, `source` and `embedding` (D float32 of unit length, or zero). The rows are those of
        one state; other threads and processes go on meanwhile. Some 10,000 passages are in memory.

        Args:
            path: the file, whose name ends in `.parquet`; an existing one is replaced at the end.
            progress: called with the number of passages so far.

        Returns:
            The number of passages.

        Raises:
            InvalidOptionError: the file's name ends otherwise.
            OutputError: the file cannot be written, or pyarrow is missing.
            NotAnIndexError: the index is damaged.
        """
        from .export import export  # late: a search needs it not

        # Its own connection, so that other threads need not wait.
        with contextlib.closing(Store(self._store.path, writable=False, timeout=TIMEOUT)) as store:
            return export(store, os.fspath(path), progress)

    def check(self) -> None:
        """Read the whole file and compare its parts.

        Raises:
            NotAnIndexError: a part is damaged, or two parts differ.
        """
        path = self._store.path
        with self._store.reading() as connection:
            for (line,) in connection.execute("PRAGMA integrity_check(1)"):
                if line != "ok":
                    raise NotAnIndexError(f"{path}: damaged: {str(line).splitlines()[-1]}")
            settings = self._current(connection)
            searcher = Searcher(settings, self._lexicon)
            searcher.refresh(connection)
            rows = connection.execute("SELECT id, document FROM passages ORDER BY id").fetchall()
            owners = searcher.documents
            places = np.flatnonzero(owners)
            if [tuple(row) for row in rows] != list(
                zip(places.tolist(), owners[places].tolist(), strict=True)
            ):
                raise NotAnIndexError(f"{path}: damaged: passages and vectors differ")
            collection.check(connection)
            if self._lexicon is not None:
                (count,) = connection.execute("SELECT count(*) FROM lexical_docsize").fetchone()
                if count != len(rows):
                    raise NotAnIndexError(f"{path}: damaged: passages and full text differ")
