"""`Index`: documents in one SQLite file, found by words and by vectors together."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np

from ..encoding.options import check_count
from ..encoding.vectors import check_dim
from ..errors import (
    FullTextMissingError,
    IndexModelError,
    InvalidOptionError,
    InvalidTextError,
    NotAnIndexError,
)
from ..model import StaticModel
from . import collection, schema
from .blocks import DTYPES, BlockWriter, encode_vectors
from .embedding import DocumentVectors, by_teacher, check_identity, identity, open_model
from .fusion import VECTOR_WEIGHT
from .hits import Added, Document, IndexInfo
from .lexicon import Lexicon
from .passages import cut
from .publication import publish
from .searching import METHODS, Plan, Searcher
from .settings import next_change, read_settings, write_settings
from .stop_words import ENGLISH
from .store import Store, create, has_full_text
from .stored_model import has_model, load_model, store_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

    from .blocks import StoredPrecision
    from .hits import Hit
    from .lexicon import Words
    from .searching import Method, Scorer
    from .settings import Settings

    Model = StaticModel | str | os.PathLike[str] | None
    Filter = Mapping[str, Any]
    Vectors = ArrayLike | Iterable[ArrayLike] | Callable[[list[str]], ArrayLike]

TIMEOUT: Final = 30.0
BATCH_SIZE: Final = 8192
_PAGE: Final = 1024


class Index:
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

    def __init__(self, store: Store, settings: Settings, model: Model) -> None:
        self._store = store
        self._settings = settings
        self._given = model
        self._model: StaticModel | None = None
        self._lock = threading.RLock()
        self._lexicon: Lexicon | None = None
        if settings.words is not None and store.full_text:
            self._lexicon = Lexicon(settings.words, settings.ignored())
        self._searcher = Searcher(settings, self._lexicon)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        model: Model = None,
        *,
        precision: StoredPrecision = "int8",
        truncate_dim: int | None = None,
        words: Words | Literal["auto"] | None = "auto",
        stop_words: Iterable[str] = ENGLISH,
        passage_characters: int | None = None,
        store_model: bool = False,
        exist_ok: bool = False,
        timeout: float = TIMEOUT,
    ) -> Self:
        """Make an empty index and open it for writing.

        Args:
            path: the file.
            model: the model that embeds queries and documents, or its file or name; None: the small
                English model that comes with this package. A model whose file says that its teacher
                embeds the documents needs `vectors` in `add`.
            precision: how vectors are stored: `int8`, `float16` with twice the bytes, or `bits`
                with an eighth of them and lower quality.
            truncate_dim: the length of vectors; None: the model's default.
            words: `words` for BM25 over stemmed English words, which also finds whole words of
                other languages with blanks; `trigrams` over three characters each, for languages
                without blanks (queries then need three characters); None for search by vectors
                alone. `auto`: `words` if this Python's sqlite3 has FTS5, else None.
            stop_words: words that queries ignore, in lower case, unless they hold nothing else.
            passage_characters: the length above which documents are cut into passages, at the ends
                of sentences; None: each document is one passage. 1,000 to 2,000 suit documents of
                several pages.
            store_model: whether the model's file is put into the index.
            exist_ok: whether to open an index that exists, whose settings then stay as they are.
            timeout: how many seconds to wait for another process that writes.

        Raises:
            InvalidOptionError, InvalidDimensionError: a parameter has an invalid value.
            SearchIndexError: the file exists, or cannot be made; a subclass for each fault.
            FullTextMissingError: `words` needs FTS5, which this Python's sqlite3 lacks.
            StaticEmbError: the model cannot be opened.
        """
        place = os.fspath(path)
        _check_choice("precision", precision, DTYPES)
        _check_choice("words", words, ("auto", None, *schema.TOKENIZERS))
        if passage_characters is not None:
            check_count("passage_characters", passage_characters)
        if words == "auto":
            words = "words" if has_full_text() else None
        elif words is not None and not has_full_text():
            raise FullTextMissingError(
                f"{place}: this Python's sqlite3 has no FTS5; words=None searches by vectors alone"
            )
        loaded, name = open_model(model)
        settings: dict[str, object] = {
            "change": 0,
            "dimension": check_dim(truncate_dim or loaded.dim, loaded.metadata.dim),
            "precision": precision,
            "words": words,
            "stop_words": json.dumps(sorted(stop_words)),
            "passage_characters": passage_characters,
            "model": name,
            "vectors_digest": identity(loaded),
            "vectors_from": "teacher" if by_teacher(loaded) else "model",
        }
        made = create(place, settings, words, timeout=timeout)
        if not made and not exist_ok:
            raise InvalidOptionError(f"{place}: expected no file, found an index; open it instead")
        index = cls.open(place, loaded, mode="write", timeout=timeout)
        if made and store_model:
            index.store_model()
        return index

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        model: Model = None,
        *,
        mode: Literal["read", "write"] = "read",
        timeout: float = TIMEOUT,
    ) -> Self:
        """Open an index.

        Args:
            path: the file. One in a folder without write access is taken as never changing; use
                `publish` to make a copy for such a folder.
            model: the model that the index was made with, or one with the same vectors; None: the
                model in the index, else the one that its settings name, opened at first use.
            mode: `read`, or `write` to change the index as well.
            timeout: how many seconds to wait for another process that writes.

        Raises:
            IndexNotFoundError: there is no such file.
            NotAnIndexError: the file is no index, damaged, or of a newer schema.
            IndexModelError: the model gives other vectors.
            IndexReadOnlyError: `mode` is `write`, but the file cannot be written.
            InvalidOptionError: `mode` is neither.
        """
        _check_choice("mode", mode, ("read", "write"))
        store = Store(os.fspath(path), writable=mode == "write", timeout=timeout)
        try:
            with store.reading() as connection:
                settings = read_settings(connection, store.path)
            index = cls(store, settings, model)
            if model is not None:
                index.model  # noqa: B018 - a model of other vectors is refused at once
        except BaseException:
            store.close()
            raise
        return index

    def close(self) -> None:
        """Close the file and free the memory; a closed index raises SearchIndexError."""
        with self._lock:
            self._store.close()
            if self._lexicon is not None:
                self._lexicon.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Index({self._store.path!r})"

    def __len__(self) -> int:
        """Return the number of documents."""
        with self._store.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    def __contains__(self, id: object) -> bool:
        with self._store.reading() as connection:
            return isinstance(id, str) and collection.get(connection, id) is not None

    @property
    def model(self) -> StaticModel:
        """The model that embeds queries.

        Raises:
            IndexModelError: it cannot be found, or gives other vectors.
        """
        with self._lock:
            if self._model is None:
                model = self._find_model()
                check_identity(model, self._settings._asdict(), self._store.path)
                self._model = model
            return self._model

    def info(self) -> IndexInfo:
        """Return the settings and the numbers of documents and passages."""
        settings = self._settings
        with self._store.reading() as connection:
            (documents,) = connection.execute("SELECT count(*) FROM documents").fetchone()
            (passages,) = connection.execute("SELECT sum(live) FROM blocks").fetchone()
            stored = has_model(connection)
        return IndexInfo(
            path=self._store.path,
            documents=documents,
            passages=passages or 0,
            dimension=settings.dimension,
            precision=settings.precision,
            words=settings.words,
            passage_characters=settings.passage_characters,
            model=settings.model,
            vectors_digest=settings.vectors_digest,
            vectors_from=settings.vectors_from,
            model_stored=stored,
            schema_version=schema.SCHEMA_VERSION,
        )

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str] | None = None,
        metadata: Iterable[Mapping[str, Any] | None] | None = None,
        vectors: Vectors | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Callable[[int], None] | None = None,
    ) -> Added:
        """Add documents, or replace those of the same ids.

        Documents are committed batch by batch: after an error, or the end of the process, the
        batches before it are stored. A document that is stored already with the same text, metadata
        and passages is left alone, unless `vectors` is given. So the same call can be made again.

        Args:
            texts: the documents' texts.
            ids: their ids; None: their numbers, in decimals.
            metadata: for each a mapping of strings to values of JSON, or None.
            vectors: vectors made elsewhere. For each text, in an index without passages, either the
                teacher's (n, H) if the model's file has a space, or (n, D) of the model; an array,
                or an iterable of rows. Or a function that takes a list of texts, those of passages,
                and returns such an array. None: the model makes them.
            batch_size: how many documents are committed at a time.
            progress: called after each batch with the number of documents so far.

        Raises:
            TypeError: `texts` is one string, or an element has another type.
            InvalidTextError: a text holds a surrogate; its batch is not stored.
            InvalidOptionError: the parameters differ in length or have invalid values; or the model
                embeds queries alone, and `vectors` is missing.
            InvalidDimensionError: `vectors` has another shape.
            IndexReadOnlyError, IndexBusyError, SearchIndexError: the index cannot be written.
        """
        if isinstance(texts, str):
            raise TypeError("texts: expected an iterable of strings, found a string")
        size = check_count("batch_size", batch_size)
        source = iter(texts)
        id_source = None if ids is None else iter(ids)
        metadata_source = None if metadata is None else iter(metadata)
        vector_source = None if vectors is None or callable(vectors) else iter(vectors)  # type: ignore[arg-type]
        if vector_source is not None and self._settings.passage_characters is not None:
            raise InvalidOptionError(
                "vectors: expected a function, as this index cuts documents into passages, "
                "found vectors"
            )
        total = Added(0, 0, 0)
        done = 0
        while batch := list(islice(source, size)):
            documents = self._new_documents(
                batch,
                _matching("ids", id_source, len(batch)),
                _matching("metadata", metadata_source, len(batch)),
                done,
            )
            rows = _matching("vectors", vector_source, len(batch))
            given = None if rows is None else np.asarray(rows)
            added = self._add(documents, given, vectors if callable(vectors) else None)
            total = Added(*(a + b for a, b in zip(total, added, strict=True)))
            done += len(batch)
            if progress is not None:
                progress(done)
        for name, rest in (("ids", id_source), ("metadata", metadata_source)):
            if rest is not None and next(rest, self) is not self:
                raise InvalidOptionError(f"{name}: expected one for each text, found more")
        return total

    def delete(self, ids: Iterable[str]) -> int:
        """Delete documents in one transaction; return how many of them were stored.

        Raises:
            TypeError: `ids` is a string, or an id is no string.
            IndexReadOnlyError, IndexBusyError, SearchIndexError: the index cannot be written.
        """
        if isinstance(ids, str):
            raise TypeError("ids: expected an iterable of strings, found a string")
        checked = [collection.check_id(id) for id in ids]
        with self._store.writing() as connection:
            return collection.delete(connection, self._current(connection), checked)

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
        rerank_weight: float = 0.5,
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
        _check_choice("method", method, METHODS)
        plan = Plan(
            check_count("k", k),
            filter,
            method,
            _weight("vector_weight", vector_weight),
            check_count("candidates", candidates),
            rerank,
            _weight("rerank_weight", rerank_weight),
        )
        queries = [query] if isinstance(query, str) else list(query)
        _check_texts(queries, 0)
        with self._lock:
            if method == "lexical" and self._lexicon is None:
                raise FullTextMissingError(f"{self._store.path}: there is no full-text search here")
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

    def reindex(
        self,
        model: Model,
        *,
        truncate_dim: int | None = None,
        precision: StoredPrecision | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Make all vectors anew with another model, from the stored texts, in one transaction.

        Readers see the old vectors until the end; an index that is open elsewhere must then be
        opened again. The full-text index stays. A stored model is replaced.

        Args:
            model: as in `create`.
            truncate_dim: as in `create`.
            precision: as in `create`; None: as before.
            progress: called with the number of documents so far.

        Raises:
            InvalidOptionError: the model embeds queries alone; add the documents to a new index.
            StaticEmbError: as `create`.
        """
        loaded, name = open_model(model)
        dimension = check_dim(truncate_dim or loaded.dim, loaded.metadata.dim)
        if precision is not None:
            _check_choice("precision", precision, DTYPES)
        maker = DocumentVectors(loaded, dimension)
        maker.documents([])
        with self._lock, self._store.writing() as connection:
            kept: StoredPrecision = precision or self._current(connection).precision
            rows = connection.execute("SELECT id, document FROM passages ORDER BY id").fetchall()
            connection.execute("DELETE FROM blocks")
            _fill_blocks(connection, rows, dimension, kept, maker, progress)
            write_settings(
                connection,
                {
                    "dimension": dimension,
                    "precision": kept,
                    "model": name,
                    "vectors_digest": identity(loaded),
                    "vectors_from": "model",
                },
            )
            if has_model(connection):
                store_model(connection, loaded)
            self._settings = read_settings(connection, self._store.path)
        self._given = self._model = loaded
        self._searcher = Searcher(self._settings, self._lexicon)

    def store_model(self) -> None:
        """Put the model's file into the index, so that one file is the whole search.

        Raises:
            InvalidOptionError: the model is a folder of another library.
        """
        model = self.model
        with self._store.writing() as connection:
            store_model(connection, model)
            next_change(connection)

    def optimize(self) -> None:
        """Merge the parts of the full-text index and write all changes into the main file."""
        with self._store.writing() as connection:
            if self._settings.words is not None:
                connection.execute("INSERT INTO lexical(lexical) VALUES ('optimize')")
        with self._store.alone() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def publish(self, path: str | os.PathLike[str]) -> None:
        """Write a compact copy that opens from a read-only folder.

        Args:
            path: the file; an existing one is replaced at the end.

        Raises:
            OutputError: the copy cannot be written.
        """
        publish(self._store, os.fspath(path))

    def check(self) -> None:
        """Read the whole file and compare its parts.

        Raises:
            NotAnIndexError: a part is damaged, or two parts differ.
        """
        path = self._store.path
        with self._store.reading() as connection:
            for (line,) in connection.execute("PRAGMA integrity_check(1)"):
                if line != "ok":
                    raise NotAnIndexError(f"{path}: damaged: {line}")
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
            for (id,) in connection.execute("SELECT id FROM passages").fetchall():
                collection.parse_metadata(collection.passage(connection, id).metadata)
            if self._lexicon is not None:
                (count,) = connection.execute("SELECT count(*) FROM lexical_docsize").fetchone()
                if count != len(rows):
                    raise NotAnIndexError(f"{path}: damaged: passages and full text differ")

    def _new_documents(
        self,
        texts: list[str],
        ids: list[str] | None,
        metadata: list[Mapping[str, Any] | None] | None,
        first: int,
    ) -> list[collection.NewDocument]:
        _check_texts(texts, first)
        limit = self._settings.passage_characters
        return [
            collection.NewDocument(
                None if ids is None else collection.check_id(ids[place]),
                text,
                collection.metadata_json(None if metadata is None else metadata[place]),
                cut(text, limit),
            )
            for place, text in enumerate(texts)
        ]

    def _add(
        self,
        documents: list[collection.NewDocument],
        given: NDArray[Any] | None,
        function: Callable[[list[str]], ArrayLike] | None,
    ) -> Added:
        """Add a batch in one transaction."""
        total = len(documents)
        if given is None and function is None and documents[0].id is not None:
            with self._store.reading() as connection:
                documents = [
                    document
                    for document in documents
                    if not collection.is_unchanged(connection, document)
                ]
        unchanged = total - len(documents)
        if not documents:
            return Added(0, 0, unchanged)
        texts = [
            document.text[start:stop] for document in documents for start, stop in document.passages
        ]
        maker = self._vectors()
        if given is not None:
            vectors = maker.given(given, len(texts))
        elif function is not None:
            vectors = maker.given(function(texts), len(texts))
        else:
            vectors = maker.documents(texts)
        with self._store.writing() as connection:
            settings = self._current(connection)
            replaced = collection.store(connection, settings, documents, vectors)
        named = [document.id for document in documents if document.id is not None]
        repeated = len(named) - len(set(named))
        return Added(total - unchanged - replaced - repeated, replaced + repeated, unchanged)

    def _vectors(self) -> DocumentVectors:
        return DocumentVectors(self.model, self._settings.dimension)

    def _find_model(self) -> StaticModel:
        if isinstance(self._given, StaticModel):
            return self._given
        if self._given is not None:
            return open_model(self._given)[0]
        with self._store.reading() as connection:
            if has_model(connection):
                return load_model(connection)
        try:
            return StaticModel.load(self._settings.model)
        except FileNotFoundError as error:
            raise IndexModelError(
                f"{self._store.path}: the model of the index is missing: {error}; pass its file"
            ) from None

    def _current(self, connection: sqlite3.Connection) -> Settings:
        """Return the settings inside a transaction; another process may have changed them.

        Raises:
            IndexModelError: the index now holds vectors of another model.
        """
        settings = read_settings(connection, self._store.path)
        if settings._replace(change=0) != self._settings._replace(change=0):
            raise IndexModelError(
                f"{self._store.path}: the index was made anew with {settings.model}; open it again"
            )
        return settings

    def _check_same(self, connection: sqlite3.Connection) -> None:
        if self._searcher.is_stale(connection):
            self._current(connection)


