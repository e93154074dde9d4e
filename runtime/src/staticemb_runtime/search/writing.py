"""The methods of `Index` that change it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from ..encoding.empty_texts import EmptyTexts
from ..encoding.foreign_texts import ForeignTexts
from ..encoding.options import check_count
from ..encoding.vectors import check_dim
from ..errors import InvalidOptionError
from ..records.batches import batches
from . import collection
from .arguments import check_choice, check_texts, in_order, matching
from .blocks import DTYPES, count_blocks
from .embedding import DocumentVectors, described, open_model
from .hits import Added
from .open_index import TIMEOUT, OpenIndex
from .passages import cut
from .reindexing import fill_blocks
from .searching import Searcher
from .settings import read_settings, write_settings
from .store import Store
from .stored_model import has_model, store_model
from .write_behind import WriteBehind

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import ArrayLike

    from ..model import StaticModel
    from .blocks import StoredPrecision

    Model = StaticModel | str | os.PathLike[str] | None
    GivenVectors = ArrayLike | Iterable[ArrayLike] | Callable[[list[str]], ArrayLike]

BATCH_SIZE: Final = 8192
_BATCH_CHARACTERS: Final = 1 << 24  # of a batch of long documents, which has fewer of them


def _length(text: object) -> int:
    return len(text) if isinstance(text, str) else 0  # `check_texts` refuses it afterwards


class WritableIndex(OpenIndex):
    """The part of `Index` that changes it.

    Attributes:
        empty_passages: how many passages `add` has embedded without a token that the model knows.
        blank_passages: how many of them are empty or hold white space only.
        foreign_passages: counts those in languages that the model does not read.
    """

    empty_passages = 0
    blank_passages = 0

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str] | None = None,
        metadata: Iterable[Mapping[str, Any] | None] | None = None,
        sources: Iterable[str] | None = None,
        vectors: GivenVectors | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Callable[[int], None] | None = None,
    ) -> Added:
        """Add documents, or replace those of the same ids.

        Documents are committed batch by batch: after an error, or the end of the process, the
        batches before it are stored. While a batch is written, the next one is read and embedded. A
        document that is stored already with the same text, metadata and passages is left alone,
        unless `vectors` is given. So the same call can be made again.

        Args:
            texts: the documents' texts.
            ids: their ids; None: their numbers, in decimals.
            metadata: for each a mapping of strings to values of JSON, or None.
            sources: for each the file that it comes from, so that `Index.sources` can tell which
                documents have none any more; None: unknown.
            vectors: vectors made elsewhere. For each text, in an index without passages, (n, D) of
                the model, or (n, H) of its teacher if its file has a space: an array, or an
                iterable of rows. Or a function that takes a list of texts, those of passages, and
                returns such an array. A model that embeds queries alone needs the teacher's. None:
                the model makes them.
            batch_size: how many documents are committed at a time; fewer, if their texts have more
                than some 16 million characters, as these are in memory.
            progress: called after each batch with the number of documents so far.

        Raises:
            TypeError: `texts`, `ids`, `metadata` or `sources` is one string, a table or a set, or
                an element has another type.
            InvalidTextError: a text holds a surrogate; its batch is not stored.
            InvalidOptionError: the parameters differ in length or have invalid values.
            QueryOnlyError: the model embeds queries alone, and `vectors` is missing.
            InvalidDimensionError: `vectors` has another shape.
            IndexReadOnlyError, IndexBusyError, SearchIndexError: the index cannot be written.
        """
        size = check_count("batch_size", batch_size)
        source = in_order("texts", texts)
        id_source = None if ids is None else in_order("ids", ids, keys=True)
        metadata_source = None if metadata is None else in_order("metadata", metadata)
        file_source = None if sources is None else in_order("sources", sources, keys=True)
        vector_source = None if vectors is None or callable(vectors) else iter(vectors)  # type: ignore[arg-type]
        if vector_source is not None and self._settings.passage_characters is not None:
            raise InvalidOptionError(
                "vectors: expected a function, as this index cuts documents into passages, "
                "found vectors"
            )
        total = Added(0, 0, 0)
        read = 0

        def count(added: Added | None) -> None:
            nonlocal total
            if added is not None:
                total = Added(*(a + b for a, b in zip(total, added, strict=True)))
                if progress is not None:
                    progress(sum(total))

        with WriteBehind() as behind:
            for batch, is_full in batches(source, size, _BATCH_CHARACTERS, _length):
                if not read:
                    with self._store.writing():  # an index that cannot be written is an error here
                        pass
                documents = self._new_documents(
                    batch,
                    matching("ids", id_source, len(batch)),
                    matching("metadata", metadata_source, len(batch)),
                    matching("sources", file_source, len(batch)),
                    read,
                )
                given = matching("vectors", vector_source, len(batch))
                if vectors is None and documents[0].id is not None:
                    if behind.ids.intersection(str(document.id) for document in documents):
                        count(behind.finish())
                    documents = self._changed(documents, while_writing=behind.is_writing)
                write = self._make(documents, len(batch), given, vectors)
                count(behind.finish())
                read += len(batch)
                if is_full:
                    behind.start(write, {str(document.id) for document in documents})
                else:
                    count(write())
            count(behind.finish())
        rests = {
            "ids": id_source,
            "metadata": metadata_source,
            "sources": file_source,
            "vectors": vector_source,
        }
        for name, rest in rests.items():
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
            progress: called with the number of passages so far.

        Raises:
            QueryOnlyError: the model embeds queries alone; add the documents to a new index.
            StaticEmbError: as `create`.
        """
        loaded, name = open_model(model)
        asked = loaded.dim if truncate_dim is None else truncate_dim
        dimension = check_dim(asked, loaded.metadata.dim)
        if precision is not None:
            check_choice("precision", precision, DTYPES)
        maker = DocumentVectors(loaded, dimension)
        maker.documents([])
        with self._lock, self._store.writing() as connection:
            kept: StoredPrecision = precision or self._current(connection).precision
            rows = connection.execute("SELECT id, document FROM passages ORDER BY id").fetchall()
            count = count_blocks(connection)
            connection.execute("DELETE FROM blocks")
            fill_blocks(connection, rows, count, dimension, kept, maker, progress)
            write_settings(
                connection,
                {
                    "dimension": dimension,
                    "precision": kept,
                    "model": name,
                    **described(loaded),
                },
            )
            if has_model(connection):
                store_model(connection, loaded)
            settings = read_settings(connection, self._store.path)
        self._settings = settings  # once it is committed
        self._given = self._model = loaded
        self._searcher = Searcher(self._settings, self._lexicon)

    def optimize(self) -> None:
        """Merge the parts of the full-text index and write all changes into the main file."""
        with self._store.writing() as connection:
            if self._settings.words is not None:
                connection.execute("INSERT INTO lexical(lexical) VALUES ('optimize')")
        with self._store.alone() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _new_documents(
        self,
        texts: list[str],
        ids: list[str] | None,
        metadata: list[Mapping[str, Any] | None] | None,
        sources: list[str] | None,
        first: int,
    ) -> list[collection.NewDocument]:
        check_texts(texts, first)
        limit = self._settings.passage_characters
        return [
            collection.NewDocument(
                None if ids is None else collection.check_id(ids[place]),
                text,
                collection.metadata_json(None if metadata is None else metadata[place]),
                None if sources is None else collection.check_id(sources[place], "sources"),
                cut(text, limit),
            )
            for place, text in enumerate(texts)
        ]

    def _changed(
        self, documents: list[collection.NewDocument], *, while_writing: bool
    ) -> list[collection.NewDocument]:
        """Return the documents that are not stored as they are.

        Of equal ids the last document counts, as it is the one that stays.

        Args:
            documents: a batch, without documents of the batch that is being written.
            while_writing: whether one is: then another connection reads.
        """
        with contextlib.ExitStack() as stack:
            store = self._store
            if while_writing:
                other = Store(store.path, writable=False, timeout=TIMEOUT)
                store = stack.enter_context(contextlib.closing(other))
            connection = stack.enter_context(store.reading())
            last = {str(document.id): document for document in documents}
            unchanged = {
                id
                for id in collection.stored_ids(connection, [*last])
                if collection.is_unchanged(connection, last[id])
            }
            return [document for document in documents if document.id not in unchanged]

    def _make(
        self,
        documents: list[collection.NewDocument],
        total: int,
        given: ArrayLike | None,
        vectors: GivenVectors | None,
    ) -> Callable[[], Added]:
        """Make the vectors of a batch; return a function that stores it in one transaction.

        Args:
            documents: the documents to store.
            total: how many there were before unchanged ones were left out.
            given: their vectors, or None.
            vectors: as in `add`.
        """
        unchanged = total - len(documents)
        if not documents:
            return lambda: Added(0, 0, unchanged)
        texts = [
            document.text[start:stop] for document in documents for start, stop in document.passages
        ]
        maker, empty = self._vectors(), EmptyTexts("zero")
        empty.foreign = foreign = ForeignTexts()
        if given is not None:
            made = maker.given(given, len(texts))
        elif callable(vectors):
            made = maker.given(vectors(texts), len(texts))
        else:
            made = maker.documents(texts, empty)
            if foreign.count:
                ids = [document.id for document in documents for _ in document.passages]
                foreign.place = ids[foreign.first] or ""

        def write() -> Added:
            with self._store.writing() as connection:
                settings = self._current(connection)
                replaced = collection.store(connection, settings, documents, made)
            named = [document.id for document in documents if document.id is not None]
            repeated = len(named) - len(set(named))
            self.empty_passages += empty.count
            self.blank_passages += empty.blank
            self.foreign_passages.merge(foreign)
            return Added(total - unchanged - replaced - repeated, replaced + repeated, unchanged)

        return write
