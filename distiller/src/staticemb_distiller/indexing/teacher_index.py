"""Make a search index whose vectors are a teacher's, for a model that embeds queries alone."""

from __future__ import annotations

import contextlib
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from staticemb_runtime import StaticModel
from staticemb_runtime.errors import MissingSpaceError
from staticemb_runtime.search import Added, Index

from ..adaptation.given_vectors import DocumentVectors, open_given
from ..errors import CollectionError
from ..file.space import probe_vectors
from ..progress import Progress
from ..teacher.cache import TeacherCache
from ..teacher.cached import through_cache
from ..teacher.open_teacher import open_teacher
from ..teacher.reporting import with_tokens
from ..teacher.server_results import paid_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from ..teacher.open_teacher import TeacherSpec
    from ..teacher.text_encoder import TextEncoder

BATCH = 1024  # documents that are committed at a time, which an interruption may lose


class IndexDocument(NamedTuple):
    """A document to index.

    Attributes:
        id: Its id.
        text: Its text.
        metadata: Values that JSON can hold.
        source: The file that it comes from, or "".
    """

    id: str
    text: str
    metadata: Mapping[str, Any]
    source: str = ""


def index_with_teacher(
    path: str | os.PathLike[str],
    documents: Callable[[], Iterable[IndexDocument]],
    model: str | os.PathLike[str],
    *,
    teacher: TeacherSpec | None = None,
    vectors: DocumentVectors | None = None,
    vector: str | None = None,
    passage_characters: int | None = None,
    precision: Literal["int8", "float16", "bits"] = "int8",
    truncate_dim: int | None = None,
    words: Literal["auto", "words", "trigrams"] = "auto",
    store_model: bool = False,
    teacher_cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Added:
    """Make a search index, or go on with one, whose vectors are a teacher's.

    The runtime searches it with `model` alone. Documents are committed batch by batch. The same
    call goes on after an interruption: if the model embeds queries alone, unchanged documents are
    left as they are, and otherwise their vectors come from the cache.

    Args:
        path: The index.
        documents: Called twice, to count the documents and to index them.
        model: A file with a part `space`: the adapted file, or any distilled file.
        teacher: The teacher of the model, as for `open_teacher`. Either a teacher or vectors are
            needed.
        vectors: The teacher's vectors of the documents, in their order: an NPY file, an array
            (N, H), or a Parquet or JSON lines file with a column of vectors.
        vector: The column of the vectors; None: "embedding", or the only one of vectors.
        passage_characters: As for `Index.create`; with a teacher only.
        precision: As for `Index.create`.
        truncate_dim: As for `Index.create`.
        words: As for `Index.create`.
        store_model: As for `Index.create`.
        teacher_cache: A folder for the teacher's vectors. For a server its default is the index's
            path with `.checkpoint` after it, which is removed at the end.
        progress: The progress display; None: no display.

    Returns:
        How many documents were added, replaced and unchanged.

    Raises:
        CollectionError: The model has no space, the vectors do not match the documents, or the
            arguments contradict each other.
        SpaceMismatchError: The teacher is not the model's.
        TeacherError: The teacher cannot be opened, or cannot encode a text.
        SearchIndexError: The index cannot be opened or written.
    """
    progress = progress or Progress(quiet=True)
    if (teacher is None) == (vectors is None):
        found = "neither" if teacher is None else "both"
        raise CollectionError(f"index: expected a teacher or vectors, found {found}")
    if vectors is not None and passage_characters is not None:
        raise CollectionError(
            "index: expected whole documents, since vectors are of whole documents, found "
            f"passages of {passage_characters} characters"
        )
    loaded = StaticModel.load(model)
    if loaded.space is None:
        raise CollectionError(f"{model}: expected a model with a part `space`, found none")
    total = sum(1 for _ in documents())
    with paid_vectors(teacher, path, teacher_cache) as cache:
        made: _Vectors
        opened = None if teacher is None else open_teacher(teacher)
        if opened is not None:
            made = _TeacherVectors(opened, cache)
            _check_teacher(loaded, opened, cache, progress)
        else:
            assert vectors is not None
            made = _GivenVectors(vectors, vector, total)
        with Index.create(
            path,
            loaded,
            exist_ok=True,
            passage_characters=passage_characters,
            precision=precision,
            truncate_dim=truncate_dim,
            words=words,
            store_model=store_model,
        ) as index:
            if index.info().passage_characters is not None and vectors is not None:
                raise CollectionError(
                    f"{path}: expected an index of whole documents for given vectors"
                )
            with progress.track("Documents", total, "documents") as advance:
                shown = with_tokens(advance, opened, progress)
                added = _add(index, documents(), made, shown)
            made.finish()
            index.optimize()
    return added


class _Vectors:
    """The vectors of consecutive documents."""

    def of(self, texts: list[str]) -> NDArray[Any]:
        """Return the vectors (n, H) of n passages."""
        raise NotImplementedError

    def skip(self, flags: list[bool]) -> None:
        """Announce the next documents, and which of them need vectors."""

    def finish(self) -> None:
        """Check that nothing is left."""


class _TeacherVectors(_Vectors):
    def __init__(self, teacher: TextEncoder, folder: Path | None) -> None:
        self._teacher = teacher
        self._store = (
            None if folder is None else TeacherCache(folder, teacher.about("document"), teacher.dim)
        )

    def of(self, texts: list[str]) -> NDArray[Any]:
        if self._store is None:
            return self._teacher.encode(texts, kind="document")
        return through_cache(self._store, self._teacher, texts)


class _GivenVectors(_Vectors):
    def __init__(self, vectors: DocumentVectors, column: str | None, total: int) -> None:
        given = open_given(vectors, column)
        self._place, self._rows = given.place, given.rows
        self._total = total
        self._next: NDArray[Any] | None = None
        if given.total is not None and given.total != total:
            raise self._different(given.total)

    def skip(self, flags: list[bool]) -> None:
        rows = self._rows.take(len(flags))
        if rows is None or len(rows) < len(flags):
            raise self._different(self._rows.taken)
        self._next = rows[np.array(flags, np.bool_)]

    def of(self, texts: list[str]) -> NDArray[Any]:
        assert self._next is not None
        return self._next

    def finish(self) -> None:
        if rest := self._rows.rest():
            raise self._different(self._total + rest)

    def _different(self, found: int) -> CollectionError:
        return CollectionError(
            f"{self._place}: expected a vector for each of {self._total:,} documents, found "
            f"{found:,} vectors"
        )


def _add(
    index: Index,
    documents: Iterable[IndexDocument],
    vectors: _Vectors,
    advance: Callable[[int], object],
) -> Added:
    """Add the documents, a batch at a time; leave out those that are stored already."""
    model = index.model
    by_teacher = index.info().vectors_from == "teacher"
    total = Added(0, 0, 0)

    def project(texts: list[str]) -> NDArray[Any]:
        made = vectors.of(texts)
        # A table that embeds documents as well may have as many dimensions as its teacher. The
        # index would take such vectors for the table's own.
        return made if by_teacher else model.project(made)

    for batch in _batches(documents):
        # Vectors of a table and of its teacher cannot be told apart once they are stored.
        last = {document.id: document for document in batch} if by_teacher else {}
        stored = {id_ for id_, document in last.items() if _is_stored(index, document)}
        new = [document.id not in stored for document in batch]
        vectors.skip(new)
        chosen = [document for document, is_new in zip(batch, new, strict=True) if is_new]
        if chosen:
            added = index.add(
                [document.text for document in chosen],
                ids=[document.id for document in chosen],
                metadata=[document.metadata for document in chosen],
                sources=[document.source for document in chosen],
                vectors=project,
                batch_size=BATCH,
            )
            total = Added(*(a + b for a, b in zip(total, added, strict=True)))
        total = total._replace(unchanged=total.unchanged + len(batch) - len(chosen))
        advance(len(batch))
    return total


def _batches(documents: Iterable[IndexDocument]) -> Iterator[list[IndexDocument]]:
    source = iter(documents)
    while batch := list(islice(source, BATCH)):
        yield batch


def _is_stored(index: Index, document: IndexDocument) -> bool:
    with contextlib.suppress(KeyError):
        stored = index.get(document.id)
        return stored.text == document.text and dict(stored.metadata) == dict(document.metadata)
    return False


def _check_teacher(
    model: StaticModel,
    teacher: TextEncoder,
    cache: Path | None,
    progress: Progress,
) -> None:
    """Check that the teacher's vectors are those that the model was made with."""
    probes = probe_vectors(teacher, cache)
    if probes is None:
        raise CollectionError(f"{teacher.name}: expected vectors of the probe texts, found zeros")
    try:
        model.check_space(probes)
    except MissingSpaceError:
        assert model.space is not None
        progress.warn(f"The model does not tell whether {teacher.name} is {model.space.teacher}")