def _fill_blocks(
    connection: sqlite3.Connection,
    rows: list[tuple[int, int]],
    dimension: int,
    precision: StoredPrecision,
    maker: DocumentVectors,
    progress: Callable[[int], None] | None,
) -> None:
    """Write the vectors of all passages (id, document), each in its own place."""
    change = next_change(connection)
    for first in range(0, len(rows), _PAGE):
        part = rows[first : first + _PAGE]
        stored = [collection.passage(connection, id) for id, _ in part]
        texts = [row.text[row.span.start : row.span.stop] for row in stored]
        writer = BlockWriter(connection, dimension, precision, change)
        writer.place(part, encode_vectors(maker.documents(texts), precision))
        writer.flush()
        if progress is not None:
            progress(first + len(part))


def _matching(name: str, source: Iterator[Any] | None, count: int) -> list[Any] | None:
    """Take as many values as there are texts."""
    if source is None:
        return None
    values = list(islice(source, count))
    if len(values) != count:
        raise InvalidOptionError(f"{name}: expected one for each text, found fewer")
    return values


def _check_texts(texts: Sequence[object], first: int) -> None:
    """Check that texts are strings of valid Unicode."""
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {first + place}: expected a string, found {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError:
            reason = "expected valid Unicode, found a lone surrogate"
            raise InvalidTextError(reason, index=first + place) from None


def _check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    values = list(choices)
    if not (value is None or isinstance(value, str)) or value not in values:
        expected = " or ".join(map(str, values))
        raise InvalidOptionError(f"{name}: expected {expected}, found {value!r:.60}")


def _weight(name: str, value: float) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating))
    if isinstance(value, bool) or not number or not 0 <= value <= 1:
        raise InvalidOptionError(f"{name}: expected a number from 0 to 1, found {value!r:.40}")
    return float(value)
