"""A teacher's vectors of texts, of any kind of teacher, through the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cache import TeacherCache
from .text_encoder import StreamingEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from .text_encoder import EncodedPart, TextEncoder, TextKind


def cached_vectors(
    teacher: TextEncoder,
    texts: Sequence[str],
    folder: Path,
    *,
    kind: TextKind | None = "document",
    seconds: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    advance: Callable[[int], object] | None = None,
) -> NDArray[np.float16]:
    """Return a teacher's unit vectors of texts; missing ones are encoded and stored.

    Args:
        teacher: The teacher. The vectors of a server are stored response by response.
        texts: The texts.
        folder: The cache's folder.
        kind: Whether the texts are documents or queries; None: as the teacher does by default,
            which for a Sentence Transformer is its default prompt.
        seconds: As for `TeacherCache.encode`.
        progress: Called with the number of finished texts and the total.
        advance: Called with the number of texts encoded since its last call. A server's texts are
            counted by `progress` if both are given.

    Returns:
        (n, dim) float16, the vectors of the first n texts; without a time limit, of all texts.

    Raises:
        TeacherError: The teacher cannot encode the texts.
        CacheError: The cache is damaged or cannot be written.
    """
    store = TeacherCache(folder, teacher.about(**_options(kind)), teacher.dim)
    return through_cache(
        store, teacher, texts, kind=kind, seconds=seconds, progress=progress, advance=advance
    )


def through_cache(
    store: TeacherCache,
    teacher: TextEncoder,
    texts: Sequence[str],
    *,
    kind: TextKind | None = "document",
    seconds: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    advance: Callable[[int], object] | None = None,
) -> NDArray[np.float16]:
    """Do as `cached_vectors`, with a cache that is open, for several calls.

    Args:
        store: The cache of this teacher and kind.
        teacher: As for `cached_vectors`.
        texts: As for `cached_vectors`.
        kind: As for `cached_vectors`.
        seconds: As for `cached_vectors`.
        progress: As for `cached_vectors`.
        advance: As for `cached_vectors`.
    """
    if isinstance(teacher, StreamingEncoder):
        stream = teacher

        def parts(missing: Sequence[str]) -> Iterator[EncodedPart]:
            for rows, vectors in stream.encode_parts(missing, **_options(kind)):
                yield rows, vectors  # stored before the next line
                if advance is not None and progress is None:
                    advance(len(rows))

        return store.encode_parts(texts, parts, seconds=seconds, progress=progress)
    return store.encode(
        texts,
        lambda missing: teacher.encode(missing, advance=advance, **_options(kind)),
        seconds=seconds,
        progress=progress,
    )


def _options(kind: TextKind | None) -> dict[str, TextKind]:
    return {} if kind is None else {"kind": kind}
