"""Documents together with their vectors: from a teacher, or from vectors that exist already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from staticemb_runtime import PROBE_TEXTS

from ..arguments import check_type
from ..errors import CollectionError
from ..progress import BlockProgress
from ..teacher.cache import TeacherCache
from ..teacher.cached import through_cache
from ..teacher.open_teacher import open_teacher
from ..teacher.text_limit import text_limit
from .documents import DocumentFile, DocumentList, TextBlock
from .given_vectors import DocumentVectors, GivenVectors, Rows, open_given
from .index_passages import IndexPassages, teacher_vectors
from .teacher_queries import kinds_differ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..table.space import Space
    from ..teacher.open_teacher import TeacherSpec
    from ..teacher.text_encoder import TextEncoder, TextKind

_TEACHER_BLOCK = 1_024  # documents encoded at a time, which an interruption may lose
_KINDS: tuple[TextKind, ...] = ("document", "query")


Advance: TypeAlias = Callable[[int], object]
DocumentSource: TypeAlias = DocumentFile | DocumentList | IndexPassages


@dataclass(frozen=True, eq=False)
class Source:
    """A stream of documents and their vectors.

    Attributes:
        blocks: Yields documents and their vectors (n, H). Its argument is called with the number of
            documents that the teacher has encoded since the last call.
        texts: Yields the whole texts alone.
        dim: H.
        place: The name of the vectors for messages.
        teacher: The teacher; None: the vectors existed already.
        encode_queries: Returns the teacher's unit vectors (n, H) of n queries, and calls its second
            argument as `blocks` does; None: no teacher.
        has_query_kind: Whether the teacher encodes queries and documents differently.
        cut: Shortens a text to what the teacher reads; None: whole texts.
        cache: The folder of the teacher's vectors; None: no teacher.
    """

    blocks: Callable[[Advance], Iterator[tuple[TextBlock, NDArray[Any]]]]
    texts: Callable[[], Iterator[str]]
    dim: int
    place: str
    teacher: TextEncoder | None = None
    encode_queries: Callable[[Sequence[str], Advance], NDArray[np.float16]] | None = None
    has_query_kind: bool = False
    cut: Callable[[str], str] | None = None
    cache: Path | None = None


def open_source(
    documents: str | os.PathLike[str] | Sequence[str] | None,
    *,
    teacher: TeacherSpec | None,
    vectors: DocumentVectors | None,
    text: str | None,
    vector: str | None,
    cache: Path,
    index: str | os.PathLike[str] | None = None,
    model: str = "none",
    space: Space | None = None,
) -> Source:
    """Open documents and their vectors; most arguments are those of `adapt`.

    Args:
        documents: As for `adapt`.
        teacher: As for `adapt`.
        vectors: As for `adapt`.
        text: As for `adapt`.
        vector: As for `adapt`.
        cache: The folder of the teacher's vectors.
        index: As for `adapt`.
        model: The model's file or name, or "none".
        space: The model's space, for vectors in an index.

    Raises:
        CollectionError: Both a teacher and vectors are given, or neither, or no documents; or
            documents and an index.
        TextSourceError: The documents or the vectors cannot be read.
        TypeError: They are of another type.
        TeacherError: The teacher cannot be loaded.
    """
    texts: DocumentSource | None = None
    if index is not None:
        if documents is not None or text is not None:
            raise CollectionError("adapt: expected documents or an index, found both")
        texts = passages = IndexPassages(os.fspath(index))
        if teacher is None and vectors is None:
            return _of_index(passages, model, space)
    if (teacher is None) == (vectors is None):
        found = "neither" if teacher is None else "both"
        raise CollectionError(f"adapt: expected a teacher or vectors, found {found}")
    if isinstance(documents, str | os.PathLike):
        texts = DocumentFile(os.fspath(documents), text)
    elif documents is not None:
        if not (hasattr(documents, "__len__") and hasattr(documents, "__getitem__")):
            check_type("documents", documents, (list, tuple), "a file, a folder or a list of texts")
        texts = DocumentList(documents)
    if vectors is not None:
        return _of_vectors(texts, open_given(vectors, vector), text)
    if texts is None:
        raise CollectionError("adapt: expected documents for the teacher, found none")
    assert teacher is not None
    return _of_teacher(texts, teacher, cache)


def _of_index(passages: IndexPassages, model: str, space: Space | None) -> Source:
    """Take an index's own vectors of the teacher of `model`."""
    passages.check_model(model)
    if space is None:
        raise CollectionError(f"{model}: expected a model with a part `space`, found none")
    passages.check_length(space.projection.shape[1])

    def blocks(_: Advance) -> Iterator[tuple[TextBlock, NDArray[Any]]]:
        for block, rows in passages.with_vectors():
            yield block, teacher_vectors(space, rows)

    return Source(blocks, passages.whole, len(space.projection), passages.place)


def _of_vectors(texts: DocumentSource | None, given: GivenVectors, text: str | None) -> Source:
    if texts is None:
        if not given.files:
            raise CollectionError(
                f"{given.place}: expected documents or an index for these vectors, found neither"
            )
        texts = DocumentFile(given.place, text, given.files)
    documents = texts
    return Source(
        lambda _: _zipped(documents, given.rows, given.place),
        documents.whole,
        given.dim,
        given.place,
    )


def _zipped(
    texts: DocumentSource, rows: Rows, place: str
) -> Iterator[tuple[TextBlock, NDArray[Any]]]:
    """Yield blocks of documents with as many vectors.

    Raises:
        CollectionError: There are more documents than vectors, or fewer.
    """
    count = 0
    blocks = texts.blocks()
    for block in blocks:
        count += len(block.texts)
        vectors = rows.take(len(block.texts))
        if vectors is None or len(vectors) < len(block.texts):
            count += sum(len(other.texts) for other in blocks)
            break
        yield block, vectors
    else:
        if rest := rows.rest():
            raise _different(count, count + rest, texts.place, place)
        return
    raise _different(count, rows.taken, texts.place, place)


def _different(documents: int, vectors: int, place: str, file: str) -> CollectionError:
    return CollectionError(
        f"{file}: expected a vector for each of the {documents:,} documents of {place}, found "
        f"{vectors:,} vectors"
    )


def _of_teacher(texts: DocumentSource, spec: TeacherSpec, cache: Path) -> Source:
    teacher = open_teacher(spec)
    documents = TeacherCache(cache, teacher.about("document"), teacher.dim)
    # A teacher with one kind encodes no text twice.
    one_kind = teacher.about("document") == teacher.about("query")
    queries = documents if one_kind else TeacherCache(cache, teacher.about("query"), teacher.dim)
    stores: dict[TextKind, TeacherCache] = {"document": documents, "query": queries}

    def encode(
        texts: Sequence[str], advance: Advance, kind: TextKind = "query"
    ) -> NDArray[np.float16]:
        return through_cache(stores[kind], teacher, texts, kind=kind, advance=advance)

    def encode_in_blocks(texts: Sequence[str], advance: Advance) -> NDArray[np.float16]:
        progress = BlockProgress(advance)
        vectors = np.empty((len(texts), teacher.dim), np.float16)
        for first in range(0, len(texts), _TEACHER_BLOCK):
            block = slice(first, first + _TEACHER_BLOCK)
            vectors[block] = encode(texts[block], progress.within)
            progress.block(len(vectors[block]))
        return vectors

    def blocks(advance: Advance) -> Iterator[tuple[TextBlock, NDArray[Any]]]:
        progress = BlockProgress(advance)
        for block in texts.blocks(_TEACHER_BLOCK):
            yield block, encode(block.texts, progress.within, "document")
            progress.block(len(block.texts))

    return Source(
        blocks,
        texts.whole,
        teacher.dim,
        teacher.name,
        teacher,
        encode_in_blocks,
        has_query_kind(teacher, stores),
        cut_for(teacher),
        cache,
    )


def has_query_kind(teacher: TextEncoder, stores: Mapping[TextKind, TeacherCache]) -> bool:
    """Measure by the probe texts whether a teacher encodes queries and documents differently.

    Args:
        teacher: The teacher.
        stores: Its caches, by kind.

    Raises:
        TeacherError: The teacher cannot encode.
    """
    if teacher.about("document") == teacher.about("query"):
        return False
    documents, queries = (
        through_cache(stores[kind], teacher, list(PROBE_TEXTS), kind=kind) for kind in _KINDS
    )
    return kinds_differ(documents, queries)


def cut_for(teacher: TextEncoder) -> Callable[[str], str] | None:
    """Return a function that cuts a text to the part that a teacher with a known limit reads."""
    tokenizer = teacher.tokenizer
    from_left = getattr(teacher, "truncation_side", "right") == "left"
    # What is cut on the left begins with the prompt.
    prompt = "" if from_left else teacher.about("document").get("prompt", "")
    limit = text_limit(teacher, prompt)
    if limit is None or tokenizer is None:
        return None
    most = limit

    def cut(text: str) -> str:
        if len(text) <= most:  # a token has at least one character
            return text
        # A token rarely has more than twelve characters: the rest need not be tokenized.
        part = text[-12 * most :] if from_left else text[: 12 * most]
        offsets = tokenizer.encode(part, add_special_tokens=False).offsets
        if len(offsets) <= most:
            return text
        return part[offsets[-most][0] :] if from_left else part[: offsets[most][0]]

    return cut
